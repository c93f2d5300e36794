"""Recorded decisions on a terminal: what was decided, what it was worth, what would differ."""

from collections.abc import Iterator

from rollback_manager.decision.asked import Decisions, Row
from rollback_manager.decision.caps import FIRST_COUNTS, agreement
from rollback_manager.decision.ledger import Label, Overturned, Quality, Ruling, Truth
from rollback_manager.decision.model import DecisionModel
from rollback_manager.rendering import words
from rollback_manager.rendering.layout import foreign, labelled, pad, page

MOST_CHANGED = 20
"""Changed verdicts that are told in full; --json has the others."""
ASKED = "it is asked where the rules are not sure, within a minute"
LABEL = "rollback-manager decisions label INCIDENT true|false|late|missed"


def listed(found: Decisions) -> str:
    """Newest first; ids on lines of their own, for they are copied."""
    if not found.rows:
        return page(["no decisions are recorded"])
    lines = [line for row in found.rows for line in _row(row)]
    if found.kept > len(found.rows):
        lines.append(f"{found.kept - len(found.rows)} older ones are not shown: --limit N")
    lines += _first_counts(*(row.votes_needed for row in found.rows))
    return page([*lines, f"{found.labelled} of {found.kept} are labelled.", f"next:  {LABEL}"])


def label(found: Decisions) -> str:
    """What was labelled, and how many labels there are now."""
    (row,) = found.rows
    lines = [*_row(row), f"{found.labelled} of {found.kept} decisions are labelled."]
    if row.label is not None and row.label.truth is Truth.MISSED and row.label.trigger is None:
        lines.append("It counts for no trigger: say which one should have fired, --trigger KIND.")
    return page([*lines, "next:  rollback-manager decisions quality"])


def quality(found: Decisions) -> str:
    """One row per trigger; where nothing was labelled that could tell, `unknown`."""
    if not found.quality:
        return page(["nothing can be said: no decision is labelled", f"next:  {LABEL}"])
    head = f"{pad('trigger', 22)}  right  false  missed  precision  recall     noticed in"
    lines = [head, *map(_quality, found.quality), "", *_rests_on(found, found.labelled)]
    lines.append("precision: of its alarms, the share that was right.")
    lines.append("recall: of the bad releases that it should have seen, the share it saw.")
    return page(lines)


def trained(found: Decisions, file: str) -> str:
    """Where the model was written and how well it foretells; or why there is none."""
    if not isinstance(found.model, DecisionModel):
        because = found.model.because if found.model else "not trained"
        return page([f"{because}. No file was written.", f"next:  {LABEL}"])
    made = found.model
    learnt = (
        f"trained from {made.labels} labels, {made.bad} of them bad; written to {foreign(file)}"
    )
    lines = [learnt, *_foretells(made), *_rests_on(found, found.labelled)]
    if made.version:
        return page([*lines, f"kept as version {made.version}: {ASKED}"])
    return page([*lines, "It is not asked.  next:  rollback-manager decisions train --keep"])


def model(found: Decisions) -> str:
    """The model that is asked, if one is."""
    if not isinstance(found.model, DecisionModel):
        because = found.model.because if found.model else "no model is in use"
        return page([because, "next:  rollback-manager decisions train --keep"])
    made = found.model
    at = words.day_and_clock(made.trained_at) if made.trained_at else words.UNKNOWN
    whose = f"trained by {foreign(made.trained_by)}, {at}, from {made.labels} labels"
    return page([f"version {made.version}: {ASKED}", whose, *_foretells(made)])


def _foretells(made: DecisionModel) -> Iterator[str]:
    error = words.percent(made.report.expected_error)
    yield f"calibration error {error} on labels it had not seen"
    for one in made.report.bins:
        yield f"  stated {one.stated:.2f}   came true {one.came_true:.2f}   of {one.count}"


def replayed(found: Decisions) -> str:
    """Which verdicts would change and why; the newest first."""
    if not found.changed:
        return page([f"no verdict changes, of {found.read} decisions", *_rests_on(found)])
    lines = [f"{found.changed_in_all} of {found.read} verdicts change"]
    lines += [line for one in found.changed[:MOST_CHANGED] for line in _changed(one)]
    told = min(MOST_CHANGED, len(found.changed))
    if found.changed_in_all > told:
        lines.append(
            f"{found.changed_in_all - told} older changes are not shown;"
            f" --json has {len(found.changed)} of {found.changed_in_all}"
        )
    lines += _first_counts(*(one.would_be.votes_needed for one in found.changed))
    return page([*lines, *_rests_on(found)])


def _first_counts(*votes: int) -> Iterator[str]:
    """Said once, where anything above asks more than one."""
    if any(needed > 1 for needed in votes):
        yield f"{agreement(max(votes))}: {FIRST_COUNTS}."


def _row(row: Row) -> Iterator[str]:
    sure = words.confidence(row.confidence, row.signs, calibrated=row.calibrated)
    ruling = Ruling(action=row.action, votes_needed=row.votes_needed)
    yield f"{words.day_and_clock(row.decided_at)}  {ruling}"
    yield f"  {foreign(row.incident)}"
    yield f"  {sure}"
    yield f"  because: {foreign(row.because)}"
    if row.label is not None:
        yield f"  labelled: {_label(row.label)}"


def _label(said: Label) -> str:
    missed = f" ({said.trigger} should have fired)" if said.trigger else ""
    note = f": {foreign(said.note)}" if said.note else ""
    return f"{said.truth}{missed} by {foreign(said.by)}, {words.day_and_clock(said.at)}{note}"


def _quality(one: Quality) -> str:
    counts = f"{one.right:>5}  {one.false:>5}  {one.missed:>6}"
    shares = f"{_share(one.precision):<9}  {_share(one.recall):<9}"
    return f"{pad(str(one.trigger), 22)}  {counts}  {shares}  {words.duration(one.detected_in_s)}"


def _share(ratio: float | None) -> str:
    return words.UNKNOWN if ratio is None else words.percent(ratio)


def _changed(one: Overturned) -> Iterator[str]:
    yield f"{words.day_and_clock(one.decided_at)}  {one.was}  →  {one.would_be}"
    yield f"  {foreign(one.incident)}"
    yield from labelled("  because:", map(foreign, one.because), indent=12)
    if one.label is not None:
        yield f"  it was: {_label(one.label)}"


def _rests_on(found: Decisions, of: int | None = None) -> Iterator[str]:
    """What was left out, if anything was."""
    all_of_them = found.kept if of is None else of
    if found.read < all_of_them:
        older = all_of_them - found.read
        yield f"This rests on the newest {found.read}; {older} older ones were left out."
