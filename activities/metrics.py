"""The role of metrics: readings after the shift, judged until they say something."""

import time
from datetime import datetime

from temporalio import activity

from activities.look import Look, Looks
from activities.reconciler import POLL_S
from activities.step import Step, asked_to_stop, now, wants
from activities.targets import Target, Targets
from rollback_manager.plan import Well
from rollback_manager.policy import VerificationPolicy
from rollback_manager.progress import StepRecord, StepState
from rollback_manager.reading import NoReading, Reading, Snapshot, between, slower_than
from rollback_manager.verification import (
    Answer,
    Verdict,
    error_limit,
    judge_errors,
    judge_latency,
    judge_readiness,
    judge_throughput,
    latency_limit_ms,
    worst,
    worth_judging,
)


class MetricsActivities:
    """Activities that read and judge; they never write."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    @activity.defn(no_thread_cancel_exception=True)
    def verify(self, step: Step) -> StepRecord:
        """Whether users of the good version are well, or why that cannot be said in time."""
        return _Verification(step, self._targets(step.env, step.plan.service)).run()


class _Verification:
    """One window after the shift, judged at a ladder of sample sizes (`worth_judging`)."""

    def __init__(self, step: Step, target: Target) -> None:
        self.step, self.target, self.wanted = step, target, wants(step, Well)
        self.policy: VerificationPolicy = step.plan.policy.verification
        self.limit = error_limit(step.plan.baseline, self.policy)
        self.looks = Looks(target)
        self.judged_at = 0

    def run(self) -> StepRecord:
        started_at, begun = now(), time.monotonic()
        first = self.first = window_start(self.wanted.version, self.looks.take())
        while True:
            look = self.looks.take()
            reading = between(self.wanted.version, first, look.snapshot)
            activity.heartbeat(first.model_dump(mode="json"))
            over = time.monotonic() - begun >= self.policy.max_window_s
            if over or self._is_due(reading, _own_errors(first, look)):
                verdicts = self._judge(first, look)
                if state := _state(verdicts, over):
                    return self._record(started_at, state, verdicts)
            if asked_to_stop():
                return self._record(started_at, StepState.STOPPED, self._judge(first, look))
            time.sleep(POLL_S)

    def _is_due(self, reading: Reading | NoReading, own_errors: int) -> bool:
        if isinstance(reading, Reading) and reading.window_s < self.policy.min_window_s:
            return False
        if not worth_judging(reading, own_errors, self.limit, self.judged_at):
            return False
        self.judged_at = reading.requests if isinstance(reading, Reading) else 0
        return True

    def _judge(self, first: Snapshot, look: Look) -> tuple[Verdict, ...]:
        version = self.wanted.version
        reading = between(version, first, look.snapshot)
        limit_ms = latency_limit_ms(self.step.plan.baseline, self.policy)
        slow = slower_than(limit_ms, version, first, look.snapshot) if limit_ms else None
        verdicts = [
            judge_errors(reading, self.limit, _own_errors(first, look)),
            judge_latency(slow, reading, limit_ms),
            judge_readiness(look.able(version), self.wanted.instances),
            *self.target.journeys.run(),
        ]
        if self.step.throughput_before is not None:
            floor = self.policy.throughput_floor
            verdicts.append(judge_throughput(reading, self.step.throughput_before, floor))
        return tuple(verdicts)

    def _record(
        self, started_at: datetime, state: StepState, verdicts: tuple[Verdict, ...]
    ) -> StepRecord:
        reading = between(self.wanted.version, self.first, self.looks.all[-1].snapshot)
        short = [f"{v.check} {v.answer}" for v in verdicts]
        because = "; ".join(f"{v.check}: {v.because}" for v in verdicts if v.answer != "passed")
        return StepRecord(
            kind=self.step.action.kind,
            state=state,
            before=str(self.looks.all[0]),
            written="",
            observed=", ".join(short),
            because="" if state is StepState.DONE else because,
            mark=self.step.mark,
            attempt=activity.info().attempt,
            started_at=started_at,
            finished_at=now(),
            lowest_ready=self.looks.lowest,
            own_errors=self.looks.own_errors,
            found=self.looks.all[-1].found(),
            verdicts=verdicts,
            error_ratio=reading.error_ratio if isinstance(reading, Reading) else None,
            samples=self.looks.samples(),
        )


def window_start(version: str, look: Look) -> Snapshot:
    """Where an earlier attempt began, if its worker left word and the counters still agree."""
    for detail in activity.info().heartbeat_details:
        earlier = Snapshot.model_validate(detail)
        if isinstance(between(version, earlier, look.snapshot), Reading):
            return earlier
    return look.snapshot


def _own_errors(first: Snapshot, look: Look) -> int:
    """Answers of the window that failed at the front door and that no version gave."""
    return max(0, look.snapshot.own_errors - first.own_errors)


def _state(verdicts: tuple[Verdict, ...], over: bool) -> StepState | None:
    """The step's state, or None while more requests may still tell."""
    match worst(verdicts):
        case Answer.PASSED:
            return StepState.DONE
        case Answer.FAILED:
            return StepState.FAILED
        case _:
            return StepState.INCONCLUSIVE if over else None
