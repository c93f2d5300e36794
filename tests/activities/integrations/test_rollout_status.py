"""What a Rollout says of itself, and what is written because of it."""

from typing import Any

import pytest

from activities.integrations.kubernetes import rollout_status
from activities.integrations.kubernetes.objects import digest, revision
from activities.integrations.kubernetes.rollout_analyses import words
from rollback_manager.errors import Blocked

ABORT = [{"op": "add", "path": "/status/abort", "value": True}]
LIFTED = [{"op": "add", "path": "/status/abort", "value": False}]
FULL = [{"op": "add", "path": "/status/promoteFull", "value": True}]


def rollout(**status: Any) -> dict[str, Any]:
    told = {"observedGeneration": "3", "stableRS": "good", "currentPodHash": "bad", **status}
    return {
        "kind": "Rollout",
        "metadata": {"name": "shop", "generation": 3},
        "spec": {"template": {}},
        "status": told,
    }


@pytest.mark.parametrize(
    ("status", "abort", "promotion"),
    [
        ({}, ABORT, FULL),
        ({"abort": True}, [], LIFTED + FULL),
        ({"promoteFull": True}, ABORT, []),
        ({"promoteFull": True, "pauseConditions": [{"reason": "x"}]}, ABORT, FULL),
        ({"promoteFull": True, "abort": True}, [], LIFTED + FULL),
        ({"currentPodHash": "good"}, [], []),
        ({"stableRS": ""}, [], FULL),
    ],
    ids=[
        "at its pause",
        "aborted",
        "promoted",
        "not taken up",
        "promoted, aborted",
        "through",
        "the first one",
    ],
)
def test_the_status_is_patched_only_where_it_changes_something(
    status: dict[str, Any], abort: list[Any], promotion: list[Any]
) -> None:
    seen = rollout(**status)
    assert rollout_status.abort(seen) == abort
    assert rollout_status.promotion(seen) == promotion


def test_a_status_about_an_older_spec_says_nothing() -> None:
    seen = rollout(observedGeneration="2", currentPodHash="good")
    assert not rollout_status.comes_up(seen)
    assert rollout_status.abort(seen) == []
    assert "has not taken the spec up" in rollout_status.told(seen)


def test_a_version_has_one_digest_whether_it_is_in_the_spec_or_not() -> None:
    kept = {"metadata": {}, "spec": {"restartPolicy": "Always"}}
    seen = rollout_status.as_kept(rollout(), {"bad": kept})
    assert seen["spec"]["template"] == kept
    stale = rollout(observedGeneration="2")
    assert rollout_status.as_kept(stale, {"bad": kept}) == stale


def test_a_template_in_another_object_is_refused_by_name() -> None:
    seen = rollout()
    del seen["spec"]["template"]
    seen["spec"]["workloadRef"] = {"kind": "Deployment", "name": "till"}
    with pytest.raises(Blocked, match=r"takes its pods from Deployment till \(spec.workloadRef\)"):
        rollout_status.must_have_template(seen)


def test_what_an_update_says_of_itself() -> None:
    assert rollout_status.told(rollout(phase="Healthy")) == ""
    assert rollout_status.told(rollout(phase="Paused", message="CanaryPauseStep")) == (
        "Argo Rollouts: paused, CanaryPauseStep"
    )
    assert rollout_status.told(rollout(phase="Degraded", abort=True)) == "Argo Rollouts: aborted"


def test_weights_are_told_by_the_hash_that_they_go_to() -> None:
    parts = {
        "stable": {"weight": 70, "podTemplateHash": "good"},
        "canary": {"weight": 20, "podTemplateHash": "bad"},
        "additional": [{"weight": 10, "podTemplateHash": "bad"}],
    }
    seen = rollout(canary={"weights": parts})
    assert rollout_status.weights(seen) == {"good": 70, "bad": 30}
    assert rollout_status.weights(rollout()) == {}


def test_labels_that_pass_are_no_part_of_a_version() -> None:
    def kept(labels: dict[str, str], **annotations: str) -> Any:
        return {
            "metadata": {"uid": "u", "name": "n", "annotations": annotations},
            "spec": {
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"image": "shop:v1"}]},
                }
            },
        }

    plain = revision(kept({"app": "shop"}), "none")
    passing = kept(
        {"app": "shop", "role": "canary", "rollouts-pod-template-hash": "5"},
        **{
            "rollout.argoproj.io/ephemeral-metadata": '{"labels":{"role":"canary"}}',
            "rollout.argoproj.io/revision": "4",
        },
    )
    seen = revision(passing, "none")
    assert (seen.digest, seen.number) == (plain.digest, 4)
    assert digest(plain.template) == plain.digest


def run(phase: str, *metrics: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {
        "kind": "AnalysisRun",
        "metadata": {"name": "shop-2"},
        "spec": {"metrics": []},
        "status": {"phase": phase, "metricResults": list(metrics), **status},
    }


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (
            run(
                "Failed",
                {"name": "success-rate", "phase": "Failed", "count": 5, "failed": 3},
                {"name": "latency", "phase": "Successful", "count": 5, "successful": 5},
            ),
            "AnalysisRun shop-2: failed: metric success-rate: of 5 measurements 3 failed",
        ),
        (
            run("Error", {"name": "rate", "phase": "Error", "count": 0, "error": 5}),
            "AnalysisRun shop-2: error: metric rate: of 0 measurements 5 could not be made",
        ),
        (
            run("Inconclusive", {"name": "r", "phase": "Inconclusive", "count": 1}),
            "AnalysisRun shop-2: inconclusive: metric r: of 1 measurements none counts",
        ),
        (
            run("Successful", message="Run Terminated"),
            "AnalysisRun shop-2: successful there, but stopped before any measurement: counted as"
            " a success there, no evidence here",
        ),
        (
            run("Successful", {"name": "r", "phase": "Successful", "count": 2, "successful": 2}),
            "AnalysisRun shop-2: successful",
        ),
        (run("Error", message="no such metric"), "AnalysisRun shop-2: error: no such metric"),
        ({"metadata": {"name": "e"}, "spec": {"templates": []}}, "Experiment e: pending"),
    ],
)
def test_what_an_analysis_measured(seen: dict[str, Any], said: str) -> None:
    assert words(seen) == said
