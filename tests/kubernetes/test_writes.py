"""Compare-and-set on the real API: what stands there is never overwritten unseen."""

import pytest

from activities.integrations.kubernetes import Api
from activities.integrations.kubernetes.writes import PAUSE_S, TRIES, compare_and_set
from rollback_manager.errors import NotFound, PermanentError, StaleWrite, TemporaryError
from rollback_manager.platforms import Cluster as Access
from tests.kubernetes import roles
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import created, deployment, path_of

Object = dict[str, object]
MERGE = "application/merge-patch+json"


def more(cluster: Cluster, path: str, by: int) -> None:
    """Somebody else, with a client that has another name."""
    before = cluster.api.get(path)["spec"]["replicas"]
    cluster.api.patch(path, {"spec": {"replicas": before + by}}, MERGE)


def one_more(seen: dict[str, dict[str, int]]) -> list[Object]:
    return [{"op": "replace", "path": "/spec/replicas", "value": seen["spec"]["replicas"] + 1}]


def test_a_write_in_between_is_seen_and_kept(cluster: Cluster, namespace: str) -> None:
    created(cluster.api, namespace, deployment("shop", "v1", 0))
    path, asked = path_of("deployments", namespace, "shop"), []

    def change(seen: dict[str, dict[str, int]]) -> list[Object]:
        asked.append(seen["spec"]["replicas"])
        if len(asked) == 1:
            more(cluster, path, 10)
        return one_more(seen)

    compare_and_set(roles.api(cluster), path, roles.mark(0), change)
    assert asked[0] == 0
    assert set(asked[1:]) == {10}, "asked anew, also after controllers that only wrote the status"
    assert cluster.api.get(path)["spec"]["replicas"] == 11


def test_a_look_that_is_out_of_date_overwrites_nothing(cluster: Cluster, namespace: str) -> None:
    created(cluster.api, namespace, deployment("shop", "v1", 0))
    path, api = path_of("deployments", namespace, "shop"), roles.api(cluster)
    known = api.get(path)
    more(cluster, path, 10)
    compare_and_set(api, path, roles.mark(1), one_more, known)
    assert cluster.api.get(path)["spec"]["replicas"] == 11
    with pytest.raises(StaleWrite):
        compare_and_set(api, path, roles.mark(0), one_more, known)
    assert cluster.api.get(path)["spec"]["replicas"] == 11


def test_what_another_attempt_has_written_is_not_written_again_by_a_late_one(
    cluster: Cluster, namespace: str
) -> None:
    created(cluster.api, namespace, deployment("shop", "v1", 0))
    path, api = path_of("deployments", namespace, "shop"), roles.api(cluster)
    known = api.get(path)
    compare_and_set(api, path, roles.mark(1), one_more, known)
    more(cluster, path, 10)  # an autoscaler, since then
    compare_and_set(api, path, roles.mark(1), one_more, known)
    assert cluster.api.get(path)["spec"]["replicas"] == 11


def test_who_writes_at_every_try_is_named(cluster: Cluster, namespace: str) -> None:
    created(cluster.api, namespace, deployment("shop", "v1", 0))
    path = path_of("deployments", namespace, "shop")

    def change(seen: dict[str, dict[str, int]]) -> list[Object]:
        more(cluster, path, 1)
        return one_more(seen)

    with pytest.raises(TemporaryError, match=rf"somebody wrote it at each of {TRIES} tries, last "):
        compare_and_set(roles.api(cluster), path, roles.mark(0), change)
    assert cluster.api.get(path)["spec"]["replicas"] == TRIES
    assert TRIES * PAUSE_S < 1.0


def test_what_is_not_there_is_not_made(cluster: Cluster, namespace: str) -> None:
    path = path_of("deployments", namespace, "shop")
    with pytest.raises(NotFound, match=r"answered 404 to GET .*/deployments/shop: "):
        compare_and_set(roles.api(cluster), path, roles.mark(0), one_more)


def test_who_has_no_right_is_told_which(cluster: Cluster, namespace: str) -> None:
    if cluster.own is None:
        pytest.skip("users without rights need a control plane of our own")
    created(cluster.api, namespace, deployment("shop", "v1", 0))
    access = Access(kubeconfig=str(cluster.own.kubeconfig("stranger")), context="local")
    api = Api("test", access)
    with pytest.raises(PermanentError) as refusal:
        api.get(path_of("deployments", namespace, "shop"))
    assert 'User "stranger" cannot get resource "deployments"' in refusal.value.what
    assert "doctor --kubernetes" in refusal.value.next_step


@pytest.mark.parametrize("context", ["prod", "no such one"])
def test_a_context_that_is_not_there_is_named(cluster: Cluster, context: str) -> None:
    api = Api("test", Access(kubeconfig=str(cluster.kubeconfig), context=context))
    with pytest.raises(PermanentError, match=rf"no way to cluster test by context {context} of "):
        api.get("/version")
