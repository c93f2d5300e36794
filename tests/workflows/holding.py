"""Holds a rollback inside one of its steps, by what the world of the stand-in is like."""

from collections.abc import Callable
from dataclasses import dataclass

from proof.stand_ins import Gate
from rollback_manager.client import Rollback
from tests.rig import Rig

STEPS = ("prepare", "redirect_traffic", "drain", "verify", "clean_up")


@dataclass(frozen=True)
class Held:
    """A rollback that is inside that step and stays there until it is let go."""

    rollback: Rollback
    let_go: Callable[[], None]


async def held_in(made: Rig, step: str, **request: object) -> Held:
    """Start a rollback and wait until it is inside that step."""
    let_go = HOLDS[step](made)
    rollback = await made.start(**request)
    await made.step_runs(step)
    return Held(rollback, let_go)


def _no_instance_becomes_ready(made: Rig) -> Callable[[], None]:
    made.world.running["v1"] = 0
    made.world.not_ready["v1"] = 4
    return made.world.not_ready.clear


def _nobody_asks(made: Rig) -> Callable[[], None]:
    return _requests(made, 0)


def _too_few_ask(made: Rig) -> Callable[[], None]:
    return _requests(made, 20)  # enough to confirm a shift, too few to judge in five seconds


def _requests(made: Rig, per_look: int) -> Callable[[], None]:
    def let_go() -> None:
        made.world.requests_per_look = 10_000

    made.world.requests_per_look = per_look
    return let_go


def _a_request_never_ends(made: Rig) -> Callable[[], None]:
    made.world.in_flight["v2"] = 1
    return made.world.in_flight.clear


def _removing_takes_long(made: Rig) -> Callable[[], None]:
    made.world.before_write = gate = Gate("scale")
    return gate.open


HOLDS: dict[str, Callable[[Rig], Callable[[], None]]] = {
    "prepare": _no_instance_becomes_ready,
    "redirect_traffic": _nobody_asks,
    "drain": _a_request_never_ends,
    "verify": _too_few_ask,
    "clean_up": _removing_takes_long,
}
