"""Rollouts of Argo with their real controller: abort, undo, promote in full, and whole rollbacks.

Each first says what Argo does alone.
"""

from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.integrations.kubernetes import (
    PodFeed,
    Reader,
    RolloutAnalyses,
    RolloutPods,
    RolloutTraffic,
)
from demo.kubernetes.argo_rollouts import ArgoRollouts
from rollback_manager.errors import Blocked, StaleWrite
from rollback_manager.moves import Moves
from rollback_manager.platforms import RolloutTarget
from rollback_manager.progress import EndState
from rollback_manager.release import Standing
from tests.kubernetes import rig, roles
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import created, service, until
from tests.kubernetes.rollouts import PAUSE, Shop, active

pytestmark = pytest.mark.usefixtures("kubelet", "argo")
BLUE_GREEN = {
    "blueGreen": {
        "activeService": "shop",
        "previewService": "preview",
        "autoPromotionEnabled": False,
    }
}


@pytest.fixture
def shop(cluster: Cluster, namespace: str, argo: ArgoRollouts) -> Shop:
    return Shop(cluster.api, namespace)


def reader(cluster: Cluster, namespace: str) -> Reader:
    target = RolloutTarget(kind="argo_rollout", cluster="test", namespace=namespace, name="shop")
    api = roles.api(cluster)
    return Reader(api, target, PodFeed(api, namespace))


@pytest.fixture
def own(cluster: Cluster, namespace: str) -> Reader:
    return reader(cluster, namespace)


def back(own: Reader) -> None:
    """As the step does it that puts v1 back."""
    RolloutPods(own, dict).scale("v1", 4, roles.mark(0))


def test_a_canary_at_its_pause_is_aborted_and_its_template_taken_back(
    shop: Shop, own: Reader
) -> None:
    shop.create()
    shop.deploy("v2")
    shop.paused()
    pods, traffic = RolloutPods(own, dict), RolloutTraffic(own, None)
    seen = pods.versions()
    assert {v: (s.ready, s.current) for v, s in seen.items()} == {
        "v1": (3, False),
        "v2": (1, False),
    }
    assert seen["v2"].note == "Argo Rollouts: paused, CanaryPauseStep"
    shares = traffic.shares()
    assert (shares.shares, shares.moves) == ({"v1": 75, "v2": 25}, Moves.ROLLOUT)

    back(own)
    shop.healthy("v1")
    after = until(pods.versions, lambda found: found["v1"].current)
    assert (after["v1"].digest, after["v1"].note) == (seen["v1"].digest, "")
    assert traffic.shares().mark == roles.mark(0)
    assert not shop.status().get("abort"), "nothing is left that retry would run again"
    with pytest.raises(StaleWrite):
        RolloutPods(own, dict).scale("v2", 4, roles.mark(0, epoch=6))


@pytest.mark.long
def test_an_undo_alone_walks_its_steps_and_ours_is_promoted_in_full(
    shop: Shop, own: Reader
) -> None:
    shop.create()
    shop.deploy("v2")
    shop.paused()
    shop.tell(promoteFull=True)
    shop.healthy("v2")
    shop.deploy("v1")
    shop.paused()
    assert shop.ready() == {"v1": 1, "v2": 3}, "Argo alone: the way back waits at 25 %"

    back(own)
    shop.healthy("v1")
    assert shop.status()["stableRS"] == shop.status()["currentPodHash"]


def test_blue_green_returns_at_once_and_keeps_the_other_warm(
    cluster: Cluster, shop: Shop, own: Reader
) -> None:
    for name in ("shop", "preview"):
        created(cluster.api, shop.namespace, service(name, app="shop"))
    shop.create(strategy=BLUE_GREEN)
    shop.deploy("v2")
    shop.paused()
    traffic, good = RolloutTraffic(own, None), shop.status()["stableRS"]
    assert traffic.shares().shares == {"v1": 100}, "the preview has no users"
    shop.tell(promoteFull=True)
    until(traffic.split, lambda split: split == {"v2": 100})

    back(own)
    until(traffic.split, lambda split: split == {"v1": 100})
    assert active(cluster.api, shop.namespace) == good
    assert shop.ready()["v2"] == 4, "for its scale-down delay of 30 s"


