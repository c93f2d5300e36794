"""Two Deployments behind one Service or HTTPRoute, on the real API."""

import shlex
import threading
import time

import pytest

from demo.kubernetes import crds
from rollback_manager.errors import Blocked, NotFound, StaleWrite
from rollback_manager.moves import Moves
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import (
    created,
    deployment,
    http_route,
    path_of,
    rolled_out,
    service,
    until,
)
from tests.kubernetes.roles import (
    SetCounters,
    SideBySide,
    mark,
    reader,
    route_traffic,
    service_traffic,
)

pytestmark = pytest.mark.usefixtures("kubelet")
MARK = "rollback-manager.io/mark"


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> str:
    """Blue has v1 and no pods, green has v2 and all the traffic."""
    created(cluster.api, namespace, deployment("shop-blue", "v1", 0, app="shop"))
    created(cluster.api, namespace, deployment("shop-green", "v2", 3, app="shop"))
    created(cluster.api, namespace, service("shop", "v2"))
    green = path_of("deployments", namespace, "shop-green")
    until(lambda: cluster.api.get(green), rolled_out)
    return namespace


def test_the_old_version_is_scaled_and_the_selector_switched(cluster: Cluster, shop: str) -> None:
    own = reader(cluster, shop, "shop-blue", "shop-green")
    workloads, traffic = SideBySide(own), service_traffic(own, SetCounters())
    before = traffic.shares()
    assert (before.shares, before.moves, before.mark) == ({"v2": 100}, Moves.SWITCH, None)
    assert {v: state.ready for v, state in workloads.versions().items()} == {"v1": 0, "v2": 3}

    workloads.scale("v1", 3, mark(0))
    until(lambda: workloads.versions()["v1"].ready, lambda ready: ready == 3)
    assert traffic.snapshot().versions["v1"].serving == 3, "they would get requests once switched"
    traffic.set_shares({"v1": 100}, mark(1), before.token)

    after = until(traffic.shares, lambda seen: seen.acknowledged)
    assert (after.shares, after.mark) == ({"v1": 100}, mark(1))
    assert {one.version for one in workloads.instances() if one.ready} == {"v1", "v2"}
    if cluster.own is not None:
        written = [call for call in cluster.ledger.writes(shop) if call.agent == "rollback-manager"]
        assert [call.resource for call in written] == ["apps/deployments", "services"]


def test_what_is_older_changes_nothing(cluster: Cluster, shop: str) -> None:
    own = reader(cluster, shop, "shop-blue", "shop-green")
    workloads, traffic = SideBySide(own), service_traffic(own, SetCounters())
    workloads.scale("v1", 2, mark(1))
    workloads.scale("v1", 2, mark(1))  # the same step again is allowed
    for late in (mark(0), mark(9, epoch=6)):
        with pytest.raises(StaleWrite, match=r"carries epoch 7, step 1; this write is of epoch"):
            workloads.scale("v1", 0, late)
    traffic.set_shares({"v1": 100}, mark(2))
    with pytest.raises(StaleWrite):
        traffic.set_shares({"v2": 100}, mark(1))
    assert traffic.shares().shares == {"v1": 100}


def test_whoever_wrote_since_the_look_is_named(cluster: Cluster, shop: str) -> None:
    own = reader(cluster, shop, "shop-blue", "shop-green")
    traffic = service_traffic(own, SetCounters())
    seen = traffic.shares().token
    patch = '{"spec": {"sessionAffinity": "ClientIP"}}'
    time.sleep(1.1)  # Kubernetes keeps whole seconds of who wrote what
    cluster.kubectl("-n", shop, "patch", "service/shop", "-p", patch)
    with pytest.raises(StaleWrite, match=r"changed since .*, by kubectl-patch at "):
        traffic.set_shares({"v1": 100}, mark(0), seen)


def test_what_another_attempt_of_the_same_step_wrote_is_ours(cluster: Cluster, shop: str) -> None:
    own = reader(cluster, shop, "shop-blue", "shop-green")
    traffic = service_traffic(own, SetCounters())
    seen = traffic.shares().token
    service_traffic(own, SetCounters()).set_shares({"v1": 100}, mark(0), seen)
    traffic.set_shares({"v1": 100}, mark(0), seen)
    with pytest.raises(StaleWrite, match=r"changed since "):
        traffic.set_shares({"v2": 100}, mark(1), seen)


def test_a_label_that_somebody_sets_is_no_move_of_traffic(cluster: Cluster, shop: str) -> None:
    own = reader(cluster, shop, "shop-blue", "shop-green")
    traffic = service_traffic(own, SetCounters())
    seen = traffic.shares().token
    cluster.kubectl("-n", shop, "label", "service/shop", "touched=yes")
    traffic.set_shares({"v1": 100}, mark(0), seen)


