"""A controller of Argo that forgets what was written while it wrote its own status.

Seen on the real one several times, not at will: here a stand-in does it each time.
"""

import copy
from collections.abc import Sequence
from typing import Any, cast

import pytest

from activities.integrations.kubernetes import Api, PodFeed, Reader, RolloutPods
from activities.integrations.kubernetes.rollout_pods import NUDGE
from rollback_manager.errors import TemporaryError
from rollback_manager.operation import Mark
from rollback_manager.platforms import RolloutTarget

Json = dict[str, Any]
TEMPLATE = {"metadata": {"labels": {"app.kubernetes.io/version": "v1"}}, "spec": {}}


class Forgetful:
    """A stand-in for the API with that controller behind it; v1 waits at a pause of its steps."""

    def __init__(self, wakes: bool) -> None:
        self.wakes = wakes
        self.nudges = 0
        self.rollout: Json = {
            "kind": "Rollout",
            "metadata": {
                "uid": "u",
                "name": "shop",
                "generation": 3,
                "resourceVersion": "1",
                "annotations": {"a": "b"},
            },
            "spec": {"replicas": 4, "selector": {"matchLabels": {}}, "template": TEMPLATE},
            "status": {
                "observedGeneration": "3",
                "stableRS": "other",
                "currentPodHash": "this",
                "pauseConditions": [{"reason": "CanaryPauseStep"}],
            },
        }

    def get(self, path: str) -> Json:
        return copy.deepcopy(self.rollout)

    def items(self, path: str, selector: str = "") -> list[Json]:
        return []

    def listed(self, path: str, selector: str = "", *, metadata: bool = False) -> Any:
        return [], "1"

    def patch(self, path: str, operations: Sequence[Json], *, dry_run: bool = False) -> Json:
        for one in operations:
            if one["path"] == "/status/promoteFull":
                self.rollout["status"]["promoteFull"] = one["value"]
            if one["path"] == NUDGE:
                self.nudges += 1
                if self.wakes:
                    self.rollout["status"].pop("pauseConditions", None)
        return self.rollout


def pods(api: Forgetful) -> RolloutPods:
    target = RolloutTarget(kind="argo_rollout", cluster="c", namespace="n", name="shop")
    own = cast(Api, api)  # as much of it as is asked here
    return RolloutPods(Reader(own, target, cast(PodFeed, NoPods())), dict)


class NoPods:
    """A stand-in for the watch of pods."""

    def all(self) -> list[Json]:
        return []

    def distrust(self) -> None:
        raise AssertionError("nothing is odd")


MARK = Mark(op_id="0" * 16, epoch=1, step=0)


def test_it_is_told_again_until_it_has_heard() -> None:
    api = Forgetful(wakes=True)
    pods(api).scale("v1", 4, MARK)
    assert api.nudges == 1
    assert api.rollout["status"]["promoteFull"]


def test_one_that_never_hears_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.integrations.kubernetes.rollout_pods.OBSERVED_S", 1.2)
    api = Forgetful(wakes=False)
    with pytest.raises(TemporaryError, match="has not taken up rollout/shop") as refusal:
        pods(api).scale("v1", 4, MARK)
    assert api.nudges == 2
    assert "kubectl -n argo-rollouts get pods" in refusal.value.next_step
