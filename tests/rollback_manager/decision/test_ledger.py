"""Decisions as they were made, again under another policy, and what the labels say."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.decision.engine import decide
from rollback_manager.decision.facts import Action
from rollback_manager.decision.ledger import (
    Entry,
    Label,
    Ruling,
    Truth,
    again,
    examples,
    quality,
    replay,
)
from rollback_manager.incidents.analysis import AnalysisFacts, analyse
from rollback_manager.incidents.triggers import Evidence, TriggerKind
from rollback_manager.policy import ComplexityPolicy, DecisionPolicy, TriggerLimits
from tests.incidents import NOW, POLICY, after, analysis_facts, evidence, facts, incident, scene

TRUE, FALSE, LATE, MISSED = Truth
ERRORS, LATENCY = TriggerKind.CRITICAL_ERROR_RATE, TriggerKind.LATENCY_DEGRADATION


def entry(
    *joined: Evidence,
    truth: Truth | None = None,
    analysed_from: AnalysisFacts | None = None,
    label: dict[str, Any] | None = None,
    **changes: Any,
) -> Entry:
    source = analysed_from or analysis_facts()
    known = facts(analysis=analyse(source, POLICY), incident=incident(*joined), **changes)
    said = None if truth is None else Label(truth=truth, by="ann", at=NOW, **(label or {}))
    return Entry(
        analysed_from=source,
        facts=known,
        policy=POLICY,
        decision=decide(known, POLICY),
        label=said,
    )


MILD = evidence(size=0.12)


@pytest.mark.parametrize(
    ("one", "policy", "was", "would_be"),
    [
        pytest.param(
            entry(MILD),
            DecisionPolicy(limits=TriggerLimits(error_ratio=0.15)),
            "rollback",
            "rollback, 1 must agree",
            id="a higher limit of errors",
        ),
        pytest.param(
            entry(), DecisionPolicy(rule_confidence=0.95), "rollback", "manual_review", id="rules"
        ),
        pytest.param(
            # 360 s after the release is then no timing: 0.7 + 0.1, × 1.2 = 0.96, still 0.95;
            # without the factor for young releases 0.8, which is not above 0.8
            entry(),
            DecisionPolicy(timing_window_s=300, recent_factor=1.0),
            "rollback",
            "manual_review",
            id="the analysis is made again too",
        ),
        pytest.param(
            entry(budget_left=0),
            DecisionPolicy(limits=TriggerLimits(error_ratio=0.3)),
            "",
            "",
            id="-",
        ),
    ],
)
def test_replay_shows_what_another_policy_changes(
    one: Entry, policy: DecisionPolicy, was: str, would_be: str
) -> None:
    changed = replay(policy, [one])
    assert [(str(c.was), str(c.would_be)) for c in changed] == ([(was, would_be)] if was else [])
    assert all(c.because for c in changed)


def test_replay_keeps_the_order_and_leaves_out_what_stays() -> None:
    entries = [entry(), entry(budget_left=0), entry(MILD)]
    changed = replay(DecisionPolicy(rule_confidence=0.95), entries)
    assert [c.was for c in changed] == [Ruling(action=Action.ROLLBACK, votes_needed=0)] * 2


@given(
    st.builds(
        entry,
        st.builds(evidence, st.sampled_from(TriggerKind), st.floats(0, 3), nats=st.floats(0, 9)),
        analysed_from=st.builds(
            lambda onset: analysis_facts(scene(onset_at=after(onset))), st.integers(-99, 2000)
        ),
        budget_left=st.integers(0, 2),
    )
)
def test_the_same_policy_changes_nothing(one: Entry) -> None:
    assert again(one, one.policy) == one.decision
    assert replay(one.policy, [one]) == ()
    stored = Entry.model_validate_json(one.model_dump_json())
    assert again(stored, stored.policy) == one.decision


def test_quality_per_trigger() -> None:
    slow = evidence(LATENCY, 2.5, fired_at=after(380))
    entries = [
        entry(truth=TRUE),  # errors: onset 360, alarm 400
        entry(truth=TRUE, label={"onset_at": after(300)}),  # 100 s
        entry(truth=LATE, label={"onset_at": after(200)}),  # 200 s
        entry(truth=FALSE),
        entry(slow, truth=MISSED, label={"trigger": ERRORS}),  # latency alone was right
        entry(slow, truth=FALSE),
        entry(),  # not labelled: says nothing
    ]
    errors, latency = quality(entries)
    assert (errors.trigger, errors.right, errors.false, errors.missed) == (ERRORS, 3, 1, 1)
    assert (errors.precision, errors.recall) == (0.75, 0.75)  # 3 ÷ 4 alarms, 3 ÷ (3 + 1) bad
    assert errors.detected_in_s == 100  # the median of 40, 100, 200
    assert (latency.trigger, latency.precision, latency.recall) == (LATENCY, 0.5, 1.0)
    assert latency.detected_in_s == 20


def test_a_trigger_that_was_only_ever_missed_has_a_recall_and_no_precision() -> None:
    quiet = evidence(LATENCY, 1.0, finding="fine so far")
    (row,) = quality([entry(quiet, truth=MISSED, label={"trigger": LATENCY})])
    assert (row.precision, row.recall, row.detected_in_s) == (None, 0.0, None)


def test_a_trigger_that_was_only_ever_wrong_has_a_precision_and_no_recall() -> None:
    (row,) = quality([entry(truth=FALSE)])
    assert (row.precision, row.recall) == (0.0, None)


def test_an_unknown_onset_gives_no_time_to_detect() -> None:
    unknown = analysis_facts(scene(onset_at=None))
    (row,) = quality([entry(truth=TRUE, analysed_from=unknown)])
    assert row.detected_in_s is None


def test_without_labels_there_is_no_quality() -> None:
    assert quality([entry(), entry()]) == ()


def test_labels_become_examples_for_the_model() -> None:
    told = examples([entry(truth=TRUE), entry(truth=FALSE), entry(truth=MISSED), entry()])
    assert [bad for _, bad in told] == [True, False, True]


def test_points_of_complexity_are_replayed_as_well() -> None:
    harder = again(entry(), DecisionPolicy(complexity=ComplexityPolicy(blue_green=60)))
    assert harder.factors.rollback_complexity.risk_level == "high"


def test_an_alarm_before_the_labelled_onset_took_no_time() -> None:
    late_onset = NOW + timedelta(seconds=60)
    (row,) = quality([entry(truth=TRUE, label={"onset_at": late_onset})])
    assert row.detected_in_s == 0
