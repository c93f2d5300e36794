"""Whose word counts: everybody's at level local, else only what the gateway signed."""

from typing import TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from rollback_manager.authority.keys import Seal
    from rollback_manager.authority.proving import proven
    from rollback_manager.authority.token import BadToken, Claims, Dec
    from rollback_manager.contract import AbortCommand, PauseCommand, StepCommand
    from rollback_manager.progress import MOST_IGNORED, Ignored
    from rollback_manager.values import Value

Command = AbortCommand | PauseCommand | StepCommand
V = TypeVar("V", bound=Value)
C = TypeVar("C", bound=AbortCommand | PauseCommand | StepCommand)


class Proof:
    """What decisions must prove, which of them were used, and what did not count."""

    def __init__(self, seal: Seal | None = None, plan: str = "") -> None:
        self.seal = seal or Seal()
        self.plan = plan
        self.used: list[str] = []
        self.ignored: list[Ignored] = []

    def use(self, jti: str) -> None:
        """A decision counts once."""
        if jti:
            self.used.append(jti)

    def refusal(self, verb: str, command: Command, nonce: str | None = None) -> str:
        """Why it would not count now; empty if it would. nonce: of the question it answers."""
        try:
            self._claims(verb, command, nonce)
        except BadToken as bad:
            return bad.what
        return ""

    def taken(self, verb: str, command: C, nonce: str | None = None) -> C | None:
        """The command by whom it was signed; None where it does not count, which is kept."""
        try:
            claims = self._claims(verb, command, nonce)
        except BadToken as bad:
            self._ignore(verb, command, bad.what)
            return None
        if claims is None:
            return command
        self.use(claims.jti)
        return _by(claims.sub, command)

    def _claims(self, verb: str, command: Command, nonce: str | None) -> Claims | None:
        return proven(
            command,
            self.seal,
            _dec(verb, command),
            workflow.now(),
            self.used,
            word="" if isinstance(command, StepCommand) else command.word,
            plan=self.plan if nonce is not None else None,
            nonce=nonce,
        )

    def _ignore(self, verb: str, command: Command, because: str) -> None:
        workflow.logger.warning("a command was ignored", extra={"because": because})
        if len(self.ignored) < MOST_IGNORED:
            self.ignored.append(
                Ignored(
                    command=str(_dec(verb, command)),
                    by=command.by,
                    at=workflow.now(),
                    because=because,
                )
            )


def _by(who: str, command: V) -> V:
    return command.model_copy(update={"by": who})


def _dec(verb: str, command: Command) -> Dec:
    return Dec(f"abort_{command.mode}" if isinstance(command, AbortCommand) else verb)
