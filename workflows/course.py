"""The way forward: the plan's steps in order; back from a slice that harms; on to another version.

Who may interrupt it, and what a person answers where it halts, is the workflow's own matter: it
hands in `checkpoint`, `ask` and `note`.
"""

from collections.abc import Awaitable, Callable, Iterable

from temporalio import workflow

from workflows.steps import Steps
from workflows.undo import Undo

with workflow.unsafe.imports_passed_through():
    from rollback_manager import actions
    from rollback_manager.plan import (
        Action,
        ActionKind,
        Alternative,
        Capacity,
        ServicePlan,
        Wanted,
    )
    from rollback_manager.progress import StepRecord, StepState

Ask = Callable[[int, StepRecord], Awaitable[str]]
"""(step, its record) → retry_step, skip_step, or empty where an abort came instead."""


class Course:
    """One service's way to its target, or to the next candidate that the policy allows."""

    def __init__(
        self,
        plan: ServicePlan,
        steps: Steps,
        undo: Undo,
        checkpoint: Callable[[], Awaitable[None]],
        ask: Ask,
        note: Callable[[str], None],
    ) -> None:
        self._plan, self._steps, self._undo = plan, steps, undo
        self._checkpoint, self._ask, self._note = checkpoint, ask, note
        self._left = list(plan.alternatives)
        self._failed: dict[str, int] = {}
        self.version = plan.to_version

    async def run(self) -> None:
        """Every planned step; then, where users are not well, the candidates one after another."""
        done = await self._all(range(len(self._plan.actions)))
        while not done:
            other = self._left.pop(0)
            self._turn_to(other)
            numbers = [self._steps.append(a) for phase in other.phases for a in phase.actions]
            done = await self._all(numbers)

    async def _all(self, numbers: Iterable[int]) -> bool:
        for number in numbers:
            if not await self._through(number):
                return False
        return True

    async def _through(self, number: int) -> bool:
        """One step to its end. False: users are not well, and another version is to be tried."""
        while True:
            await self._checkpoint()
            self._undo.note(self._steps.actions[number])
            record = await self._steps.attempt(number)
            match record.state:
                case StepState.DONE:
                    return True
                case StepState.STOPPED:
                    continue  # the checkpoint raises: a person stopped it
                case StepState.PLANNED:
                    await self._through(0)  # the capacity that the claim saw is gone: prepare it
                    continue
            if self._tries_another(number, record):
                return False
            if await self._settled(number, record):
                return True

    async def _settled(self, number: int, record: StepRecord) -> bool:
        """Whether a person's answer ends this step; otherwise it is tried again."""
        again = await self._put_right(number, record)
        verb = await self._ask(number, record)
        if verb == "skip_step":
            self._steps.note(number, StepState.SKIPPED, f"skipped: {record.because}")
            return True
        if verb != "retry_step" or not again:
            return False
        return await self._all([self._steps.append(action) for action in again])

    async def _put_right(self, number: int, record: StepRecord) -> list[Action]:
        """What is done at once where users are worse off; the steps that a retry then takes."""
        action = self._steps.actions[number]
        if record.state is not StepState.FAILED:
            return []
        if action.fall_back is not None:
            await self._put_back(action.fall_back)
            return [self._steps.actions[number - 1], action]
        if len(self._failed) > 1:
            return await self._serve_the_least_bad()
        if record.kind is ActionKind.VERIFY and self._plan.offered:
            self._note(f"next older verified release: {self._plan.offered}")
        return []

    async def _put_back(self, weights: Wanted) -> None:
        """The last good weights, without asking: an abort does not cut it."""
        back = Action(
            wanted=weights,
            timeout_s=self._plan.policy.timeouts.redirect_traffic_s,
            check="the last good weights",
            no_undo_because="it is the way back from a slice that harms users",
        )
        record = await self._steps.attempt(self._steps.append(back), cut=False)
        if record.state is not StepState.DONE:
            self._note(f"the last good weights could not be put back: {record.because}")

    def _tries_another(self, number: int, record: StepRecord) -> bool:
        if record.kind is not ActionKind.VERIFY or record.state is not StepState.FAILED:
            return False
        self._failed[self.version] = number
        return bool(self._left)

    def _turn_to(self, other: Alternative) -> None:
        """Never the same one twice: each candidate is taken off the list."""
        self._note(f"{self.version} failed its verification: {other.version} is tried")
        self._steps.supersede(f"{other.version} is tried instead")
        self._go_for(other.version)

    async def _serve_the_least_bad(self) -> list[Action]:
        """All candidates failed: the one that failed users least gets the traffic."""
        best = min(sorted(self._failed), key=self._failing)
        told = ", ".join(f"{v} {self._failing(v):.2%} failed" for v in sorted(self._failed))
        self._note(f"no candidate is well ({told}): {best} serves as the least bad")
        if best != self.version:
            before = {self.version: 100}
            shift = self._replacing(best) or actions.shift(
                best, {best: 100}, before, self._plan.policy
            )
            self._go_for(best)
            await self._steps.attempt(self._steps.append(shift), cut=False)
        return [self._steps.actions[self._failed[best]]]

    def _replacing(self, version: str) -> Action | None:
        """The step that made one controller bring that version up, where the traffic follows it.

        Its way back is another version's capacity; where versions stand side by side it has none.
        """
        for one in self._steps.actions:
            match one.wanted, one.undo:
                case Capacity() as wanted, Capacity() if wanted.version == version:
                    return one
        return None

    def _go_for(self, version: str) -> None:
        self.version = version
        self._steps.go_for(version)

    def _failing(self, version: str) -> float:
        ratio = self._steps.error_ratio(self._failed[version])
        return 1.0 if ratio is None else ratio
