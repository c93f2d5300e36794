"""The role of metrics: readings after the shift, judged until they say something."""

import time
from datetime import datetime

from temporalio import activity

from activities.counted import Window
from activities.disturbed import undisturbed
from activities.look import Look, Looks
from activities.reconciler import POLL_S
from activities.step import Step, asked_to_stop, now, wants
from activities.targets import Target, Targets
from rollback_manager.metrics.reading import NoReading, Reading, between
from rollback_manager.plan import Well
from rollback_manager.policy import VerificationPolicy
from rollback_manager.progress import StepRecord, StepState
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
        self.window = Window(target, self.wanted.version)
        self.judged_at = 0

    def run(self) -> StepRecord:
        started_at, begun = now(), time.monotonic()
        self._look()
        while True:
            look = self._look()
            self.window.beat()
            over = time.monotonic() - begun >= self.policy.max_window_s
            if over or self._is_due(self.window.reading()):
                verdicts = self._judge(look)
                if state := _state(verdicts, over):
                    return self._record(started_at, state, verdicts)
            if asked_to_stop():
                return self._record(started_at, StepState.STOPPED, self._judge(look))
            time.sleep(POLL_S)

    def _look(self) -> Look:
        look = self.looks.take()
        undisturbed(self.step, self.target, reached=True)
        self.window.with_more(look.snapshot)
        return look

    def _is_due(self, reading: Reading | NoReading) -> bool:
        if isinstance(reading, Reading) and reading.window_s < self.policy.min_window_s:
            return False
        if not worth_judging(reading, self.window.own_errors, self.limit, self.judged_at):
            return False
        self.judged_at = reading.requests if isinstance(reading, Reading) else 0
        return True

    def _judge(self, look: Look) -> tuple[Verdict, ...]:
        reading = self.window.reading()
        limit_ms = latency_limit_ms(self.step.plan.baseline, self.policy)
        verdicts = [
            judge_errors(reading, self.limit, self.window.own_errors),
            judge_latency(self.window.slower_than(limit_ms), reading, limit_ms),
            judge_readiness(look.able(self.wanted.version), self.wanted.instances),
            *self.target.journeys.run(),
        ]
        if self.step.throughput_before is not None:
            floor, before = self.policy.throughput_floor, self.step.throughput_before
            verdicts.append(judge_throughput(self._at_the_proxy(look), before, floor))
        return tuple(verdicts)

    def _at_the_proxy(self, look: Look) -> Reading | NoReading:
        """Throughput is compared with what the proxy counted before, so the proxy counts it."""
        if self.target.counters is None:
            return self.window.reading()
        return between(self.wanted.version, self.looks.all[0].snapshot, look.snapshot)

    def _record(
        self, started_at: datetime, state: StepState, verdicts: tuple[Verdict, ...]
    ) -> StepRecord:
        reading = self.window.reading()
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


def _state(verdicts: tuple[Verdict, ...], over: bool) -> StepState | None:
    """The step's state, or None while more requests may still tell."""
    match worst(verdicts):
        case Answer.PASSED:
            return StepState.DONE
        case Answer.FAILED:
            return StepState.FAILED
        case _:
            return StepState.INCONCLUSIVE if over else None
