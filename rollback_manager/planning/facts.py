"""What planning looks at, and which version that says is bad. Pure."""

from datetime import datetime

from pydantic import Field

from rollback_manager.claim import Claim, purpose_of
from rollback_manager.drift import Drift
from rollback_manager.errors import Blocked
from rollback_manager.freezes import Freeze
from rollback_manager.gates import GateResult
from rollback_manager.metrics.reading import Snapshot
from rollback_manager.moves import Moves
from rollback_manager.owners import Owner
from rollback_manager.policy import Policy
from rollback_manager.release import Release, Standing
from rollback_manager.strategies import Strategy
from rollback_manager.values import Seconds, Value


class Past(Value):
    """How long an earlier rollback took."""

    verified: bool
    traffic_back_s: Seconds | None
    verified_s: Seconds | None
    finished_at: datetime


class PlanningFacts(Value):
    """Everything that planning one service looks at.

    running, ready, digests, notes: by version; notes: why instances do not count, in words.
    snapshot: the counters of now.
    owners: who else writes there; None: nobody can, and nothing is watched afterwards.
    """

    service: str
    strategy: Strategy
    policy: Policy
    releases: tuple[Release, ...]
    shares: dict[str, int]
    running: dict[str, int]
    ready: dict[str, int]
    digests: dict[str, str]
    notes: dict[str, str] = Field(default_factory=dict)
    snapshot: Snapshot
    past: tuple[Past, ...]
    now: datetime
    moves: Moves = Moves.SHARES
    current: str = ""
    """The version that its one controller brings up; empty where each version has its own."""
    adopted: Claim | None = None
    place: str = ""
    drift: Drift | None = None
    """Since the target was recorded; None where nothing else was frozen of it."""
    preconditions: tuple[GateResult, ...] = ()
    """Of the platform on which it runs."""
    owners: tuple[Owner, ...] | None = None
    frozen: tuple[Freeze, ...] = ()
    """What holds for the service now; the way back passes, unless one of them says otherwise."""


def bad_version(facts: PlanningFacts) -> str:
    """The version to undo: the one that has the traffic.

    Where several have some (a canary, or what an aborted rollback left) it is the one that is not
    verified; the largest share says nothing about who is bad. Where another rollback is gone on
    with, the traffic says nothing at all: it may have been shifted already. Where one controller
    brings a version up that is not verified it is that one: its pods may never have got ready.
    """
    if facts.adopted is not None:
        return purpose_of(facts.adopted, facts.shares).from_version
    verified = {r.version for r in facts.releases if r.standing is Standing.VERIFIED}
    if facts.moves is Moves.CONTROLLER and facts.current and facts.current not in verified:
        return facts.current
    carrying = sorted(version for version, part in facts.shares.items() if part)
    suspects = carrying if len(carrying) == 1 else [v for v in carrying if v not in verified]
    if len(suspects) == 1:
        return suspects[0]
    raise _nobody_knows(facts, carrying, suspects)


def _nobody_knows(facts: PlanningFacts, carrying: list[str], suspects: list[str]) -> Blocked:
    split = ", ".join(f"{v} {facts.shares[v]} %" for v in carrying)
    if not carrying:
        what = f"{facts.service} gets no traffic at all: there is no release to roll back"
    else:
        what = f"which release is bad? Traffic: {split}; not verified: {suspects or 'none'}"
    return Blocked(
        what,
        effect="Production is unchanged.",
        next_step="Record what you know: rollback-manager releases mark SERVICE VERSION verified",
    )
