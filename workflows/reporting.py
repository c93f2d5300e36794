"""What a service tells its rollback of its steps: each share and each verdict, once."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from rollback_manager.progress import StepStatus
    from rollback_manager.telling.notices import reported


class Milestones:
    """The steps of one service that people are told of. Where nobody is told it finds none."""

    def __init__(self, statuses: list[StepStatus], *, tells: bool) -> None:
        """statuses: of all steps, kept up to date by whoever carries them out."""
        self._statuses, self._tells = statuses, tells
        self._known: set[tuple[int, str]] = set()

    def new(self) -> tuple[StepStatus, ...]:
        """Those that came to rest since the last call."""
        found = []
        for number, step in enumerate(self._statuses if self._tells else ()):
            key = number, str(step.finished_at)
            if reported(step.name, step.state) and key not in self._known:
                self._known.add(key)
                found.append(step)
        return tuple(found)
