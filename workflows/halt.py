"""A step that waits for a person: what it says, and the one answer that it takes."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from rollback_manager.contract import Answered, StepCommand
    from rollback_manager.progress import StepRecord


class Halt:
    """At most one step waits at a time; the first answer for it counts."""

    def __init__(self) -> None:
        self._step = ""
        self._verb = ""
        self._noted: list[str] = []
        self.log: list[str] = []

    def note(self, text: str) -> None:
        """What led there; it is told with the halt."""
        self.log.append(text)
        self._noted.append(text)

    def open(self, step: str, record: StepRecord) -> str:
        """The step waits from now on; in words, for what."""
        return self._ask(step, f"{step} {record.state}: {record.because}")

    def ask(self, step: str, because: str) -> str:
        """The same for what is no step of a service, such as a wave."""
        return self._ask(step, f"{step}: {because}")

    def _ask(self, step: str, words: str) -> str:
        self._step, self._verb = step, ""
        self.log.append(words)
        told, self._noted = "; ".join([*self._noted, self.log[-1]]), []
        return f"{told}. Send retry_step, skip_step or abort"

    def is_open(self) -> bool:
        """Whether a step waits."""
        return bool(self._step)

    def is_answered(self) -> bool:
        """Whether a person has said how to go on."""
        return bool(self._verb)

    def close(self) -> str:
        """No step waits any more; the answer, empty where an abort came instead."""
        verb, self._step, self._verb = self._verb, "", ""
        return verb

    def take(self, verb: str, command: StepCommand) -> Answered:
        """The answer, if that step waits and has none yet."""
        if not self._waits(command) or self._verb:
            return Answered(applied=False, because=self._because(command))
        self._verb = verb
        return Answered(applied=True, because=f"{verb} {command.step}")

    def check(self, command: StepCommand) -> None:
        """The validator of both updates: refuses, in words, what waits for nobody."""
        if not self._waits(command):
            raise ApplicationError(self._because(command), type="StepNotWaiting")

    def _waits(self, command: StepCommand) -> bool:
        return bool(self._step) and command.step == self._step

    def _because(self, command: StepCommand) -> str:
        return f"{self._step or 'no step'} waits for a person, not {command.step}"
