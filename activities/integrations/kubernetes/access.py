"""The role of access, played by the API server's own reviews of whoever asks."""

from collections.abc import Mapping

from activities.integrations.kubernetes.api import Api, Json
from rollback_manager.access import Granted
from rollback_manager.errors import NotFound
from rollback_manager.rights import Right

REVIEWS = "/apis/authorization.k8s.io/v1"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


class KubernetesAccess:
    """What one cluster lets the worker do. Reviews are asked for by POST and change nothing."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def uid(self) -> str:
        """UID of the cluster: of its namespace kube-system."""
        return self._api.uid()

    def rules(self, namespace: str) -> tuple[Granted, ...]:
        """All rights there; the API server may know more than it can sum up."""
        status = self._review("selfsubjectrulesreviews", {"namespace": namespace})
        return tuple(_granted(rule) for rule in status.get("resourceRules") or [])

    def may(self, namespace: str, right: Right, verb: str, name: str) -> bool:
        """One question; the API server's own answer."""
        resource, _, below = right.resource.partition("/")
        asked = {"namespace": namespace, "verb": verb, "group": right.group, "resource": resource}
        asked |= ({"subresource": below} if below else {}) | ({"name": name} if name else {})
        status = self._review("selfsubjectaccessreviews", {"resourceAttributes": asked})
        return bool(status.get("allowed"))

    def policy(self, name: str) -> str:
        """ "" where that policy and its binding are there and the API server has taken it up."""
        for folder, what in ((POLICIES, "policy"), (BINDINGS, "binding")):
            try:
                self._api.get(f"{folder}/{name}")
            except NotFound:
                return f"its {what} is not installed"
        return ""

    def _review(self, kind: str, spec: Mapping[str, object]) -> Json:
        status: Json = self._api.create(f"{REVIEWS}/{kind}", {"spec": dict(spec)})["status"]
        return status


def _granted(rule: Json) -> Granted:
    return Granted(
        groups=tuple(rule.get("apiGroups") or ()),
        resources=tuple(rule.get("resources") or ()),
        verbs=tuple(rule.get("verbs") or ()),
        names=tuple(rule.get("resourceNames") or ()),
    )
