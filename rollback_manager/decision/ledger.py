"""Decisions as they were made, with all inputs; what another policy would have made of them. Pure.

Labels come later, from people: was the alarm right? They give each trigger its quality, and the
model and the calibration their examples.
"""

import statistics
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from rollback_manager.decision.caps import agreement
from rollback_manager.decision.engine import Decision, decide
from rollback_manager.decision.facts import Action, DecisionFacts
from rollback_manager.decision.model import Labelled
from rollback_manager.incidents.analysis import AnalysisFacts, analyse
from rollback_manager.incidents.triggers import Finding, TriggerKind
from rollback_manager.policy import DecisionPolicy
from rollback_manager.values import Count, Ratio, Seconds, Value


class Truth(StrEnum):
    """What an incident turned out to be."""

    TRUE = "true"
    FALSE = "false"
    LATE = "late"
    """The release was bad, and users had told us before."""
    MISSED = "missed"
    """The release was bad, and no trigger of ours said so."""


class Label(Value):
    """What a person said afterwards.

    trigger: the one that should have fired, where it was missed. onset_at: when trouble began,
    where that is known better than the detector knew it.
    """

    truth: Truth
    by: str
    at: datetime
    trigger: TriggerKind | None = None
    onset_at: datetime | None = None
    note: str = ""

    @property
    def bad(self) -> bool:
        """Whether the release was bad."""
        return self.truth is not Truth.FALSE


class Entry(Value):
    """One decision with everything it was made from.

    judgement: which of its incident's it is, so that one that was tried twice stays one; empty in
    records of older builds.
    """

    analysed_from: AnalysisFacts
    facts: DecisionFacts
    policy: DecisionPolicy
    decision: Decision
    label: Label | None = None
    judgement: str = ""


class Ruling(Value):
    """What would happen, as far as anybody would notice a difference."""

    action: Action
    votes_needed: Count

    def __str__(self) -> str:
        """In words: `rollback, 1 must agree`."""
        asked = f", {agreement(self.votes_needed)}" if self.votes_needed else ""
        return f"{self.action}{asked}"


class Overturned(Value):
    """A decision that another policy would change, and the reasons that it adds."""

    incident: str
    decided_at: datetime
    was: Ruling
    would_be: Ruling
    because: tuple[str, ...]
    label: Label | None = None


def again(entry: Entry, policy: DecisionPolicy) -> Decision:
    """The decision anew from the recorded inputs: triggers, analysis and all."""
    analysis = analyse(entry.analysed_from, policy)
    return decide(entry.facts.model_copy(update={"analysis": analysis}), policy)


def replay(policy: DecisionPolicy, entries: Iterable[Entry]) -> tuple[Overturned, ...]:
    """Which verdicts this policy changes against what was decided then, in the entries' order."""
    pairs = ((entry, again(entry, policy)) for entry in entries)
    return tuple(
        Overturned(
            incident=entry.decision.incident,
            decided_at=entry.decision.decided_at,
            was=_ruling(entry.decision),
            would_be=_ruling(new),
            because=tuple(one for one in new.reasons if one not in entry.decision.reasons),
            label=entry.label,
        )
        for entry, new in pairs
        if _ruling(entry.decision) != _ruling(new)
    )


def _ruling(decision: Decision) -> Ruling:
    return Ruling(action=decision.action, votes_needed=decision.votes_needed)


class Quality(Value):
    """How good one trigger is. None where nothing was labelled that could tell.

    precision: of its alarms, the share that was right. recall: of the bad releases that it should
    have seen, the share it saw; a late one was seen. detected_in_s: median from onset to alarm.
    """

    trigger: TriggerKind
    right: Count
    false: Count
    missed: Count
    precision: Ratio | None
    recall: Ratio | None
    detected_in_s: Seconds | None


def quality(entries: Sequence[Entry]) -> tuple[Quality, ...]:
    """One row per trigger that fired or should have, in the order of the seed's table."""
    rows = (_quality(trigger, entries) for trigger in TriggerKind)
    return tuple(row for row in rows if row.right + row.false + row.missed)


def _quality(trigger: TriggerKind, entries: Sequence[Entry]) -> Quality:
    labelled = [(entry, entry.label) for entry in entries if entry.label is not None]
    alarms = [(entry, label) for entry, label in labelled if _alarmed(entry, trigger)]
    right = [(entry, label) for entry, label in alarms if label.bad]
    false = len(alarms) - len(right)
    missed = sum(
        label.truth is Truth.MISSED and label.trigger is trigger and not _alarmed(entry, trigger)
        for entry, label in labelled
    )
    delays = [delay for one in right if (delay := _delay_s(trigger, *one)) is not None]
    return Quality(
        trigger=trigger,
        right=len(right),
        false=false,
        missed=missed,
        precision=len(right) / len(alarms) if alarms else None,
        recall=len(right) / (len(right) + missed) if right or missed else None,
        detected_in_s=statistics.median(delays) if delays else None,
    )


def _alarmed(entry: Entry, trigger: TriggerKind) -> bool:
    return any(
        one.strongest.trigger is trigger and one.strongest.finding is Finding.REGRESSED
        for one in entry.facts.incident.joined
    )


def _delay_s(trigger: TriggerKind, entry: Entry, label: Label) -> float | None:
    """From the onset, as labelled or else as detected, to the trigger's first alarm."""
    onset = label.onset_at or entry.analysed_from.scene.onset_at
    joined = entry.facts.incident.joined
    alarms = [one.first_alarm_at for one in joined if one.newest.trigger is trigger]
    first = min(at for at in alarms if at is not None)
    return None if onset is None else max(0.0, (first - onset).total_seconds())


def examples(entries: Iterable[Entry]) -> list[Labelled]:
    """What the model is trained from: recorded factors, and whether the release was bad."""
    return [
        (entry.decision.factors, entry.label.bad) for entry in entries if entry.label is not None
    ]
