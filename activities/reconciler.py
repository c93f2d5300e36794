"""Every action in one shape: observe → nothing to do? → guard → write → observe until confirmed.

Absolute values only. A retry observes first: a write that landed though its answer was lost is
found and not made again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from temporalio import activity

from activities.disturbed import undisturbed
from activities.look import Look, Looks
from activities.step import Step, asked_to_stop, now
from activities.targets import Target
from rollback_manager.errors import Blocked, TemporaryError
from rollback_manager.guard import Judgement
from rollback_manager.metrics.reading import total
from rollback_manager.progress import StepRecord, StepState

POLL_S = 0.2
"""Pause between two looks: a look costs a few ms, and a shift is seen within one pause."""


@dataclass(frozen=True)
class Reconciliation:
    """What differs between kinds of action. Each callable gets what was just seen.

    written: whether the write is there already, by its own op_id or by the state itself.
    confirmed: what was observed, in words, once the wanted state holds; else None.
    missing: what is not so yet, in words, for the person who must decide when time is over.
    """

    written: Callable[[Look], bool]
    guard: Callable[[Look], Judgement]
    write: Callable[[Look], str]
    confirmed: Callable[[Looks, datetime], str | None]
    missing: Callable[[Look], str]


def reconcile(step: Step, target: Target, work: Reconciliation) -> StepRecord:
    """Bring the wanted state about, or say what is missing after the action's time-out.

    The record says PLANNED if the capacity that the step relies on is gone: nothing was written.

    Raises Blocked when the guard forbids the write, TemporaryError while another reading is needed
    to tell, and what the targets raise.
    """
    started_at, until = now(), time.monotonic() + step.action.timeout_s
    looks = Looks(target)
    first = looks.take()
    undisturbed(step, target, reached=False)
    if gone := _gone(step, first):
        return _record(step, looks, started_at, StepState.PLANNED, gone)
    text, written_at = "", None
    if not work.written(first):
        _guarded(work.guard(first), first)
        if asked_to_stop():
            return _record(step, looks, started_at, StepState.STOPPED, "stopped before the write")
        target.must_be_at(step.plan.place)
        undisturbed(step, target, reached=False)  # a deploy may have begun since the look
        text, written_at = work.write(first), now()
    since = written_at or first.snapshot.taken_at
    while True:
        look = looks.take()
        undisturbed(step, target, reached=True)
        observed = work.confirmed(looks, since)
        activity.heartbeat(observed or work.missing(look))
        if observed is not None:
            return _record(step, looks, started_at, StepState.DONE, "", text, observed, written_at)
        if asked_to_stop():
            because = f"stopped by a person while {work.missing(look)}"
            return _record(
                step, looks, started_at, StepState.STOPPED, because, text, "", written_at
            )
        if time.monotonic() >= until:
            because = f"after {step.action.timeout_s:.0f} s {work.missing(look)}"
            return _record(
                step, looks, started_at, StepState.INCONCLUSIVE, because, text, "", written_at
            )
        time.sleep(POLL_S)


def _gone(step: Step, look: Look) -> str:
    """In words that the capacity on which the step relies is not there any more."""
    wanted = step.relies_on
    able = look.able(wanted.version) if wanted else 0
    if wanted is None or able >= wanted.instances:
        return ""
    return f"{able} of {wanted.instances} instances of {wanted.version} are ready now"


def _guarded(judgement: Judgement, look: Look) -> None:
    if not judgement.allowed and look.snapshot.settles:
        raise TemporaryError(
            f"the guard cannot tell yet: {judgement.because}, as far as one reading shows",
            effect="Nothing was written by this step.",
        )
    if not judgement.allowed:
        raise Blocked(
            f"the guard forbids it: {judgement.because}",
            effect="Nothing was written by this step.",
            next_step="Mend what it names, then retry-step; or abort.",
        )


def _record(
    step: Step,
    looks: Looks,
    started_at: datetime,
    state: StepState,
    because: str,
    written: str = "",
    observed: str = "",
    written_at: datetime | None = None,
) -> StepRecord:
    return StepRecord(
        kind=step.action.kind,
        state=state,
        before=str(looks.all[0]),
        written=written,
        observed=observed or str(looks.all[-1]),
        because=because,
        mark=step.mark,
        attempt=activity.info().attempt,
        started_at=started_at,
        finished_at=now(),
        first_write_at=written_at,
        lowest_ready=looks.lowest,
        own_errors=looks.own_errors,
        found=looks.all[-1].found(),
        counted=total(looks.all[0].snapshot),
        samples=looks.samples(),
    )
