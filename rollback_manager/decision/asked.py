"""What is asked about recorded decisions, and the answer: small enough for Temporal's history."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from rollback_manager.decision.facts import Action
from rollback_manager.decision.ledger import Entry, Label, Overturned, Quality
from rollback_manager.decision.model import DecisionModel, NotTrained
from rollback_manager.policy import DecisionPolicy
from rollback_manager.values import Count, Ratio, Value

MOST_ROWS = 500
"""Rows of one answer: about 300 KB, where Temporal takes 2 MB."""
MOST_REASONS = 5
LONGEST_REASON = 300
"""Characters of a reason in a row; the record has all of it."""


class OfService(Value):
    """About one service of an environment; about all of them where `service` is empty."""

    env: str
    service: str = ""


class ListDecisions(OfService):
    """The newest decisions."""

    verb: Literal["list"] = "list"
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 50


class LabelIncident(OfService):
    """What the incident turned out to be. incident: its id."""

    verb: Literal["label"] = "label"
    incident: str
    label: Label


class MeasureQuality(OfService):
    """How good each trigger is, by the labels."""

    verb: Literal["quality"] = "quality"


class TrainModel(OfService):
    """A model from all labels. keep: and ask it from now on, where the rules are not sure."""

    verb: Literal["train"] = "train"
    keep: bool = False
    by: str = ""


class UseModel(OfService):
    """Which model is asked. version: ask that one from now on, 0: none; None: as it is."""

    verb: Literal["model"] = "model"
    version: Count | None = None


class ReplayPolicy(OfService):
    """What this policy would have decided."""

    verb: Literal["replay"] = "replay"
    policy: DecisionPolicy


Ask = ListDecisions | LabelIncident | MeasureQuality | TrainModel | UseModel | ReplayPolicy


class DecisionsRequest(Value):
    """One thing to do with the records of decisions."""

    ask: Annotated[Ask, Field(discriminator="verb")]


class Row(Value):
    """One decision in a list. because: its most telling reason, cut short.

    signs: the seed's sum of signs, which is not calibrated; None in rows of older builds.
    """

    incident: str
    decided_at: datetime
    action: Action
    votes_needed: Count
    confidence: Ratio
    calibrated: bool
    signs: Ratio | None = None
    because: str
    label: Label | None


class Decisions(Value):
    """The answer; of the lists only that is filled which was asked for.

    kept, labelled: decisions on record. read: how many of them this answer rests on, the newest.
    rows: newest first. changed_in_all: of the changed verdicts, of which the first are in
    `changed`.
    """

    kept: Count
    labelled: Count
    read: Count
    rows: tuple[Row, ...] = ()
    quality: tuple[Quality, ...] = ()
    model: Annotated[DecisionModel | NotTrained, Field(discriminator="kind")] | None = None
    changed: tuple[Overturned, ...] = ()
    changed_in_all: Count = 0


def row(entry: Entry) -> Row:
    """The entry as a line of a list."""
    made = entry.decision
    return Row(
        incident=made.incident,
        decided_at=made.decided_at,
        action=made.action,
        votes_needed=made.votes_needed,
        confidence=made.confidence,
        calibrated=made.calibrated,
        signs=made.signs,
        because=made.reasons[0][:LONGEST_REASON] if made.reasons else "",
        label=entry.label,
    )


def shortened(changed: Overturned) -> Overturned:
    """With its first reasons, each cut short."""
    because = tuple(reason[:LONGEST_REASON] for reason in changed.because[:MOST_REASONS])
    return changed.model_copy(update={"because": because})
