"""Where an abort or an undo of Argo Rollouts gets stuck or makes it worse, by their issue numbers.

Each first shows what its real controller (1.9.2) does alone, then what a step of ours does. Some
of the reports are mended there by now: those say so, and hold what must not come back.
"""

import shlex

import pytest

from activities.integrations.kubernetes import PodFeed, Reader, RolloutPods, RolloutTraffic
from demo.kubernetes.api import Object
from demo.kubernetes.argo_rollouts import ArgoRollouts
from demo.kubernetes.kubelet import Kubelet
from demo.kubernetes.pods import Crash, Never, Ready
from rollback_manager.errors import Blocked
from rollback_manager.platforms import RolloutTarget
from tests.kubernetes import roles
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import created, service, until
from tests.kubernetes.rollouts import PAUSE, Shop

pytestmark = pytest.mark.usefixtures("kubelet", "argo")
AGENT = "rollback-manager"


@pytest.fixture
def shop(cluster: Cluster, namespace: str, argo: ArgoRollouts) -> Shop:
    return Shop(cluster.api, namespace)


@pytest.fixture
def own(cluster: Cluster, namespace: str) -> Reader:
    target = RolloutTarget(kind="argo_rollout", cluster="test", namespace=namespace, name="shop")
    api = roles.api(cluster)
    return Reader(api, target, PodFeed(api, namespace))


def back(own: Reader) -> None:
    """As the step does it that puts v1 back."""
    RolloutPods(own, dict).scale("v1", 4, roles.mark(0))


def told(cluster: Cluster, namespace: str) -> int:
    """How often we wrote a status."""
    calls = cluster.ledger.writes(namespace)
    return sum(one.agent == AGENT and one.resource.endswith("rollouts/status") for one in calls)


@pytest.mark.parametrize(
    "bad", [Never(), Crash(after_s=0.3, restarts=1000)], ids=["never", "crash"]
)
def test_4128_an_update_that_crashes_is_left_alone_for_ever(
    shop: Shop, own: Reader, kubelet: Kubelet, bad: Never | Crash
) -> None:
    kubelet.behaviour["v2"] = bad
    shop.create(minReadySeconds=1, strategy={"canary": {"steps": [{"setWeight": 50}]}})
    shop.deploy("v2")
    until(shop.phase, lambda phase: phase == "Degraded")
    found = RolloutPods(own, dict).versions()["v2"]
    assert (found.running > 0, shop.status().get("abort")) == (True, None), "Argo waits"
    assert "Argo Rollouts: degraded" in found.note

    back(own)
    shop.healthy("v1")


def test_1152_an_abort_is_accepted_and_nothing_stops(
    cluster: Cluster, shop: Shop, own: Reader
) -> None:
    """As long as the spec is paused: that is somebody's hold, and ours says how to end it."""
    shop.create()
    shop.deploy("v2")
    shop.paused()
    shop.patch({"paused": True})
    shop.tell(abort=True)
    until(shop.phase, lambda phase: phase == "Degraded")
    assert shop.ready() == {"v1": 3, "v2": 1}, "Argo alone: users still get the bad one"
    with pytest.raises(Blocked) as refusal:
        back(own)
    for line in refusal.value.next_step.split(" && "):
        cluster.kubectl(*shlex.split(line)[3:])
    until(shop.ready, lambda ready: ready == {"v1": 4})
    back(own)
    shop.healthy("v1")


def test_2929_an_aborted_rollout_begins_again_by_itself(shop: Shop, own: Reader) -> None:
    """An edit of its steps, by whoever, is enough: the bad template still stands there."""
    shop.create()
    shop.deploy("v2")
    shop.paused()
    shop.tell(abort=True)
    until(shop.ready, lambda ready: ready == {"v1": 4})
    shop.patch({"strategy": {"canary": {"steps": [{"setWeight": 50}, PAUSE]}}})
    until(shop.ready, lambda ready: ready.get("v2") == 2)

    back(own)
    shop.healthy("v1")
    shop.patch({"strategy": {"canary": {"steps": [{"setWeight": 75}, PAUSE]}}})
    until(shop.phase, lambda phase: phase == "Healthy")
    assert shop.ready() == {"v1": 4}, "there is nothing to begin again"


def test_1292_nothing_is_aborted_where_nothing_is_in_flight(
    cluster: Cluster, shop: Shop, own: Reader
) -> None:
    shop.create()
    back(own)
    shop.healthy("v1")
    assert told(cluster, shop.namespace) == 0
    assert not shop.status().get("abort")


