"""Sends one message as people and programs do; the server may refuse it, for it comes too late."""

import uuid
from collections.abc import Callable

from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from proof.in_process import Fleet
from proof.messages.sequence import STEP_COMMANDS, VOTES, Kind, Message, Mode
from rollback_manager.client import Rollback
from rollback_manager.contract import (
    AbortCommand,
    AbortMode,
    Answered,
    PauseCommand,
    StepCommand,
    Vote,
    service_id,
)
from rollback_manager.errors import NotFound
from rollback_manager.values import Value

UNREADABLE: tuple[tuple[str, object], ...] = (
    ("approve", "yes"),
    ("reject", [7]),
    ("abort", {"mode": "sideways"}),
    ("abort", b"\x00\xff"),
    ("pause", 7),
    ("resume", ["a", "list"]),
    ("service_reports", "x"),
    ("budget_answers", {"standing": "free"}),
    ("no_such_signal", {"any": "thing"}),
)
"""Signals as a broken program or a slip in the Web UI sends them."""

OTHER_PLAN = "f" * 64
HALTS = "verify"
"""The one step that waits for a person in the worlds of these sequences."""


class Post:
    """The way to one rollback and its service."""

    def __init__(self, fleet: Fleet, service: str, rollback: Rollback, mode: Mode) -> None:
        self._world = fleet.worlds[service]
        self._rollback = rollback
        self._whole = fleet.client.get_workflow_handle(rollback.id)
        self._service = service
        self._own = fleet.client.get_workflow_handle(service_id(fleet.env, service))
        self._mode = mode
        self.digest = ""

    async def send(self, message: Message) -> tuple[Message | None, bool | None]:
        """The message as it arrived, None where the server refused it; whether an update applied.

        A vote before the plan is known cannot quote it.
        """
        if message.kind in VOTES and not self.digest:
            message = message.model_copy(update={"right": False})
        try:
            applied = await self._send(message)
        except NotFound:
            return None, None
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None, None
        return message, applied

    async def _send(self, message: Message) -> bool | None:
        match message.kind:
            case Kind.MEND:
                self._world.journeys_fail = False
                self._world.in_flight.clear()
            case Kind.CANCEL:
                await self._whole.cancel()
            case Kind.NONSENSE:
                name, words = UNREADABLE[message.variant % len(UNREADABLE)]
                await self._whole.signal(name, words)
            case kind if self._mode is Mode.LIVE and kind in (*VOTES, *STEP_COMMANDS):
                return await self._update(message)
            case kind:
                await self._signal(kind, message)
        return None

    async def _update(self, message: Message) -> bool:
        """Without the product's client: that one leaves a signal where no worker answers soon."""
        whom, words = self._whom(message.kind), self._words(message)
        try:
            answer: Answered = await whom.execute_update(
                message.kind.value, words, id=uuid.uuid4().hex, result_type=Answered
            )
        except WorkflowUpdateFailedError:
            return False
        return answer.applied

    async def _signal(self, kind: Kind, message: Message) -> None:
        name = "abort" if kind in (Kind.HOLD, Kind.RESTORE) else kind.value
        await self._whom(kind).signal(name, self._words(message))

    def _whom(self, kind: Kind) -> WorkflowHandle[object, object]:
        return self._own if kind in STEP_COMMANDS else self._whole

    def _words(self, message: Message) -> Value:
        by = message.by
        words: dict[Kind, Callable[[], Value]] = {
            Kind.HOLD: lambda: AbortCommand(mode=AbortMode.HOLD, by=by),
            Kind.RESTORE: lambda: AbortCommand(mode=AbortMode.RESTORE, by=by),
            Kind.PAUSE: lambda: PauseCommand(by=by),
            Kind.RESUME: lambda: PauseCommand(by=by),
            Kind.APPROVE: lambda: self._vote(message),
            Kind.REJECT: lambda: self._vote(message),
            Kind.RETRY: lambda: _step(message),
            Kind.SKIP: lambda: _step(message),
        }
        return words[message.kind]()

    def _vote(self, message: Message) -> Vote:
        return Vote(plan=self.digest if message.right else OTHER_PLAN, by=message.by)


def _step(message: Message) -> StepCommand:
    return StepCommand(step=HALTS if message.right else "drain", by=message.by)
