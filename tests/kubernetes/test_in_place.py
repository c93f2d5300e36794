"""One controller that replaces its pods, on the real API."""

import json
import shlex
from collections.abc import Callable

import pytest

from activities.targets import VersionState
from demo.kubernetes.kubelet import Kubelet
from demo.kubernetes.pods import Never
from rollback_manager.errors import Blocked, NotFound, StaleWrite
from rollback_manager.frozen import Frozen, Workload
from rollback_manager.moves import Moves
from rollback_manager.platforms import Controller
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import (
    created,
    daemon_set,
    deployment,
    path_of,
    pod_template,
    rolled_out,
    service,
    stateful_set,
    until,
)
from tests.kubernetes.roles import InPlace, SetCounters, mark, reader, service_traffic

Object = dict[str, object]
MERGE = "application/merge-patch+json"


@pytest.fixture
def shop(cluster: Cluster, namespace: str, kubelet: Kubelet) -> str:
    """v1 rolled out, then v2."""
    created(cluster.api, namespace, deployment("shop", "v1", 4))
    created(cluster.api, namespace, service("shop"))
    path = path_of("deployments", namespace, "shop")
    until(lambda: cluster.api.get(path), rolled_out)
    deploy(cluster, path, "v2")
    until(lambda: cluster.api.get(path), rolled_out)
    return namespace


def deploy(cluster: Cluster, path: str, version: str) -> None:
    """As a deployer does it: the whole template."""
    cluster.api.patch(path, {"spec": {"template": pod_template("shop", version)}}, MERGE)


def test_the_template_of_the_old_version_is_put_back(cluster: Cluster, shop: str) -> None:
    own = reader(cluster, shop, "shop")
    workloads, traffic = InPlace(own, dict), service_traffic(own, SetCounters())
    found = workloads.versions()
    assert {v: (s.ready, s.current) for v, s in found.items()} == {
        "v1": (0, False),
        "v2": (4, True),
    }
    assert (traffic.shares().shares, traffic.shares().moves) == ({"v2": 100}, Moves.CONTROLLER)

    workloads.scale("v1", 4, mark(0))
    until(traffic.shares, lambda seen: seen.shares == {"v1": 100} and seen.mark == mark(0))
    after = workloads.versions()
    assert (after["v1"].current, after["v1"].digest) == (True, found["v1"].digest)
    assert after["v2"].digest == found["v2"].digest, "the way forward stays open"
    workloads.scale("v1", 0, mark(1))
    path = path_of("deployments", shop, "shop")
    assert cluster.api.get(path)["spec"]["replicas"] == 4, "the count is never lowered"
    with pytest.raises(StaleWrite):
        workloads.scale("v2", 4, mark(0))


def test_a_write_and_the_look_after_it_read_no_controller(cluster: Cluster, shop: str) -> None:
    own = reader(cluster, shop, "shop")
    workloads, ledger = InPlace(own, dict), cluster.ledger
    assert not workloads.versions()["v1"].current
    before = len(ledger)
    workloads.scale("v1", 4, mark(0))
    assert workloads.versions()["v1"].current
    calls = [one for one in ledger.calls(shop, since=before) if one.agent == "rollback-manager"]
    verbs = [one.verb for one in calls if one.resource == "apps/deployments"]
    assert verbs in (["patch"], ["patch", "get", "patch"]), "twice where its status changed"


