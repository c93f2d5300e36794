"""The plan: everything that a rollback will do, as data. The workflow only interprets it."""

import hashlib
import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from rollback_manager.authority.keys import VerifyKey
from rollback_manager.authority.quorum import Quorum
from rollback_manager.gates import GateResult
from rollback_manager.metrics.reading import NoReading, Reading, Total
from rollback_manager.owners import Owner
from rollback_manager.policy import ApprovalPolicy, Policy
from rollback_manager.release import Baseline
from rollback_manager.tier import Tier
from rollback_manager.values import Percent, Ratio, Seconds, Shares, Value


class ActionKind(StrEnum):
    """The kinds of action; each is one activity of the same name."""

    RESTORE_CONFIGURATION = "restore_configuration"
    HOLD_OWNER = "hold_owner"
    PREPARE = "prepare"
    REDIRECT_TRAFFIC = "redirect_traffic"
    CHECK_SLICE = "check_slice"
    STOP_BATCH = "stop_batch"
    DRAIN = "drain"
    VERIFY = "verify"
    CLEAN_UP = "clean_up"


class Configured(Value):
    """These objects are as they were with `version`; weights of a route are not touched.

    digest: of the content in the records; empty: as they are found, with our mark on them. before:
    of the content that a write may replace. objects: such as `ConfigMap shop`, `HTTPRoute shop`.
    """

    kind: Literal[ActionKind.RESTORE_CONFIGURATION] = ActionKind.RESTORE_CONFIGURATION
    version: str
    digest: str
    before: str
    objects: tuple[str, ...]


class OwnersHeld(Value):
    """Nobody else takes the rollback back: each owner is held, or is given back what it had.

    minimum: instances below which an autoscaler does not go while it is held.
    """

    kind: Literal[ActionKind.HOLD_OWNER] = ActionKind.HOLD_OWNER
    owners: tuple[Owner, ...]
    minimum: int = 1
    hold: bool = True

    @property
    def names(self) -> str:
        """In words, whom it concerns."""
        return ", ".join(one.name for one in self.owners)


class Capacity(Value):
    """At least `instances` of `version` are ready to carry traffic."""

    kind: Literal[ActionKind.PREPARE] = ActionKind.PREPARE
    version: str
    instances: int


class Split(Value):
    """The traffic is split so, confirmed by the share measured of `version`."""

    kind: Literal[ActionKind.REDIRECT_TRAFFIC] = ActionKind.REDIRECT_TRAFFIC
    version: str
    shares: Shares
    at_least: Ratio = 0.99


class NotWorse(Value):
    """Users of `version`, which has a slice of the traffic, are not worse off than before.

    A sign of harm is looked for, no proof of health: `percent` of the traffic is too thin for one.
    """

    kind: Literal[ActionKind.CHECK_SLICE] = ActionKind.CHECK_SLICE
    version: str
    percent: Percent


class Reduced(Value):
    """At most `instances` of `version` run, though it still has its share of the traffic.

    Each instance that is stopped leaves the rotation by itself first: it is not ready any more,
    and answers what it has. `kept` takes over.
    """

    kind: Literal[ActionKind.STOP_BATCH] = ActionKind.STOP_BATCH
    version: str
    kept: str
    instances: int


class Drained(Value):
    """`version` gets no traffic and answers no request any more."""

    kind: Literal[ActionKind.DRAIN] = ActionKind.DRAIN
    version: str


class Well(Value):
    """Users of `version` are well, shown by readings and journeys."""

    kind: Literal[ActionKind.VERIFY] = ActionKind.VERIFY
    version: str
    instances: int


class Removed(Value):
    """At most `instances` of `version` run; `kept` is the version that carries the traffic."""

    kind: Literal[ActionKind.CLEAN_UP] = ActionKind.CLEAN_UP
    version: str
    kept: str
    instances: int = 0


Wanted = Annotated[
    OwnersHeld | Configured | Capacity | Split | NotWorse | Reduced | Drained | Well | Removed,
    Field(discriminator="kind"),
]
"""The state that an action brings about, in absolute values."""


class Action(Value):
    """One planned step: what must be true afterwards, how that is seen, how it is undone.

    fall_back: put back at once, without asking, when this check says that users are worse off.
    """

    wanted: Wanted
    timeout_s: Seconds
    check: str
    undo: Wanted | None = None
    no_undo_because: str = ""
    fall_back: Wanted | None = None
    point_of_no_return: bool = False

    @property
    def kind(self) -> ActionKind:
        """The kind, which is the name of the activity that carries it out."""
        return self.wanted.kind

    @property
    def name(self) -> str:
        """How people and commands call this step, e.g. `redirect_traffic`."""
        return str(self.wanted.kind)


class Phase(Value):
    """Actions that belong together; between phases is always a safe place to stop."""

    name: str
    actions: tuple[Action, ...]


