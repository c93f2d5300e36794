"""Plays sequences on a real server, many at once, and compares each rest with the automaton."""

import asyncio
import time
from collections.abc import Sequence as Many
from contextlib import suppress
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from proof.in_process import Fleet, fleet
from proof.messages import model
from proof.messages.model import Automaton, Seen
from proof.messages.post import Post
from proof.messages.sequence import VOTES, Kind, Message, Mode, Sequence, World
from rollback_manager.contract import service_id
from rollback_manager.errors import Unreachable
from rollback_manager.progress import RollbackStatus
from rollback_manager.values import Value

PATIENCE_S = 60
"""Far more than anything here takes on a loaded machine."""
LOOKS_EVERY_S = 0.2
STAYS_S = 5
"""A state that is not allowed, and that nothing has left for so long, is a disagreement."""
LAST = (
    tuple(Message(kind=kind) for kind in (Kind.MEND, Kind.APPROVE, Kind.RESUME, Kind.RETRY)),
    (Message(kind=Kind.HOLD, by="the end"),),
)
"""Rounds that end whatever still waits, so that each sequence has an outcome."""


class Disagreement(Value):
    """What was seen, where the automaton allows something else."""

    mode: Mode
    sequence: Sequence
    round: int
    seen: str
    allowed: tuple[str, ...]


class Played(Value):
    """How one sequence ended; with what it disagreed."""

    end: str
    disagreement: Disagreement | None = None


class _Differs(Exception):
    def __init__(self, seen: object, allowed: frozenset[object] | set[object]) -> None:
        super().__init__(str(seen))
        self.seen, self.allowed = str(seen), tuple(sorted(map(str, allowed)))


async def play(client: Client, folder: Path, mode: Mode, sequences: Many[Sequence]) -> list[Played]:
    """All of them at once, each on a service of its own."""
    asked = {"approval": {"required": True, "deadline_s": 600}}
    unasked = {"approval": {"required": False}}
    policies = [asked if one.required else unasked for one in sequences]
    async with fleet(client, folder, services=len(sequences), policies=policies) as made:
        courses = [
            _Course(made, service, mode, sequence)
            for service, sequence in zip(made.worlds, sequences, strict=True)
        ]
        async with made.activity_worker():
            await (_in_step(made, courses) if mode is Mode.ASLEEP else _freely(made, courses))
    return [course.played for course in courses]


async def _in_step(made: Fleet, courses: list["_Course"]) -> None:
    """Round by round: all send while no worker takes workflow tasks, then one does."""
    await asyncio.gather(*(course.start() for course in courses))
    rounds = max(len(course.rounds) for course in courses)
    for number in range(rounds):
        await asyncio.gather(*(course.send(number) for course in courses))
        async with made.workflow_worker():
            await asyncio.gather(*(course.settle(number) for course in courses))


async def _freely(made: Fleet, courses: list["_Course"]) -> None:
    async with made.workflow_worker():
        await asyncio.gather(*(course.run() for course in courses))


