"""Decisions of real demo runs, decided again: what another policy would have changed."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.replayed import recorded, replayed
from rollback_manager.decision.ledger import Entry, replay
from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.policy import DecisionPolicy, TriggerLimits

ERRORS, LATENCY = TriggerKind.CRITICAL_ERROR_RATE, TriggerKind.LATENCY_DEGRADATION
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return recorded()


def of(trigger: TriggerKind, entries: list[Entry]) -> list[Entry]:
    return [one for one in entries if one.facts.incident.joined[0].strongest.trigger is trigger]


def test_they_come_from_both_kinds_of_demo(entries: list[Entry]) -> None:
    assert len(of(ERRORS, entries)) >= 3
    assert len(of(LATENCY, entries)) >= 3


def test_under_their_own_policy_they_are_decided_as_they_were(entries: list[Entry]) -> None:
    for one in entries:
        assert replay(one.policy, [one]) == ()


def test_a_higher_limit_of_errors_asks_a_person_first(entries: list[Entry]) -> None:
    """What fails 15 % of the requests is then real and below the limit."""
    own = entries[0].policy
    lax = own.model_copy(update={"limits": TriggerLimits(error_ratio=0.4)})
    changed = replay(lax, entries)
    assert {(str(one.was), str(one.would_be)) for one in changed} == {
        ("rollback", "rollback, 1 must agree")
    }
    assert {one.decided_at for one in changed} == {
        one.decision.decided_at for one in of(ERRORS, entries)
    }


def test_rules_that_must_be_surer_leave_all_to_people(entries: list[Entry]) -> None:
    stern = entries[0].policy.model_copy(update={"rule_confidence": 0.95})
    found = replayed(stern, entries)
    assert found.changed_in_all == len(entries)
    assert {str(one.would_be) for one in found.changed} == {"manual_review"}


def test_the_command_prints_the_changed_verdicts(tmp_path: Path, entries: list[Entry]) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("tier_up_without_evidence: false\nrule_confidence: 0.95\n")
    made = subprocess.run(
        [sys.executable, "-m", "benchmarks.replayed", "--policy", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"{len(entries)} of {len(entries)} verdicts change" in made.stderr
    assert "→  manual_review" in made.stderr
    file.write_text("rule_confidence: 95\n")
    wrong = subprocess.run(
        [sys.executable, "-m", "benchmarks.replayed", "--policy", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert wrong.returncode == 2
    assert "policy.yaml:1: rule_confidence" in wrong.stderr


def test_without_a_policy_one_line_says_how_one_is_named() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.replayed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = 'no policy is named: make replay-recorded ARGS="--policy FILE"\n'
    assert (ended.returncode, ended.stderr) == (2, said)


def test_they_were_decided_by_the_policy_that_the_demo_has(entries: list[Entry]) -> None:
    known = {one.policy.model_dump_json() for one in entries}
    assert len(known) == 1
    assert entries[0].policy.limits == DecisionPolicy().limits