def test_3774_nothing_is_aborted_twice(cluster: Cluster, shop: Shop, own: Reader) -> None:
    shop.create()
    shop.deploy("v2")
    shop.paused()
    shop.tell(abort=True)
    until(shop.ready, lambda ready: ready == {"v1": 4})
    assert shop.phase() == "Degraded", "Argo alone: users are well, and the spec is still bad"
    back(own)
    shop.healthy("v1")
    assert told(cluster, shop.namespace) == 0


@pytest.mark.long
def test_1774_the_way_out_where_the_stable_version_is_bad(shop: Shop, own: Reader) -> None:
    shop.create()
    shop.deploy("v2")
    shop.paused()
    shop.tell(promoteFull=True)
    shop.healthy("v2")
    shop.deploy("v3")
    shop.paused()
    shop.tell(abort=True)
    until(shop.ready, lambda ready: ready == {"v2": 4})  # Argo alone: back on the bad one

    back(own)
    shop.healthy("v1")


@pytest.mark.long
def test_3669_analyses_do_not_send_the_way_back_forward_again(
    cluster: Cluster, shop: Shop, own: Reader
) -> None:
    """An analysis that fails whatever it measures, as one does while everything is on fire."""
    metric = {
        "name": "errors",
        "interval": "1s",
        "count": 5,
        "consecutiveErrorLimit": 0,
        "provider": {"prometheus": {"address": "http://127.0.0.1:1", "query": "up"}},
    }
    folder = shop.path.rpartition("/rollouts")[0]
    body: Object = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "errors"},
        "spec": {"metrics": [metric]},
    }
    cluster.api.post(f"{folder}/analysistemplates", body)
    analysis = {"analysis": {"templates": [{"templateName": "errors"}]}}
    shop.create(strategy={"canary": {"steps": [PAUSE, {"setWeight": 25}, analysis]}})
    shop.deploy("v2")
    shop.paused()
    shop.tell(promoteFull=True)
    shop.healthy("v2")
    shop.patch({"strategy": {"canary": {"steps": [{"setWeight": 25}, analysis]}}})
    shop.deploy("v1")
    until(shop.phase, lambda phase: phase == "Degraded")
    until(shop.ready, lambda ready: ready == {"v2": 4})  # Argo alone: sent back to the bad one

    back(own)
    shop.healthy("v1")


@pytest.mark.long
def test_3082_an_old_abort_does_not_stop_the_good_version(shop: Shop, own: Reader) -> None:
    """Aborted by a person who takes the good version for the bad one."""
    shop.create()
    shop.deploy("v2")
    shop.paused()
    shop.tell(promoteFull=True)
    shop.healthy("v2")
    shop.deploy("v1")
    shop.paused()
    shop.tell(abort=True)
    until(shop.ready, lambda ready: ready == {"v2": 4})
    assert RolloutPods(own, dict).versions()["v1"].current is False

    back(own)
    shop.healthy("v1")


INGRESS: Object = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "shop"},
    "spec": {
        "ingressClassName": "nginx",
        "rules": [
            {
                "host": "shop.test",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "stable", "port": {"number": 80}}},
                        }
                    ]
                },
            }
        ],
    },
}
"""Argo writes weights to a second one like it; no nginx is needed for that."""


def test_4898_no_more_traffic_than_the_stable_version_can_carry(
    cluster: Cluster, shop: Shop, own: Reader, kubelet: Kubelet
) -> None:
    """A stable version that was scaled down for its share, and a delay after an abort."""
    for name in ("stable", "canary"):
        created(cluster.api, shop.namespace, service(name, app="shop"))
    folder = f"/apis/networking.k8s.io/v1/namespaces/{shop.namespace}/ingresses"
    cluster.api.post(folder, INGRESS)
    canary = {
        "stableService": "stable",
        "canaryService": "canary",
        "trafficRouting": {"nginx": {"stableIngress": "shop"}},
        "dynamicStableScale": True,
        "abortScaleDownDelaySeconds": 3,
        "steps": [{"setWeight": 75}, PAUSE],
    }
    shop.create(strategy={"canary": canary})
    shop.deploy("v2")
    shop.paused()
    until(shop.ready, lambda ready: ready == {"v1": 1, "v2": 3})
    traffic = RolloutTraffic(own, None)
    assert until(traffic.split, lambda split: split == {"v1": 25, "v2": 75})

    kubelet.behaviour["v1"] = Ready(after_s=1.0)
    back(own)

    def carried() -> tuple[dict[str, int], int]:
        split, ready = traffic.split(), shop.ready()["v1"]
        assert split.get("v1", 0) <= 25 * ready, "its share is what it can carry"
        return split, ready

    until(carried, lambda seen: seen == ({"v1": 100}, 4))
    until(shop.phase, lambda phase: phase == "Healthy")
