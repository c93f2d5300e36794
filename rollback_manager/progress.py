"""What the status query answers, what a step leaves in history, and how a rollback ended."""

from datetime import datetime
from enum import StrEnum
from typing import assert_never

from rollback_manager.contract import Decision
from rollback_manager.gates import GateResult
from rollback_manager.metrics.reading import Total
from rollback_manager.operation import Mark
from rollback_manager.plan import ActionKind
from rollback_manager.tier import Tier
from rollback_manager.values import Value
from rollback_manager.verification import Verdict


class State(StrEnum):
    """Where a rollback is, in one word for every surface."""

    PLANNING = "planning"
    HELD = "held"
    WAITING_FOR_APPROVAL = "waiting_for_approval"
    WAITING_FOR_ITS_WAVE = "waiting_for_its_wave"
    RUNNING = "running"
    PAUSED = "paused"
    NEEDS_HUMAN = "needs_human"
    RESTORING = "restoring"
    FINISHED = "finished"


class StepState(StrEnum):
    """Where one step is."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    INCONCLUSIVE = "inconclusive"
    FAILED = "failed"
    STOPPED = "stopped"
    SKIPPED = "skipped"
    UNDONE = "undone"


class Sample(Value):
    """One look at the world while a step waited. Counts are since the look before."""

    at: datetime
    ready: dict[str, int]
    requests: dict[str, int]
    errors: dict[str, int]
    own_errors: int = 0


class Found(Value):
    """The world of one service as read from the targets themselves.

    current: the version that one controller brings up; empty where each version has its own.
    """

    shares: dict[str, int]
    ready: dict[str, int]
    current: str = ""


class StepRecord(Value):
    """One carried-out step: what was there, what was written, what was seen afterwards.

    written: empty when there was nothing to do. first_write_at: when the effect reached the target.
    samples: at most 120, thinned by the activity, for the report's picture.
    attempt: the one that this tells of; 0 where Temporal gave up waiting for one.
    counted: requests of all versions when the step looked first.
    """

    kind: ActionKind
    state: StepState
    before: str
    written: str
    observed: str
    because: str = ""
    mark: Mark | None = None
    attempt: int = 1
    started_at: datetime
    finished_at: datetime
    first_write_at: datetime | None = None
    lowest_ready: int | None = None
    own_errors: int | None = None
    found: Found | None = None
    verdicts: tuple[Verdict, ...] = ()
    error_ratio: float | None = None
    counted: Total | None = None
    samples: tuple[Sample, ...] = ()
    undoes: bool = False
    """Whether it put back what an earlier step had changed."""


class EndState(StrEnum):
    """How a service stands at rest. `mixed` always asks for a person."""

    UNTOUCHED = "untouched"
    ROLLED_BACK = "rolled_back"
    RESTORED = "restored"
    MIXED = "mixed"
    UNKNOWN = "unknown"


MOST_IGNORED = 100
"""Commands that a rollback lists as ignored; further ones stand in history alone."""


class Ignored(Value):
    """A command that did not count, and why."""

    command: str
    by: str
    at: datetime
    because: str


class ServiceOutcome(Value):
    """How one service ended: declared from what was found, not from what was meant."""

    service: str
    end: EndState
    verified: bool
    because: str
    aborted: bool = False
    found: Found | None = None
    steps: tuple[StepRecord, ...] = ()
    halts: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    epoch: int | None = None
    version: str = ""
    """Where it went back to: the plan's target, or the candidate that took its place."""
    adopted: str = ""
    """The ended rollback that this one went on from."""
    ignored: tuple[Ignored, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether it is rolled back and users were shown to be well: what follows may begin."""
        return self.end is EndState.ROLLED_BACK and self.verified


class Result(StrEnum):
    """How a rollback ended."""

    VERIFIED = "verified"
    NOT_VERIFIED = "not_verified"
    REJECTED = "rejected"
    EXPIRED = "expired"
    ABORTED = "aborted"
    BLOCKED = "blocked"
    STALE_PLAN = "stale_plan"


class DecisionRecord(Value):
    """One accepted or ignored vote."""

    decision: Decision
    by: str
    method: str
    reason: str
    at: datetime
    counted: bool
    because: str
    signed: bool = False
    """Whether by and method are as the gateway signed them; else as somebody wrote them."""
    jti: str = ""


class RollbackOutcome(Value):
    """What a rollback returns: how it ended, per service and by the gates."""

    rollback: str
    result: Result
    because: str
    effect: str
    next_step: str = ""
    digest: str = ""
    services: tuple[ServiceOutcome, ...] = ()
    well: tuple[str, ...] = ()
    """Rolled back and verified, by name alone: of a tree, whose parts tell the rest."""
    untouched: tuple[str, ...] = ()
    """Not begun, by name alone: of a tree."""
    decisions: tuple[DecisionRecord, ...] = ()
    gates: tuple[GateResult, ...] = ()
    security: str = "local"
    not_told: tuple[str, ...] = ()
    """Channels that did not take the last message, each with its reason."""
    ignored: tuple[Ignored, ...] = ()


class StepStatus(Value):
    """One step on the way, for people."""

    name: str
    target: str
    state: StepState = StepState.PLANNED
    summary: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None


class ServiceReport(Value):
    """What a child tells its parent: a person is needed, or no longer; or what it has reached."""

    service: str
    waits_for: str
    word: str = ""
    steps: tuple[StepStatus, ...] = ()
    """Shares and verdicts since the last report, where people are told of them."""


class ServiceStatus(Value):
    """Where one service is."""

    rollback: str
    service: str
    state: State
    from_version: str
    to_version: str
    steps: tuple[StepStatus, ...]
    waits_for: str = ""
    found: Found | None = None
    nonce: str = ""
    """Of the question that waits here: an answer quotes it."""

    @property
    def mixture(self) -> dict[str, int]:
        """Version → percent while several serve side by side; empty where one has all."""
        shares = self.found.shares if self.found else {}
        serving = {version: part for version, part in sorted(shares.items()) if part}
        return serving if len(serving) > 1 else {}


class RollbackStatus(Value):
    """Where a rollback is: the one model that every surface renders."""

    rollback: str
    env: str
    state: State
    digest: str = ""
    requested_by: str = ""
    reason: str = ""
    waits_for: str = ""
    deadline: datetime | None = None
    services: tuple[ServiceStatus, ...] = ()
    decisions: tuple[DecisionRecord, ...] = ()
    outcome: RollbackOutcome | None = None
    security: str = "local"
    incident: str = ""
    first_run: str = ""
    """Id of its first run, which an answer quotes; a reset keeps it."""
    nonce: str = ""
    """Of the question that is open, whether for approval or for a wave; an answer quotes it."""
    tier: Tier | None = None
    tier_because: str = ""
    quorum: str = ""
    """How many have agreed of how many: `1 of 2`; empty where nobody is asked."""
    quorum_because: str = ""
    break_glass: str = ""
    """Who began it without anybody's approval; empty: nobody did."""
    escalated: bool = False
    reminded: int = 0
    asked_again_at: datetime | None = None
    """When people are told again, unless somebody decides before."""
    ignored: tuple[Ignored, ...] = ()


def end_state(found: Found, good: str, bad: str, wrote: bool) -> EndState:
    """What the world at rest is called.

    wrote: whether any step of ours wrote. Mixed is everything that is neither wholly good nor bad:
    also where one controller brings up another version than the one that has the traffic so far.
    """
    if found.shares.get(good, 0) == 100 and found.current in {"", good}:
        return EndState.ROLLED_BACK
    if found.shares.get(bad, 0) == 100 and found.current in {"", bad}:
        return EndState.RESTORED if wrote else EndState.UNTOUCHED
    if found.current == bad and not wrote:  # its instances may never have got ready
        return EndState.UNTOUCHED
    return EndState.MIXED


EFFECTS = {
    EndState.UNTOUCHED: "Production is unchanged.",
    EndState.ROLLED_BACK: "Production is on the known-good release.",
    EndState.RESTORED: "Production is as it was before: on the release that was called bad.",
    EndState.MIXED: "Production is MIXED: act now.",
    EndState.UNKNOWN: "The state of production is unknown: look before you act.",
}


def whole_end(services: tuple[ServiceOutcome, ...]) -> EndState:
    """How all of them together stand: some rolled back and some not is *mixed*."""
    order = list(EndState)
    ends = {service.end for service in services}
    worst = max(ends, key=order.index, default=EndState.UNTOUCHED)
    parted = EndState.ROLLED_BACK in ends and worst is EndState.RESTORED
    parted = parted or ends == {EndState.ROLLED_BACK, EndState.UNTOUCHED}
    return EndState.MIXED if parted else worst


def effect_of(services: tuple[ServiceOutcome, ...]) -> str:
    """What it means for production; if not all stand alike, with every service by name."""
    effect = EFFECTS[whole_end(services)]
    if len({service.end for service in services}) < 2:
        return effect
    alike = {end: [s.service for s in services if s.end is end] for end in EndState}
    listed = (
        f"{end.replace('_', ' ')}: {', '.join(names)}" for end, names in alike.items() if names
    )
    return f"{effect} Services: {'; '.join(listed)}."


def exit_code(outcome: RollbackOutcome) -> int:
    """The exit code that CLI and CI give for an outcome (0, 3, 5, 6, 7 or 9)."""
    partly = outcome.well and (outcome.services or outcome.untouched)
    if partly or whole_end(outcome.services) in {EndState.MIXED, EndState.UNKNOWN}:
        return 6
    match outcome.result:
        case Result.VERIFIED:
            return 0
        case Result.REJECTED | Result.ABORTED:
            return 3
        case Result.BLOCKED:
            return 7
        case Result.STALE_PLAN:
            return 9
        case Result.NOT_VERIFIED | Result.EXPIRED:
            return 5
        case _ as never:
            assert_never(never)
