"""One right taken out at a time: the product says so before anybody approves anything."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from demo.kubernetes.kubelet import Kubelet
from rollback_manager.contract import Planned
from rollback_manager.rights import DENIED
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import (
    created,
    deployment,
    path_of,
    pod_template,
    rolled_out,
    service,
    until,
)
from tests.kubernetes.shop import Service, placed, with_rights
from tests.kubernetes.shop import service as opened

MERGE = "application/merge-patch+json"
HPAS = "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers"


class Watched:
    """A service that needs a rollback, and the Role of whoever plans it."""

    def __init__(self, cluster: Cluster, namespace: str, own: Service) -> None:
        self._cluster, self._own = cluster, own
        self._role = path_of("roles", namespace, "robot")
        self._whole = cluster.api.get(self._role)["rules"]

    def without(
        self, resource: str, verbs: tuple[str, ...] = (), name: str = ""
    ) -> Callable[[], Planned]:
        """The Role has no rule for that any more, or without these verbs, or that name."""
        rules = []
        for rule in self._whole:
            if rule["resources"] != [resource]:
                rules.append(rule)
            elif verbs:
                rules.append(rule | {"verbs": [v for v in rule["verbs"] if v not in verbs]})
            elif name:
                left = [one for one in rule["resourceNames"] if one != name]
                rules += [rule | {"resourceNames": left}] if left else []
        role = self._cluster.api.get(self._role)
        self._cluster.api.put(self._role, role | {"rules": rules})
        return self._own.planned


def of_gate(plan: Callable[[], Planned], name: str) -> str:
    """What a plan made now says of one gate; empty where it does not name it."""
    planned = plan()
    assert planned.plan is not None, planned.blocked_because
    return next((one.because for one in planned.plan.gates if one.gate == name), "")


def bad_release(cluster: Cluster, namespace: str, folder: Path) -> None:
    """v1 is recorded, v2 runs, and an autoscaler may shrink either."""
    path = path_of("deployments", namespace, "shop")
    created(cluster.api, namespace, deployment("shop", "v1", 2))
    created(cluster.api, namespace, service("shop"))
    cluster.api.post(path_of("configmaps", namespace), {"metadata": {"name": DENIED}})
    until(lambda: cluster.api.get(path), rolled_out)
    with opened(placed(cluster, namespace, "shop"), folder) as own:
        own.record("v1", from_cluster=True)
    cluster.api.patch(path, {"spec": {"template": pod_template("shop", "v2")}}, MERGE)
    until(lambda: cluster.api.get(path), rolled_out)
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    spec = {"minReplicas": 1, "maxReplicas": 4, "scaleTargetRef": scaled}
    cluster.api.post(HPAS.format(namespace), {"metadata": {"name": "shop"}, "spec": spec})


@pytest.mark.timeout(280)
def test_what_may_not_be_asked_or_written_is_said(
    cluster: Cluster, namespace: str, tmp_path: Path, kubelet: Kubelet
) -> None:
    """Nothing that was not read is taken for fine, and nothing is first refused half-way."""
    bad_release(cluster, namespace, tmp_path)
    asked = placed(cluster, namespace, "shop")
    robot = with_rights(cluster, namespace, asked, tmp_path / "robot")
    with opened(placed(cluster, namespace, "shop", kubeconfig=robot), tmp_path) as own:
        whole = until(own.planned, lambda found: found.plan is not None)
        assert whole.plan is not None
        unclear = [one for one in whole.plan.gates if one.because.startswith("not asked")]
        assert unclear == [], "everything may be asked"
        role = Watched(cluster, namespace, own)
        for resource, name in (
            ("resourcequotas", "room"),
            ("limitranges", "room"),
            ("poddisruptionbudgets", "disruption_budgets"),
            ("namespaces", "namespace"),
        ):
            plan = role.without(resource)
            until(partial(of_gate, plan, name), lambda told: "no right" in told)
        plan = role.without("configmaps", name=DENIED)
        told = until(partial(of_gate, plan, "deny_list"), bool)
        assert "it cannot be written" in told
        plan = role.without("horizontalpodautoscalers")
        until(partial(of_owners, plan), lambda told: "not held, for they cannot be read" in told)
        plan = role.without("horizontalpodautoscalers", verbs=("patch",))
        until(partial(of_owners, plan), lambda told: "the worker may not write to it" in told)


def of_owners(plan: Callable[[], Planned]) -> str:
    """What a plan made now says of those who write beside us."""
    planned = plan()
    assert planned.plan is not None, planned.blocked_because
    return "; ".join(planned.plan.services[0].owners)
