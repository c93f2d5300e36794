"""The automaton of decisions, as reliability §5 words it. Nothing here knows our workflows.

PENDING → approved, rejected or aborted; the first accepted terminal wins, and an abort wins ties.
Late, duplicate and other-plan messages change nothing. `hold` stops at the next safe point,
`restore` then puts back what was; a native cancel is a hold; a later hold stops a restore. A pause
waits at the boundary of a step. A step that fails waits for retry, skip or an abort.

Messages travel: from people to the rollback, from there to its service, whose steps go on
meanwhile. So the automaton is one of small steps, and its answer is every state in which the
rollback may come to rest; what is seen must be one of them.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from proof.messages.sequence import STEP_COMMANDS, Kind, Message, Mode, World

STEPS = ("prepare", "redirect_traffic", "drain", "verify", "clean_up")
CUTS = ("drain", "verify")
"""Steps that only wait: an abort need not wait for their end."""
WRITES = {"redirect_traffic": "shares v1", "clean_up": "v2 × 0"}
ENDS = {"shares v1": "rolled_back", "shares v2": "restored"}
UNDOES = {"redirect_traffic": "shares v2", "clean_up": "v2 × 3"}


class Abort(NamedTuple):
    """Who stopped it, and how."""

    mode: Kind
    by: str


class Seen(NamedTuple):
    """What anybody can see of a rollback at rest."""

    state: str
    votes: tuple[tuple[str, str, bool], ...]
    writes: tuple[str, ...]
    result: str = ""
    end: str = ""
    because: str = ""


class Automaton(NamedTuple):
    """One state. A queue holds what was sent and has not arrived yet."""

    required: bool
    world: World
    mode: Mode
    to_rollback: tuple[Message, ...] = ()
    to_service: tuple[Message, ...] = ()
    passed_on: tuple[Message | Abort | str, ...] = ()
    phase: str = "planning"
    kept: tuple[Message | Abort | str, ...] = ()
    aborted: bool = False
    cancelled: bool = False
    cancel_passed_on: bool = False
    decided: Kind | None = None
    refused: bool = False
    votes: tuple[tuple[str, str, bool], ...] = ()
    service: str = "none"
    step: int = 0
    go: bool = False
    paused: bool = False
    abort: Abort | None = None
    answer: Kind | None = None
    undoing: tuple[str, ...] = ()
    verified: bool = False
    writes: tuple[str, ...] = ()


def rests(states: Iterable[Automaton]) -> frozenset[Automaton]:
    """Every state of rest that can be reached."""
    left, rest = list(states), set()
    seen = set(left)
    while left:
        state = left.pop()
        further = [other for other in _next(state) if other != state]
        if not further:
            rest.add(state)
        for other in further:
            if other not in seen:
                seen.add(other)
                left.append(other)
    return frozenset(rest)


def sent(state: Automaton, messages: Iterable[Message]) -> Automaton:
    """These were accepted by the server; what the world does happens at once."""
    for message in messages:
        if message.kind is Kind.MEND:
            state = state._replace(world=World.WELL)
        elif message.kind in STEP_COMMANDS:
            state = state._replace(to_service=(*state.to_service, message))
        else:
            state = state._replace(to_rollback=(*state.to_rollback, message))
    return state


def looks(state: Automaton) -> Seen:
    """The state as people see it."""
    if state.phase != "finished":
        return Seen(_label(state), state.votes, state.writes)
    shifts = [write for write in state.writes if write in ENDS]
    end = ENDS[shifts[-1]] if shifts else "untouched"
    because = f"{state.abort.mode} by {state.abort.by}" if state.abort else ""
    verified = state.verified and end == "rolled_back"
    result = "verified" if verified else "not_verified"
    if state.abort is not None:
        result = "aborted"
    if state.refused:
        result = "rejected"
    return Seen("finished", state.votes, state.writes, result, end, because)


def _label(state: Automaton) -> str:
    if state.phase == "waiting":
        return "waiting_for_approval"
    return {"boundary": "paused", "halted": "needs_human"}.get(state.service, "running")


def _next(state: Automaton) -> Iterator[Automaton]:
    asleep = state.mode is Mode.ASLEEP
    if state.to_rollback:
        yield from _arrives(state)
    if state.to_service:
        yield _commands(state)
    if state.passed_on:
        yield _is_told(state)
    if not (asleep and state.to_rollback):
        yield _rollback_goes_on(state)
    if not (asleep and state.to_service):
        yield _service_goes_on(state)
    yield from _step_ends(state)


# the rollback: what arrives, and what follows from it


def _arrives(state: Automaton) -> Iterator[Automaton]:
    message, rest = state.to_rollback[0], state.to_rollback[1:]
    state = state._replace(to_rollback=rest)
    match message.kind:
        case Kind.APPROVE | Kind.REJECT:
            yield from _voted(state, message)
        case Kind.HOLD | Kind.RESTORE:
            abort = Abort(message.kind, message.by)
            yield state._replace(aborted=True, kept=(*state.kept, abort))
        case Kind.CANCEL:
            yield state._replace(cancelled=True)
        case Kind.PAUSE | Kind.RESUME:
            yield state._replace(kept=(*state.kept, message.kind))
        case _:
            yield state


def _voted(state: Automaton, vote: Message) -> Iterator[Automaton]:
    is_open = state.phase == "waiting" and state.decided is None and not state.aborted
    counts = is_open and vote.right and bool(vote.by.strip())
    # A cancel has no place among signals: a vote of the same task may have come before it.
    for counted in {counts, counts and not state.cancelled}:
        recorded = counted or state.mode is not Mode.LIVE  # a refused update leaves no record
        line = ((vote.kind.value, vote.by, counted),) if recorded else ()
        decided = vote.kind if counted else state.decided
        yield state._replace(votes=(*state.votes, *line), decided=decided)


def _rollback_goes_on(state: Automaton) -> Automaton:
    match state.phase:
        case "planning":
            told = bool(state.kept) or state.cancelled
            at_once = not state.required and not told
            state = state._replace(service="ready", go=at_once)
            if state.required:
                return state._replace(phase="waiting")
            state = state._replace(phase="following")
            return state if at_once else _passes_on(state, "go")
        case "waiting" if state.aborted or state.cancelled:
            return state._replace(phase="following")
        case "waiting" if state.decided is Kind.APPROVE:
            return _passes_on(state._replace(phase="following"), "go")
        case "waiting" if state.decided is Kind.REJECT:
            stop = Abort(Kind.HOLD, "a vote")
            passed_on = (*state.passed_on, stop)
            return state._replace(phase="following", refused=True, passed_on=passed_on)
        case "following" if state.service == "ended":
            return state._replace(phase="finished", kept=())
        case "following":
            return _passes_on(state)
    return state


def _passes_on(state: Automaton, *more: str) -> Automaton:
    new = state.cancelled and not state.cancel_passed_on
    cancel = (Abort(Kind.HOLD, "temporal-cancel"),) if new else ()
    return state._replace(
        kept=(),
        cancel_passed_on=state.cancelled,
        passed_on=(*state.passed_on, *state.kept, *cancel, *more),
    )


# the service: what it is told, and how its steps go on


def _is_told(state: Automaton) -> Automaton:
    word, rest = state.passed_on[0], state.passed_on[1:]
    state = state._replace(passed_on=rest)
    if state.service == "ended":
        return state
    match word:
        case Abort(mode=mode):
            stops = state.abort is not None and state.abort.mode is Kind.RESTORE
            counts = state.abort is None or (stops and mode is Kind.HOLD)
            return state._replace(abort=word) if counts else state
        case "go":
            return state._replace(go=True)
        case _:
            return state._replace(paused=word is Kind.PAUSE)


def _commands(state: Automaton) -> Automaton:
    command, rest = state.to_service[0], state.to_service[1:]
    counts = state.service == "halted" and state.answer is None and command.right
    return state._replace(to_service=rest, answer=command.kind if counts else state.answer)


def _service_goes_on(state: Automaton) -> Automaton:
    restores = state.abort is not None and state.abort.mode is Kind.RESTORE
    match state.service:
        case "ready" if state.go or state.abort:
            return state._replace(service="boundary")
        case "boundary" if state.abort:
            undo = tuple(s for s in reversed(STEPS) if WRITES.get(s) in state.writes)
            return state._replace(service="undoing", undoing=undo)
        case "boundary" if state.step == len(STEPS):
            return state._replace(service="ended")
        case "boundary" if not state.paused:
            return state._replace(service="inside")
        case "halted" if state.abort:
            return state._replace(service="boundary", answer=None)
        case "halted" if state.answer:
            skipped = state.answer is Kind.SKIP
            return state._replace(service="boundary", answer=None, step=state.step + skipped)
        case "undoing" if not state.undoing or not restores:
            return state._replace(service="ended", undoing=())
    return state


def _step_ends(state: Automaton) -> Iterator[Automaton]:
    if state.service == "undoing" and state.undoing:
        restores = state.abort is not None and state.abort.mode is Kind.RESTORE
        writes = (*state.writes, UNDOES[state.undoing[0]]) if restores else state.writes
        yield state._replace(undoing=state.undoing[1:], writes=writes)
    if state.service != "inside":
        return
    step = STEPS[state.step]
    if state.abort and step in CUTS:
        yield state._replace(service="boundary")
    if step == "drain" and state.world is World.DRAINING:
        return
    if step == "verify" and state.world is World.UNWELL:
        yield state._replace(service="halted")
        return
    writes = (*state.writes, WRITES[step]) if step in WRITES else state.writes
    verified = state.verified or step == "verify"
    yield state._replace(service="boundary", step=state.step + 1, writes=writes, verified=verified)