def test_a_history_that_was_pruned_is_no_obstacle(cluster: Cluster, shop: str) -> None:
    own, path = reader(cluster, shop, "shop"), path_of("deployments", shop, "shop")
    kept = own.now().revisions["shop"][1]
    assert kept.version == "v1"
    cluster.api.patch(path, {"spec": {"revisionHistoryLimit": 0}}, MERGE)
    sets = path_of("replicasets", shop)
    until(lambda: cluster.api.get(sets)["items"], lambda items: len(items) == 1)
    own.forget()
    with pytest.raises(NotFound, match=r"shop has no revision of v1 any more; it has: v2"):
        InPlace(own, dict).scale("v1", 4, mark(0))
    template = Workload(name="shop", template=json.dumps(kept.template), replicas=4)
    frozen = Frozen(version="v1", workloads=(template,))
    workloads = InPlace(own, lambda: {"v1": frozen})
    assert workloads.versions()["v1"].digest == kept.digest
    workloads.scale("v1", 4, mark(0))
    until(lambda: workloads.versions()["v1"].ready, lambda ready: ready == 4)


def test_one_that_is_paused_says_what_to_type(cluster: Cluster, shop: str) -> None:
    cluster.kubectl("-n", shop, "rollout", "pause", "deployment/shop")
    with pytest.raises(Blocked) as refusal:
        InPlace(reader(cluster, shop, "shop"), dict).scale("v1", 4, mark(0))
    cluster.kubectl(*shlex.split(refusal.value.next_step)[3:])
    InPlace(reader(cluster, shop, "shop"), dict).scale("v1", 4, mark(1))


def test_a_bad_version_that_never_gets_ready_is_superseded(
    cluster: Cluster, shop: str, kubelet: Kubelet
) -> None:
    kubelet.behaviour["v3"] = Never()
    path = path_of("deployments", shop, "shop")
    deploy(cluster, path, "v3")
    own = reader(cluster, shop, "shop")
    workloads, traffic = InPlace(own, dict), service_traffic(own, SetCounters())
    until(lambda: workloads.versions().get("v3"), lambda state: state and state.running > 0)
    assert traffic.shares().shares == {"v2": 100}, "what is not ready gets no traffic"
    workloads.scale("v2", 4, mark(0))
    until(lambda: cluster.api.get(path), rolled_out)
    assert workloads.versions()["v2"].ready == 4


def test_undo_by_hand_leads_to_the_same_template(cluster: Cluster, shop: str) -> None:
    own = reader(cluster, shop, "shop")
    workloads = InPlace(own, dict)
    wanted = workloads.versions()["v1"].digest
    for line in workloads.by_hand("v1", 4):
        cluster.kubectl(*shlex.split(line)[3:])
    own.forget()
    state = workloads.versions()["v1"]
    assert (state.current, state.digest) == (True, wanted)


def _is_whole(state: VersionState | None) -> bool:
    return state is not None and state.ready == state.maximum > 0


@pytest.mark.parametrize(
    ("controller", "kind", "build"),
    [
        (Controller.STATEFUL_SET, "statefulsets", lambda: stateful_set("shop", "v1", 3)),
        (Controller.DAEMON_SET, "daemonsets", lambda: daemon_set("shop", "v1")),
    ],
)
def test_sets_go_back_by_their_controller_revisions(
    cluster: Cluster,
    namespace: str,
    kubelet: Kubelet,
    controller: Controller,
    kind: str,
    build: Callable[[], Object],
) -> None:
    created(cluster.api, namespace, build())
    created(cluster.api, namespace, service("shop"))
    own = reader(cluster, namespace, "shop", controller=controller)
    workloads, traffic = InPlace(own, dict), service_traffic(own, SetCounters())

    def all_on(version: str) -> VersionState:
        return until(lambda: workloads.versions().get(version), _is_whole) or pytest.fail(version)

    first = all_on("v1")
    label = {"metadata": {"labels": {"app.kubernetes.io/version": "v2"}}}
    image = {"spec": {"containers": [{"name": "main", "image": "registry.test/shop:v2"}]}}
    body = {"spec": {"template": label | image}}
    cluster.api.patch(path_of(kind, namespace, "shop"), body)
    all_on("v2")
    workloads.scale("v1", first.maximum, mark(0))
    back = all_on("v1")
    assert back.digest == first.digest
    assert until(traffic.shares, lambda seen: seen.shares == {"v1": 100}).mark == mark(0)
