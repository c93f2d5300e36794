"""Who holds a service: claims, the orphans among them, and why a start is refused then. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from rollback_manager.errors import Blocked, NotFound
from rollback_manager.operation import Mark
from rollback_manager.plan import ServicePlan
from rollback_manager.progress import EndState, Found
from rollback_manager.values import Value

YOUNG = timedelta(seconds=30)
"""So long a watchdog says nothing of a claim: what it belongs to may just be beginning or ending.

Nothing is ever set free by it; a start is refused from the first second on."""


class Purpose(Value):
    """What a rollback was about to do to a service. Empty: an older build did not say."""

    from_version: str = ""
    to_version: str = ""
    strategy: str = ""
    digest: str = ""

    @classmethod
    def of(cls, plan: ServicePlan, digest: str) -> "Purpose":
        """What the claim says to whoever finds it left behind. digest: of the whole plan."""
        return cls(
            from_version=plan.from_version,
            to_version=plan.to_version,
            strategy=plan.strategy,
            digest=digest,
        )


UNSAID = Purpose()


class Claim(Value):
    """One rollback's hold on one service, as the records keep it until that has closed."""

    env: str
    service: str
    rollback: str
    epoch: int
    claimed_at: datetime
    purpose: Purpose = UNSAID

    def is_young(self, now: datetime) -> bool:
        """Whether it was made just now; a clock that is ahead must not hide it for ever."""
        return abs(now - self.claimed_at) < YOUNG

    @property
    def adopt_line(self) -> str:
        """What a person types to go on from it."""
        return f"rollback-manager adopt {self.service} --env {self.env}"


class Left(Value):
    """What an ended rollback left of a service: its claim, and the world as it stands now.

    end: what the world is called by the claim's own versions. mark: of the last write to the
    traffic, whoever's. older: further orphans of the same service, which end with this one.
    """

    claim: Claim
    end: EndState
    found: Found | None = None
    mark: Mark | None = None
    older: tuple[Claim, ...] = ()
    given_back: bool = False


class Watched(Value):
    """What a watchdog knows. trouble: why it cannot tell; the orphans are the last known then."""

    env: str
    orphans: tuple[Claim, ...] = ()
    trouble: str = "it has not looked yet"
    looked: bool = False

    def same_as(self, other: "Watched") -> bool:
        """Whether there is nothing new to tell; the words of a trouble may vary."""
        ours, theirs = _names(self.orphans), _names(other.orphans)
        return ours == theirs and self._state() == other._state()

    def _state(self) -> tuple[bool, bool]:
        return self.looked, bool(self.trouble)


def newest_first(claims: Iterable[Claim]) -> list[Claim]:
    """By service, the highest epoch first."""
    return sorted(claims, key=lambda claim: (claim.service, -claim.epoch))


def held(env: str, service: str, holder: str, claims: Iterable[Claim]) -> Blocked:
    """Somebody is at it: the refusal of a second one."""
    since = next((claim.claimed_at for claim in claims if claim.rollback == holder), None)
    when = f" since {since:%Y-%m-%d %H:%M:%SZ}" if since else ""
    return Blocked(
        f"{service} is being rolled back already: {holder or 'another one'} holds it{when}",
        effect="This call changed nothing; the other rollback goes on.",
        next_step=f"See it: rollback-manager list --env {env}",
    )


def quarantined(claim: Claim) -> Blocked:
    """Somebody was at it and is gone: the refusal of a fresh start."""
    return Blocked(
        f"{claim.service} is in quarantine: {claim.rollback} left it at epoch {claim.epoch} on"
        f" {claim.claimed_at:%Y-%m-%d %H:%M:%SZ}, and does not run any more",
        effect="This call changed nothing. How the other left production is not known here.",
        next_step=f"Look, and go on from there: {claim.adopt_line}",
    )


def nothing_left(env: str, service: str, rollback: str = "") -> NotFound:
    """There is no orphan to adopt."""
    who = f"{rollback} left nothing" if rollback else "no ended rollback left anything"
    return NotFound(
        f"{who} of {service} in {env}: there is nothing to adopt",
        effect="Production is unchanged.",
        next_step=f"Roll it back as usual: rollback-manager start {service} --env {env}",
    )


def purpose_of(claim: Claim, shares: dict[str, int]) -> Purpose:
    """What is to be gone on with, or Blocked where going on would guess.

    shares: the traffic as it is set now.
    """
    purpose = claim.purpose
    carrying = sorted(version for version, part in shares.items() if part)
    others = [v for v in carrying if v not in {purpose.from_version, purpose.to_version}]
    if not (purpose.from_version and purpose.to_version):
        what = f"the claim of {claim.rollback} does not say what it was doing (an older build)"
    elif others:
        what = (
            f"{', '.join(others)} has traffic of {claim.service}, and {claim.rollback} was going"
            f" from {purpose.from_version} to {purpose.to_version}: somebody was here since"
        )
    else:
        return purpose
    raise Blocked(
        what,
        effect="Production is unchanged, and the service stays in quarantine.",
        next_step=f"Look yourself, then end the quarantine: {claim.adopt_line} --give-back",
    )


def target_of(claim: Claim, wanted: str | None) -> str:
    """Where to go on to: the claim's own target. Blocked where another one is asked for."""
    target = claim.purpose.to_version
    if wanted in {None, target}:
        return target
    raise Blocked(
        f"{claim.rollback} was going to {target}: what adopts it cannot go to {wanted}",
        effect="Production is unchanged, and the service stays in quarantine.",
        next_step=f"Name no version; or end the quarantine: {claim.adopt_line} --give-back",
    )


def took_over(adopted: str, epoch: int, above: int) -> list[str]:
    """In words what was done beside the plan; nothing where none was adopted.

    above: the epoch at the target, where the records were behind it.
    """
    if not adopted:
        return []
    words = [f"adopt: goes on from {adopted}, at epoch {epoch}"]
    if above:
        words.append(
            f"adopt: the target carried epoch {above} and the records were behind it (lost, or"
            f" restored from a backup): epoch {epoch} was drawn above it"
        )
    return words


def _names(claims: Iterable[Claim]) -> list[tuple[str, str]]:
    return sorted((claim.service, claim.rollback) for claim in claims)
