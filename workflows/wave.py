"""Wave by wave: which services may begin, how many at once, and what happens after a failure."""

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError

from workflows.control import Control
from workflows.fleet import Fleet
from workflows.halt import Halt

with workflow.unsafe.imports_passed_through():
    from rollback_manager.fleet.together import some


class Waves:
    """Nothing begins after an abort, or while a person is asked about the wave before."""

    def __init__(self, fleet: Fleet, control: Control, halted: Halt) -> None:
        self._fleet = fleet
        self._control = control
        self._waves: tuple[tuple[str, ...], ...] = ()
        self._width = 1
        self._at = 0
        self._is_closed = False
        self.halted = halted

    def open(self, waves: tuple[tuple[str, ...], ...], width: int) -> None:
        """The order in which the services of the fleet go, once `begin` is called."""
        self._waves, self._width = waves, max(1, width)

    def close(self) -> None:
        """Nothing begins any more."""
        self._is_closed = True

    def number_of(self, service: str) -> int:
        """The wave in which the service goes, counted from 1."""
        return next(n for n, wave in enumerate(self._waves, start=1) if service in wave)

    async def begin(self) -> None:
        """Let as many of this wave begin as may be under way at once."""
        while service := self._next():
            await self._fleet[service].begin()

    def has_moved(self) -> bool:
        """Whether `go_on` has something to do."""
        if self.halted.is_open():
            return self.halted.is_answered() or self._control.abort is not None
        return bool(self._next()) or self._is_to_be_judged()

    async def go_on(self) -> str | None:
        """Begin what may begin. In words what a person is asked now, "" for nothing any more.

        None: nothing has changed about that.
        """
        asked: str | None = None
        if self.halted.is_open() and self.has_moved():
            await self._answered()
            asked = ""
        while self._is_to_be_judged():
            if words := await self._wrong():
                return self.halted.ask(f"wave-{self._at + 1}", words)
            self._at += 1
            await self.begin()
        await self.begin()
        return asked

    @property
    def _now(self) -> tuple[str, ...]:
        return self._waves[self._at] if self._waves else ()

    def _may_begin(self) -> bool:
        stopped = self._is_closed or self._control.abort is not None
        return not stopped and not self.halted.is_open()

    def _next(self) -> str:
        """The first of this wave that is not begun; empty where none may begin now."""
        if not self._may_begin():
            return ""
        still = [name for name in self._now if not self._fleet[name].done()]
        waiting = [name for name in still if not self._fleet[name].begun]
        return waiting[0] if waiting and len(still) - len(waiting) < self._width else ""

    def _is_to_be_judged(self) -> bool:
        """Whether this wave has ended and another one follows."""
        if not self._may_begin() or self._at + 1 >= len(self._waves):
            return False
        return all(self._fleet[name].done() for name in self._now)

    async def _wrong(self) -> str:
        """What is wrong about this wave, and what waits for it."""
        wrong = [one for one in await self._fleet.outcomes(self._now) if not one.is_well]
        if not wrong:
            return ""
        ended = some(f"{one.service} ended {one.end}: {one.because}" for one in wrong)
        later = some((name for wave in self._waves[self._at + 1 :] for name in wave), ", ")
        return f"{ended}; {later} untouched"

    async def _answered(self) -> None:
        """Skip: the next wave. Retry: those of this one that are not well, once more."""
        verb = self.halted.close()
        if verb == "skip_step":
            self._at += 1
        elif verb == "retry_step":
            for one in await self._fleet.outcomes(self._now):
                if not one.is_well:
                    await self._again(one.service)

    async def _again(self, service: str) -> None:
        try:
            await self._fleet.start(service, go=False)
        except WorkflowAlreadyStartedError as error:
            self.halted.note(f"{service} was not tried again: {error.workflow_id} is held")
