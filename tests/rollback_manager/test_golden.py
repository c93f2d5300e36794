"""What older builds wrote into histories must still be read, field by field.

`tests/golden/<module>.<Model>.json` is one such value. The files are added to, never edited: a
model that cannot read its file any more cannot replay the histories of those who use it.
"""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from rollback_manager import (
    claim,
    contract,
    gates,
    glass,
    operation,
    owners,
    plan,
    policy,
    progress,
    release,
    stays,
    tier,
)
from rollback_manager import verification as verification_module
from rollback_manager.authority import keys, quorum
from rollback_manager.decision import calibration, caps, engine, factors, facts, ledger
from rollback_manager.decision import model as model_module
from rollback_manager.fleet import budget, tree
from rollback_manager.incidents import (
    alarms,
    analysis,
    deviation,
    incident,
    incident_status,
    indicators,
    triggers,
)
from rollback_manager.metrics import reading
from rollback_manager.telling import card, notices
from rollback_manager.values import Value
from rollback_manager.watch import evidence_trace, watching

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(GOLDEN.glob("*.json"))}
WHOLE_MODULES = (
    *(budget, claim, contract, plan, progress),
    *(gates, operation, policy, reading, release, tree, verification_module),
    *(alarms, analysis, deviation, evidence_trace, incident, incident_status, indicators),
    *(tier, triggers, watching),
    *(glass, keys, owners, quorum, stays),
    *(card, notices),
    *(calibration, caps, engine, facts, factors, ledger, model_module),
)
NOT_IN_HISTORY = {
    "gates.BeforeFacts",
    "gates.DuringFacts",
    "gates.CompletionFacts",
    "metrics.reading.Counts",  # in heartbeats only: lost with the attempt
    "metrics.reading.Snapshot",
    "release.Target",
    "authority.quorum.Authority",  # parts of a plan, on their way into it
    "authority.quorum.QuorumFacts",
    "incidents.incident_status.SeenIncident",  # what a caller finds
    "watch.watching.SeenWatch",
    "incidents.triggers.Trigger",  # a row of the table, made anew from the policy
    "decision.calibration.Calibrated",
    "decision.model.Foretold",
    "decision.ledger.Ruling",  # answers to a question, told and forgotten
    "decision.ledger.Overturned",
    "decision.ledger.Quality",
}
INPUTS_OF_ACTIVITIES = {
    "activities.step.Step",
    "activities.judgement.Conclusion",
    "activities.judgement.TreeConclusion",
    "activities.notifications.Receipt",
    "activities.notifications.Telling",
    "activities.records.Opening",
    "activities.records.Claimed",
    "activities.records.Closing",
    "activities.records.Question",
    "activities.records.Observed",
    "activities.incidents.AlarmsOf",
    "activities.incidents.Judged",
}

each_file = pytest.mark.parametrize("name", FILES)


def model(name: str) -> type[Value]:
    path, _, cls = name.rpartition(".")
    ours = path if path.startswith("activities.") else f"rollback_manager.{path}"
    module = import_module(ours)
    found: type[Value] = getattr(module, cls)
    return found


def in_history() -> set[str]:
    names = {
        f"{module.__name__.removeprefix('rollback_manager.')}.{name}"
        for module in WHOLE_MODULES
        for name, found in vars(module).items()
        if isinstance(found, type)
        and issubclass(found, Value)
        and found.__module__ == module.__name__
    }
    return (names - NOT_IN_HISTORY) | INPUTS_OF_ACTIVITIES


def with_unknown_fields(node: Any, free_keys: bool = False) -> Any:
    """The same, with a field of a newer build in every model."""
    if isinstance(node, list):
        return [with_unknown_fields(one) for one in node]
    if not isinstance(node, dict):
        return node
    more = {key: with_unknown_fields(value, key in FREE) for key, value in node.items()}
    return more if free_keys else more | {"of_a_newer_build": {"deep": [1]}}


FREE = {"ready", "shares", "requests", "errors"}
"""Fields that hold names of versions, where every key is known."""


@each_file
def test_what_was_written_is_read_without_losing_anything(name: str) -> None:
    read = model(name).model_validate_json(FILES[name])
    written = json.loads(read.model_dump_json())
    assert kept(json.loads(FILES[name]), written)


def kept(old: Any, new: Any) -> bool:
    """Whether all of `old` is in `new`, which may have more fields."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(key in new and kept(value, new[key]) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(kept, old, new))
    return bool(old == new)


@each_file
def test_fields_of_a_newer_build_are_ignored(name: str) -> None:
    newer = with_unknown_fields(json.loads(FILES[name]))
    assert model(name).model_validate(newer) == model(name).model_validate_json(FILES[name])


@each_file
def test_what_is_read_cannot_be_changed(name: str) -> None:
    assert model(name).model_config.get("frozen")
    assert not model(name).model_config.get("allow_inf_nan")


def test_every_model_that_stands_in_history_has_its_file() -> None:
    missing = in_history() - FILES.keys()
    assert not missing, f"write a model_dump_json() of each, all fields filled, to {GOLDEN}"


def test_every_file_belongs_to_a_model_that_stands_in_history() -> None:
    assert FILES.keys() <= in_history()


def test_a_plan_in_history_is_still_the_plan_that_was_agreed_to() -> None:
    stored = plan.RollbackPlan.model_validate_json(FILES["plan.RollbackPlan"])
    again = plan.RollbackPlan.model_validate_json(stored.model_dump_json())
    assert stored.digest == again.digest