def test_a_busy_writer_of_the_same_object_does_not_stop_it(cluster: Cluster, shop: str) -> None:
    path, over = path_of("deployments", shop, "shop-blue"), threading.Event()

    def write() -> None:
        for number in range(200):
            if over.wait(0.05):
                return
            label = {"metadata": {"labels": {"turn": str(number)}}}
            cluster.api.patch(path, label, "application/merge-patch+json")

    storm = threading.Thread(target=write)
    storm.start()
    try:
        workloads = SideBySide(reader(cluster, shop, "shop-blue", "shop-green"))
        for step in range(20):
            workloads.scale("v1", step % 4, mark(step))
    finally:
        over.set()
        storm.join()
    assert cluster.api.get(path)["spec"]["replicas"] == 19 % 4


def test_a_version_that_was_replaced_meanwhile_is_refused(cluster: Cluster, shop: str) -> None:
    own = reader(cluster, shop, "shop-blue", "shop-green")
    workloads = SideBySide(own)
    assert "v1" in workloads.versions()
    cluster.api.delete(path_of("deployments", shop, "shop-blue"))
    created(cluster.api, shop, deployment("shop-blue", "v3", 0, app="shop"))
    with pytest.raises(Blocked, match=r"shop-blue has v3 by now, not v1: written by "):
        workloads.scale("v1", 3, mark(0))
    own.forget()  # from here on it is seen
    with pytest.raises(NotFound, match=r"no Deployment of .* has version v1; they have: v2, v3"):
        workloads.scale("v1", 3, mark(1))


def test_a_person_can_do_the_same_by_hand(cluster: Cluster, shop: str) -> None:
    own = reader(cluster, shop, "shop-blue", "shop-green")
    workloads, traffic = SideBySide(own), service_traffic(own, SetCounters())
    for line in (*workloads.by_hand("v1", 1), *traffic.by_hand({"v1": 100})):
        program, context, name, *words = shlex.split(line)
        assert (program, context, name) == ("kubectl", "--context", "local")
        cluster.kubectl(*words)
    until(traffic.split, lambda split: split == {"v1": 100})
    assert cluster.api.get(path_of("deployments", shop, "shop-blue"))["spec"]["replicas"] == 1


def test_the_weights_of_a_route_are_set_in_all_its_rules(cluster: Cluster, shop: str) -> None:
    crds.install(cluster.api, crds.GATEWAY_API)
    for version in ("v1", "v2"):
        body = service(f"shop-{version}", version, app="shop")
        created(cluster.api, shop, body)
    body = http_route("shop", {"shop-v1": 0, "shop-v2": 100})
    body["spec"]["rules"].insert(0, {"backendRefs": [{"name": "elsewhere", "port": 80}]})
    body["spec"]["rules"].append(body["spec"]["rules"][1])
    created(cluster.api, shop, body)
    own = reader(cluster, shop, "shop-blue", "shop-green")
    traffic = route_traffic(own, SetCounters())
    before = traffic.shares()
    assert (before.shares, before.moves) == ({"v2": 100}, Moves.SHARES)
    assert not before.acknowledged, "no gateway has said that it took the route up"

    traffic.set_shares({"v1": 33, "v2": 67}, mark(0), before.token)
    assert traffic.shares().shares == {"v1": 33, "v2": 67}
    rules = cluster.api.get(path_of("httproutes", shop, "shop"))["spec"]["rules"]
    weights = [[ref["weight"] for ref in rule["backendRefs"]] for rule in rules]
    assert weights == [[1], [33, 67], [33, 67]]
    with pytest.raises(Blocked, match=r"rule 1 of HTTPRoute shop has no backendRef for v9"):
        traffic.set_shares({"v9": 100}, mark(1))


def test_rules_that_disagree_are_no_split(cluster: Cluster, shop: str) -> None:
    crds.install(cluster.api, crds.GATEWAY_API)
    for version in ("v1", "v2"):
        created(cluster.api, shop, service(f"shop-{version}", version, app="shop"))
    body = http_route("shop", {"shop-v1": 0, "shop-v2": 100})
    more = http_route("shop", {"shop-v1": 50, "shop-v2": 50})
    body["spec"]["rules"] += more["spec"]["rules"]
    created(cluster.api, shop, body)
    traffic = route_traffic(reader(cluster, shop, "shop-blue", "shop-green"), SetCounters())
    with pytest.raises(Blocked, match="has rules that are split differently"):
        traffic.shares()


def test_what_nobody_counts_is_never_drained(cluster: Cluster, shop: str) -> None:
    own, counters = reader(cluster, shop, "shop-blue", "shop-green"), SetCounters()
    traffic = service_traffic(own, counters)
    counters.because = "stale"
    blind = traffic.snapshot()
    assert blind.blind == "stale"
    assert blind.versions["v2"].in_flight == 1
    counters.because = ""
    for requests, in_flight in ((100, 1), (150, 50), (150, 0)):
        counters.requests = {"v2": requests}
        snapshot = traffic.snapshot()
        assert snapshot.versions["v2"].in_flight == in_flight
        assert snapshot.settles == (in_flight == 1), "the first reading cannot tell"