@pytest.mark.long
def test_blue_green_is_aborted_before_users_came(cluster: Cluster, shop: Shop, own: Reader) -> None:
    for name in ("shop", "preview"):
        created(cluster.api, shop.namespace, service(name, app="shop"))
    shop.create(strategy=BLUE_GREEN)
    shop.deploy("v2")
    shop.paused()
    back(own)
    until(shop.phase, lambda phase: phase == "Healthy")
    assert RolloutTraffic(own, None).split() == {"v1": 100}


def test_one_that_its_spec_pauses_is_not_touched(cluster: Cluster, shop: Shop, own: Reader) -> None:
    shop.create()
    shop.deploy("v2")
    shop.paused()
    shop.patch({"paused": True})
    before = shop.seen()["spec"]
    with pytest.raises(Blocked, match="is paused by its spec") as refusal:
        back(own)
    assert (shop.seen()["spec"], shop.status().get("abort")) == (before, None)
    assert "patch rollout/shop" in refusal.value.next_step


def test_a_template_in_a_deployment_is_refused(shop: Shop, own: Reader) -> None:
    shop.create()
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "till"}
    shop.patch({"workloadRef": reference, "template": None, "selector": None})
    with pytest.raises(Blocked, match=r"takes its pods from Deployment till"):
        RolloutPods(own, dict).versions()


def test_what_was_measured_there_is_evidence(cluster: Cluster, shop: Shop, own: Reader) -> None:
    """A Prometheus that nobody has: the analysis errs, and the canary is aborted by Argo."""
    metric = {
        "name": "success-rate",
        "interval": "1s",
        "count": 5,
        "consecutiveErrorLimit": 0,
        "provider": {"prometheus": {"address": "http://127.0.0.1:1", "query": "up"}},
    }
    template = {"kind": "AnalysisTemplate", "metadata": {"name": "rate"}}
    folder = shop.path.rpartition("/rollouts")[0]
    body = {"apiVersion": "argoproj.io/v1alpha1", **template, "spec": {"metrics": [metric]}}
    cluster.api.post(f"{folder}/analysistemplates", body)
    analysis = {"analysis": {"templates": [{"templateName": "rate"}]}}
    shop.create(strategy={"canary": {"steps": [{"setWeight": 25}, analysis, PAUSE]}})
    shop.deploy("v2")
    until(shop.phase, lambda phase: phase == "Degraded")
    said, run = RolloutAnalyses(own).told("v2")
    assert said.startswith("Argo Rollouts: aborted")
    assert run.startswith("AnalysisRun shop-")
    assert "metric success-rate: of 0 measurements 1 could not be made" in run
    assert RolloutAnalyses(own).told("v1") == ()


async def _goes_back(
    shop: Shop, cluster: Cluster, client: Client, folder: Path, strategy: str, *, promoted: bool
) -> Any:
    async with rig.rig(
        client, cluster, shop.namespace, folder, strategy=strategy, rollout="shop"
    ) as own:
        own.record("v1", Standing.VERIFIED)
        shop.deploy("v2")
        shop.paused()
        if promoted:
            shop.tell(promoteFull=True)
            until(own.target.traffic.split, lambda split: split == {"v2": 100})
        started = await own.start()
        outcome = await started.result()
        assert outcome.services, outcome
        (one,) = outcome.services
        assert one.end is EndState.ROLLED_BACK, one
        assert one.verified, one
        assert one.found is not None
        assert one.found.shares == {"v1": 100}
        assert own.records.releases("test", own.service)[0].standing is Standing.BAD
        return outcome


@pytest.mark.parametrize("promoted", [False, True], ids=["at its pause", "after promotion"])
async def test_a_whole_rollback_of_a_canary(
    cluster: Cluster, shop: Shop, client: Client, tmp_path: Path, promoted: bool
) -> None:
    shop.create()
    await _goes_back(shop, cluster, client, tmp_path, "canary", promoted=promoted)
    shop.healthy("v1")


@pytest.mark.long
async def test_a_whole_rollback_of_blue_green(
    cluster: Cluster, shop: Shop, client: Client, tmp_path: Path
) -> None:
    for name in ("shop", "preview"):
        created(cluster.api, shop.namespace, service(name, app="shop"))
    shop.create(strategy=BLUE_GREEN)
    await _goes_back(shop, cluster, client, tmp_path, "blue_green", promoted=True)