class _Course:
    """One sequence under way, and every state in which its rollback may be."""

    def __init__(self, made: Fleet, service: str, mode: Mode, sequence: Sequence) -> None:
        self._made, self._service, self._mode, self._sequence = made, service, mode, sequence
        self._world = made.worlds[service]
        self._world.journeys_fail = sequence.world is World.UNWELL
        if sequence.world is World.DRAINING:
            self._world.in_flight["v2"] = 1
        first = Automaton(sequence.required, sequence.world, mode)
        self._may_be = frozenset({first})
        self._applied: bool | None = None
        self._votes = 0
        self._seen: Seen | None = None
        self.played = Played(end="")
        self.rounds = (*sequence.rounds, *LAST)
        if mode is Mode.LIVE:
            one_by_one = (message for some in self.rounds for message in some)
            self.rounds = ((), *((message,) for message in one_by_one))

    async def start(self) -> None:
        """The rollback begins."""
        self._rollback = await self._made.start(self._service)
        self._post = Post(self._made, self._service, self._rollback, self._mode)

    async def run(self) -> None:
        """All rounds, with a worker that always runs."""
        await self.start()
        for number in range(len(self.rounds)):
            await self.send(number)
            await self.settle(number)

    async def send(self, number: int) -> None:
        """The messages of that round, in their order."""
        if self.played.disagreement or number >= len(self.rounds):
            return
        arrived, self._applied = [], None
        for message in self.rounds[number]:
            there, applied = await self._post.send(message)
            self._applied = applied if message.kind in VOTES else None
            if there is not None:
                arrived.append(there)
            elif self._mode is not Mode.RACING and self._must_arrive(message):
                self._differs(number, _Differs(f"{message} was refused", set()))
        self._may_be = frozenset(model.sent(state, arrived) for state in self._may_be)

    def _must_arrive(self, message: Message) -> bool:
        """Whether that workflow runs in every state that is possible."""
        if message.kind in (Kind.RETRY, Kind.SKIP):
            return all(s.service not in {"none", "ended"} for s in self._may_be)
        return all(s.phase != "finished" for s in self._may_be)

    async def settle(self, number: int) -> None:
        """Wait until it rests, and compare."""
        if self.played.disagreement:
            return
        self._may_be = model.rests(self._may_be)
        try:
            self._seen = await self._rests()
        except _Differs as differs:
            self._differs(number, differs)
            return
        end = self._seen
        self.played = Played(end=f"{end.result} {end.end}".strip() or end.state)

    async def _rests(self) -> Seen:
        allowed = {model.looks(state) for state in self._may_be}
        if self._seen is not None and self._seen.state == "finished" and allowed == {self._seen}:
            return self._seen  # whatever came since was refused
        if all(one.state == "finished" for one in allowed):
            await self._ends()
        seen = await self._stays(allowed)
        if seen not in allowed:
            raise _Differs(seen, {*allowed})
        counted = len(seen.votes) > self._votes
        if self._applied is not None and self._applied != counted:
            raise _Differs(f"applied={self._applied} was answered; {seen}", {*allowed})
        self._votes = len(seen.votes)
        self._may_be = frozenset(s for s in self._may_be if model.looks(s) == seen)
        return seen

    async def _ends(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._rollback.result()

    async def _stays(self, allowed: set[Seen]) -> Seen:
        """What is seen at rest: what is allowed, or what nothing changes any more."""
        seen, since = await self._at_rest(), time.monotonic()
        while seen not in allowed and time.monotonic() - since < STAYS_S:
            await asyncio.sleep(LOOKS_EVERY_S)
            now_is = await self._at_rest()
            seen, since = now_is, since if now_is == seen else time.monotonic()
        return seen

    async def _at_rest(self) -> Seen:
        until = time.monotonic() + PATIENCE_S
        while not await self._is_at_rest() and time.monotonic() < until:
            await asyncio.sleep(LOOKS_EVERY_S)
        return await self._look()

    async def _is_at_rest(self) -> bool:
        """Twice in a row nothing is under way, but for a drain that cannot end."""
        for _ in range(2):
            whole, own = self._rollback.id, service_id(self._made.env, self._service)
            if await self._works(whole) or await self._works(own):
                return False
            await asyncio.sleep(LOOKS_EVERY_S / 4)
        return True

    async def _works(self, id: str) -> bool:
        try:
            seen = await self._made.client.get_workflow_handle(id).describe()
        except RPCError:
            return False  # there is no service's workflow yet
        told = seen.raw_description
        waits = {"drain"} if self._world.in_flight else set()
        under_way = {one.activity_type.name for one in told.pending_activities} - waits
        return told.HasField("pending_workflow_task") or bool(under_way)

    async def _look(self) -> Seen:
        while True:
            with suppress(Unreachable):  # the machine is loaded: a query waits ten seconds only
                status = await self._rollback.status()
                break
        self._post.digest = status.digest
        return _seen(status, self._writes())

    def _writes(self) -> tuple[str, ...]:
        words = (write.what for write in self._world.ledger if write.changed)
        return tuple(what.replace("{'", "").replace("': 100}", "") for what in words)

    def _differs(self, number: int, differs: _Differs) -> None:
        disagreement = Disagreement(
            mode=self._mode,
            sequence=self._sequence,
            round=number,
            seen=differs.seen,
            allowed=differs.allowed,
        )
        self.played = Played(end="disagreement", disagreement=disagreement)


def _seen(status: RollbackStatus, writes: tuple[str, ...]) -> Seen:
    votes = tuple((d.decision.value, d.by, d.counted) for d in status.decisions)
    if status.outcome is None:
        return Seen(status.state.value, votes, writes)
    (service,) = status.outcome.services
    because = service.because.partition(":")[0] if service.aborted else ""
    return Seen("finished", votes, writes, status.outcome.result, service.end, because)
