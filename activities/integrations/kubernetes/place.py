"""Where a service is: the cluster itself, not the name by which a kubeconfig calls it today."""

from activities.integrations.kubernetes.api import Api
from rollback_manager.errors import PermanentError
from rollback_manager.platforms import KubernetesTarget


class KubernetesPlace:
    """A namespace in a cluster, told apart from others by the UID of its kube-system."""

    def __init__(self, api: Api, target: KubernetesTarget) -> None:
        self._api = api
        self._namespace = target.namespace

    def name(self) -> str:
        """Cluster, UID and namespace, asked now.

        Raises PermanentError where the catalogue names another UID for that cluster.
        """
        uid = uid_as_pinned(self._api)
        return f"cluster {self._api.name} (uid {uid}), namespace {self._namespace}"

    def must_be(self, planned: str) -> None:
        """PermanentError unless this is the place of the plan; one without any is of an old build.

        To be asked right before a write: who reads first and writes then has two moments.
        """
        found = self.name()
        if planned and found != planned:
            raise another(f"the plan was made for {planned}", found)


def uid_as_pinned(api: Api) -> str:
    """UID of the cluster, asked now; PermanentError where the catalogue pins another one."""
    uid = api.uid()
    if api.pinned and uid != api.pinned:
        raise another(f"the catalogue names {api.pinned} for {api.name}", uid)
    return uid


def another(expected: str, found: str) -> PermanentError:
    """The refusal to write there."""
    return PermanentError(
        f"this is another cluster than the plan was made for: {expected}, this is {found}",
        effect="Nothing was written there by this step.",
        next_step="See `clusters` in the catalogue and the context in its kubeconfig, then"
        " retry-step; if the move is meant, abort and plan again.",
    )
