"""Watches a slice of the traffic for a sign of harm, for as long as the policy says."""

import time
from collections.abc import Iterable
from datetime import datetime

from temporalio import activity

from activities.counted import Window
from activities.look import Looks
from activities.reconciler import POLL_S
from activities.step import Step, asked_to_stop, now, wants
from activities.targets import Target, Targets
from rollback_manager.metrics.reading import Reading
from rollback_manager.plan import NotWorse
from rollback_manager.policy import SlicePolicy
from rollback_manager.progress import StepRecord, StepState
from rollback_manager.verification import Answer, Verdict, error_limit, judge_slice


class SliceActivities:
    """The activity that watches a slice; it never writes."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    @activity.defn(no_thread_cancel_exception=True)
    def check_slice(self, step: Step) -> StepRecord:
        """Whether the slice harms users; it ends early only when it does."""
        return _Watch(step, self._targets(step.env, step.plan.service)).run()


class _Watch:
    """One window from the confirmed shift on."""

    def __init__(self, step: Step, target: Target) -> None:
        self.step, self.wanted = step, wants(step, NotWorse)
        self.policy: SlicePolicy = step.plan.policy.slices
        self.limit = error_limit(step.plan.baseline, step.plan.policy.verification)
        self.looks = Looks(target)
        self.window = Window(target, self.wanted.version)

    def run(self) -> StepRecord:
        started_at, begun = now(), time.monotonic()
        self._look()
        while True:
            others = self._look()
            reading = self.window.reading()
            self.window.beat()
            verdict = judge_slice(reading, self._readings(others), self.limit)
            if verdict.answer is Answer.FAILED:
                return self._record(started_at, StepState.FAILED, verdict)
            if self._is_long_enough(reading):
                return self._record(started_at, StepState.DONE, verdict)
            if time.monotonic() - begun >= self.policy.max_s:
                return self._record(started_at, StepState.INCONCLUSIVE, self._thin(reading))
            if asked_to_stop():
                return self._record(started_at, StepState.STOPPED, verdict)
            time.sleep(POLL_S)

    def _is_long_enough(self, reading: object) -> bool:
        return (
            isinstance(reading, Reading)
            and reading.window_s >= self.policy.min_s
            and reading.requests >= self.policy.requests
        )

    def _thin(self, reading: object) -> Verdict:
        got = reading.requests if isinstance(reading, Reading) else 0
        because = f"only {got} of {self.policy.requests} requests in {self.policy.max_s:.0f} s"
        return Verdict(check="slice", answer=Answer.INCONCLUSIVE, because=because)

    def _look(self) -> list[str]:
        """Look; the versions that have the rest of the traffic."""
        look = self.looks.take()
        names = [v for v, part in look.shares.shares.items() if part and v != self.wanted.version]
        self.window.with_more(look.snapshot, names)
        return names

    def _readings(self, names: Iterable[str]) -> list[Reading]:
        readings = (self.window.reading(name) for name in names)
        return [reading for reading in readings if isinstance(reading, Reading)]

    def _record(self, started_at: datetime, state: StepState, verdict: Verdict) -> StepRecord:
        return StepRecord(
            kind=self.step.action.kind,
            state=state,
            before=str(self.looks.all[0]),
            written="",
            observed=verdict.because,
            because="" if state is StepState.DONE else verdict.because,
            mark=self.step.mark,
            attempt=activity.info().attempt,
            started_at=started_at,
            finished_at=now(),
            lowest_ready=self.looks.lowest,
            own_errors=self.looks.own_errors,
            found=self.looks.all[-1].found(),
            verdicts=(verdict,),
            samples=self.looks.samples(),
        )