class Alternative(Value):
    """Where to go next if the version that this plan goes back to fails its verification."""

    version: str
    digest: str
    because: str
    baseline: Baseline | None = None
    phases: tuple[Phase, ...]


class ServicePlan(Value):
    """What will be done to one service."""

    service: str
    strategy: str
    from_version: str
    from_digest: str
    to_version: str
    to_digest: str
    target_because: str
    desired: int
    floor: int
    phases: tuple[Phase, ...]
    policy: Policy
    baseline: Baseline | None = None
    not_undone: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    """Tried in this order, each once, and only if the policy allows further attempts."""
    offered: str = ""
    """The next older verified version, for the person who is asked."""
    adopts: str = ""
    """The ended rollback from whose claim this goes on; its versions are that one's."""
    place: str = ""
    """Where alone it may be carried out, where names can lead elsewhere: a cluster with its UID."""
    owners: tuple[str, ...] = ()
    """Who else writes what this writes, and what is done about it; a sentence for each."""
    stays: bool = False
    """Whether it is watched afterwards, so that nobody takes it back unseen."""

    @property
    def actions(self) -> tuple[Action, ...]:
        """All actions in order."""
        return tuple(action for phase in self.phases for action in phase.actions)


class Found(Value):
    """What planning saw of a service. Not part of the digest: it changes every second."""

    service: str
    ready: dict[str, int]
    shares: dict[str, int]
    bad_reading: Annotated[Reading | NoReading, Field(discriminator="kind")]
    """All answers of the bad version since it was released."""
    counted: Total | None = None
    """Where the window begins in which the traffic before the shift is measured."""
    by_hand: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    """What became of the world since the target was recorded, in short sentences."""
    until: tuple[str, ...] = ()
    """What ends the way back to the target, or will."""
    not_asked: tuple[str, ...] = ()
    """What could end it, and was not looked at."""
    analyses: tuple[str, ...] = ()
    """What the platform's own analyses said of the bad version, in short sentences."""


class Estimate(Value):
    """How long it will take, and where that figure comes from."""

    traffic_back_s: Seconds
    verified_s: Seconds
    source: str


class Risk(Value):
    """What could go wrong, and what is done about it."""

    risk: str
    mitigation: str


NOT_AGREED_TO = {
    *("digest", "found", "gates", "estimate", "made_at"),
    *("tier_because", "keys", "channels"),
}
"""What may differ between two looks at the same plan: figures and who is told, not intentions. Nor
do keys belong to it: their rotation voids no vote."""


class RollbackPlan(Value):
    """All services of a rollback, in waves, with what it rests on."""

    env: str
    security: str
    services: tuple[ServicePlan, ...]
    waves: tuple[tuple[str, ...], ...]
    approval: ApprovalPolicy
    time_limit_s: Seconds
    plan_valid_s: Seconds
    abort_when: tuple[str, ...]
    done_when: tuple[str, ...]
    risks: tuple[Risk, ...]
    gates: tuple[GateResult, ...]
    found: tuple[Found, ...]
    estimate: Estimate
    made_at: datetime
    tier: Tier | None = None
    """How much authority it needs; None in plans of older builds."""
    tier_because: str = ""
    quorum: Quorum | None = None
    """How many agree and who counts; None, as in older builds: the first vote decides."""
    keys: tuple[VerifyKey, ...] = ()
    """Whose signatures count, now and next; none at level local."""
    break_glass: str = ""
    """Who began it without anybody's approval; empty: nobody did."""
    channels: tuple[str, ...] = ()
    """Who is told at each milestone: names of the environment's `notifications`."""
    digest: str = ""
    """Of this plan when it was made (`digest_of`). Stored, not computed anew: a later build may
    know more fields, and would arrive at a digest for which nobody has voted."""

    def sealed(self) -> "RollbackPlan":
        """The same plan with its digest."""
        return self.model_copy(update={"digest": digest_of(self)})


class Part(Value):
    """Services of one wave that go back together, where there are more than one plan can hold.

    digest: of their plan; empty until it is made.
    """

    key: str
    wave: int
    services: tuple[str, ...]
    digest: str = ""


def digest_of(plan: RollbackPlan) -> str:
    """SHA-256 of the canonical JSON of all that people agree to; 64 hex digits."""
    agreed = plan.model_dump(mode="json", exclude=NOT_AGREED_TO)
    text = json.dumps(agreed, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def quotes(text: str, digest: str) -> bool:
    """Whether `text` names this plan: at least the first 12 digits, as people copy them."""
    return len(text) >= 12 and digest.startswith(text)


def short(digest: str) -> str:
    """The digest as people see it: `7f3c…a1`."""
    return f"{digest[:4]}…{digest[-2:]}"
