"""The steps of one service: from their activities' entries, completed by what the workflow kept."""

from collections.abc import Iterator, Sequence

from rollback_manager.plan import Action, ActionKind, ServicePlan
from rollback_manager.progress import ServiceOutcome, StepRecord, StepState
from rollback_manager.report.contents import StepLine
from rollback_manager.report.entries import Entry, Kind
from rollback_manager.values import Value

ENDED = {
    Kind.ACTIVITY_DONE: StepState.DONE,
    Kind.ACTIVITY_FAILED: StepState.FAILED,
    Kind.ACTIVITY_TIMED_OUT: StepState.FAILED,
    Kind.ACTIVITY_CANCELLED: StepState.STOPPED,
}
"""How a step stands whose activity left no record."""


def steps_of(
    plan: ServicePlan, entries: Sequence[Entry], outcome: ServiceOutcome | None
) -> tuple[StepLine, ...]:
    """Those that were begun, in order, then those of the plan that were not."""
    found = [step for entry in entries if (step := _begun(entry, entries, plan)) is not None]
    begun = _completed(found, outcome.steps if outcome else (), plan)
    return (*begun, *_not_begun(plan, begun))


def there_already(entry: Entry, begun: bool = False) -> str:
    """In words that the wanted capacity was there; "" if the entry does not say so.

    A claim looks, too; that counts once a step has begun, not where nobody approved.
    """
    counts = entry.name == "observe" or (begun and entry.name == "claim")
    seen = entry.says(_Seen) if counts else None
    return seen.capacity if seen else ""


class _Asked(Value):
    """What a step's activity was asked to do."""

    action: Action


class _Seen(Value):
    """What a short read found; capacity: in words that what was wanted is there already."""

    capacity: str = ""


def _begun(entry: Entry, entries: Sequence[Entry], plan: ServicePlan) -> StepLine | None:
    """The step that begins with this entry, if one does."""
    match entry.kind:
        case Kind.ACTIVITY_SCHEDULED if entry.name in set(ActionKind):
            return _carried_out([e for e in entries if e.of == entry.event], plan)
        case Kind.LOCAL_ACTIVITY if there := there_already(entry, _any_begun(entries)):
            return _kept(_nothing_to_do(entry, there), plan)
        case _:
            return None


def _any_begun(entries: Sequence[Entry]) -> bool:
    return any(e.kind is Kind.ACTIVITY_SCHEDULED and e.name in set(ActionKind) for e in entries)


def _carried_out(entries: list[Entry], plan: ServicePlan) -> StepLine:
    """One run of one step's activity: its attempts, and how the last of them ended."""
    first, end = entries[0], entries[-1]
    asked = first.says(_Asked)
    record = end.says(StepRecord) if end.kind is Kind.ACTIVITY_DONE else None
    began = next((entry for entry in entries if entry.kind is Kind.ACTIVITY_STARTED), None)
    return StepLine(
        name=first.name,
        undo=asked is not None and asked.action not in plan.actions,
        state=record.state if record else ENDED.get(end.kind, StepState.RUNNING),
        timeout_s=asked.action.timeout_s if asked else _timeout(first.name, plan),
        attempts=began.attempt if began else None,
        earlier=began.because if began else "",
        worker=began.identity if began else "",
        because=record.because if record else end.because if end is not began else "",
        record=record,
        ended_at=end.at if end.kind in ENDED else None,
    )


def _nothing_to_do(entry: Entry, there: str) -> StepRecord:
    return StepRecord(
        kind=ActionKind.PREPARE,
        state=StepState.DONE,
        before=there,
        written="",
        observed=there,
        started_at=entry.at,
        finished_at=entry.at,
    )


def _kept(record: StepRecord, plan: ServicePlan) -> StepLine:
    """A step of which only the record is left."""
    return StepLine(
        name=record.kind,
        state=record.state,
        timeout_s=_timeout(record.kind, plan),
        attempts=record.attempt,
        because=record.because,
        record=record,
        ended_at=record.finished_at,
    )


def _completed(
    steps: list[StepLine], records: Sequence[StepRecord], plan: ServicePlan
) -> list[StepLine]:
    """The steps with what the workflow itself noted where an activity left no record."""
    if not steps:
        return [_kept(record, plan) for record in records]
    if [step.name for step in steps] != [record.kind for record in records]:
        return steps
    return [
        step.model_copy(update={"record": step.record or r, "state": r.state, "because": r.because})
        for step, r in zip(steps, records, strict=True)
    ]


def _not_begun(plan: ServicePlan, steps: list[StepLine]) -> Iterator[StepLine]:
    begun = [step.name for step in steps if not step.undo]
    for action in plan.actions:
        if action.name in begun:
            begun.remove(action.name)
        else:
            yield StepLine(
                name=action.name, state=StepState.PLANNED, timeout_s=action.timeout_s, attempts=0
            )


def _timeout(name: str, plan: ServicePlan) -> float | None:
    return next((a.timeout_s for a in plan.actions if a.name == name), None)
