"""Whether a Service's endpoints are those of its selector: what proxies go by, and it lags."""

from collections.abc import Collection

from activities.integrations.kubernetes.api import Api
from activities.integrations.kubernetes.objects import Json
from activities.integrations.kubernetes.writes import token_of

PATH = "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"


class Endpoints:
    """Asked until the selector of now was taken up; then not again until it changes."""

    def __init__(self, api: Api, namespace: str, service: str) -> None:
        self._api = api
        self._path = PATH.format(namespace=namespace)
        self._selector = f"kubernetes.io/service-name={service}"
        self._taken_up = ""

    def are_only(self, pods: Collection[str], service: Json) -> bool:
        """Whether at least one of these pods, and no other one, is an endpoint that is ready."""
        token = token_of(service)
        if token == self._taken_up:
            return True
        ready = {
            one["targetRef"]["name"]
            for piece in self._api.items(self._path, self._selector)
            for one in piece.get("endpoints") or []
            if one.get("conditions", {}).get("ready") and "targetRef" in one
        }
        if ready and ready <= set(pods):
            self._taken_up = token
            return True
        return False
