"""A step that waits for a person: what it says, and the one answer that it takes."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.proof import Proof

with workflow.unsafe.imports_passed_through():
    from rollback_manager.authority.proving import question
    from rollback_manager.contract import Answered, StepCommand
    from rollback_manager.progress import StepRecord


class Halt:
    """At most one step waits at a time; the first answer for it counts."""

    def __init__(self, proof: Proof, commands: list[str]) -> None:
        """commands: where answers that counted are kept, with what else people asked for."""
        self._proof, self.commands = proof, commands
        self._step = ""
        self._verb = ""
        self._noted: list[str] = []
        self._asked = 0
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
        self._asked += 1
        self.log.append(words)
        told, self._noted = "; ".join([*self._noted, self.log[-1]]), []
        return f"{told}. Send retry_step, skip_step or abort"

    @property
    def nonce(self) -> str:
        """Of the question that is open; empty while none is."""
        if not self._step:
            return ""
        return question(workflow.info().first_execution_run_id, self._step, self._asked)

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
        """The answer, if that step waits, has none yet, and whoever gives it may."""
        if not self._waits(command) or self._verb:
            return Answered(applied=False, because=self._because(command))
        because = self._proof.refusal(verb, command, self.nonce)
        known = self._proof.taken(verb, command, self.nonce)
        if known is None:
            return Answered(applied=False, because=because)
        self._verb = verb
        self.commands.append(f"{verb} {known.step} by {known.by}: {known.reason}")
        return Answered(applied=True, because=f"{verb} {known.step}")

    def check(self, verb: str, command: StepCommand) -> None:
        """The validator of both updates: refuses, in words, what waits for nobody."""
        if not self._waits(command):
            raise ApplicationError(self._because(command), type="StepNotWaiting")
        if because := self._proof.refusal(verb, command, self.nonce):
            raise ApplicationError(because, type="CommandIgnored", non_retryable=True)

    def _waits(self, command: StepCommand) -> bool:
        return bool(self._step) and command.step == self._step

    def _because(self, command: StepCommand) -> str:
        return f"{self._step or 'no step'} waits for a person, not {command.step}"
