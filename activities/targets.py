"""What the activities of one service act on: one protocol per role, owned here by the caller."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rollback_manager.frozen import Frozen
from rollback_manager.metrics.business import NoNumber, Number
from rollback_manager.metrics.reading import NoReading, Snapshot
from rollback_manager.moves import Moves
from rollback_manager.operation import Mark
from rollback_manager.owners import Agreement, Owner
from rollback_manager.plan import OwnersHeld, ServicePlan
from rollback_manager.platform_facts import PlatformFacts
from rollback_manager.stays import Live
from rollback_manager.values import Value
from rollback_manager.verification import Verdict


class SharesAsSet(Value):
    """How the traffic is meant to be split.

    mark: who set it so; None when it was not us. acknowledged: the proxy itself says that it runs
    exactly this, so a split that was written but not taken up is told apart. token: differs after
    every write, whoever made it; a write that quotes an older one is refused.
    """

    shares: dict[str, int]
    mark: Mark | None
    acknowledged: bool
    token: str = ""
    moves: Moves = Moves.SHARES


class VersionState(Value):
    """Instances of one version. ready: answer their readiness check, asked now.

    current: whether its controller brings this version up; None where each version has its own.
    told: how many its controller is told to keep, which may be more than there are; 0 where nobody
    is told. note: in words, why some that answer do not count.
    """

    version: str
    digest: str
    running: int
    ready: int
    maximum: int
    current: bool | None = None
    told: int = 0
    note: str = ""


class InstanceState(Value):
    """One instance that is meant to run, dead or alive.

    ready: answers its readiness check, asked now. started_at: when its process began; None where
    it has none, or nobody can tell. address: base URL at which it answers itself, past the proxy;
    empty where it cannot be asked.
    """

    name: str
    version: str
    ready: bool
    started_at: datetime | None = None
    address: str = ""


class Traffic(Protocol):
    """Shares as set, shares as measured, set shares, requests in flight."""

    def shares(self) -> SharesAsSet:
        """How the traffic is split now, read from the target."""

    def split(self) -> dict[str, int]:
        """The same shares as they were written, without asking whether they are in force.

        For who looks every second, at many services: what is not taken up yet will be.
        """

    def set_shares(self, shares: dict[str, int], mark: Mark, seen: str | None = None) -> None:
        """Write the split unless a newer mark stands there (StaleWrite); returns once written.

        seen: the token of the look that this write rests on; StaleWrite when anybody has written
        since. Marks alone do not see a deployer, who leaves none.

        Whether the proxy took it up is read afterwards by `shares().acknowledged`.
        """

    def snapshot(self, max_age_s: float = 0.0) -> Snapshot:
        """All counters and gauges by version, current to the moment of the call.

        max_age_s: they may be older by so much, so that who looks at many services asks once.
        """

    def by_hand(self, shares: dict[str, int]) -> tuple[str, ...]:
        """Shell lines with which a person sets the same split."""


class Workloads(Protocol):
    """Versions with ready, running and digest; start, scale and stop their instances."""

    def versions(self) -> dict[str, VersionState]:
        """Every version that is defined, running or not; readiness is asked of each instance."""

    def instances(self) -> tuple[InstanceState, ...]:
        """Every instance that nobody stopped, also one that died; readiness is asked of each."""

    def scale(self, version: str, instances: int, mark: Mark) -> None:
        """Run exactly `instances` of `version` unless a newer mark stands there (StaleWrite).

        Returns once asked for; readiness is read afterwards by `versions`.
        """

    def by_hand(self, version: str, instances: int) -> tuple[str, ...]:
        """Shell lines with which a person does the same."""


class Counters(Protocol):
    """What users got of each version, where the catalogue has it counted elsewhere than the proxy.

    Shares, and what is in flight or in rotation, are the proxy's alone.
    """

    @property
    def unseen_s(self) -> float:
        """Between two snapshots that are further apart something may have come and gone unseen."""

    def snapshot(self, version: str, others: Iterable[str] = ()) -> Snapshot | NoReading:
        """Cumulative counters of these versions, all as of `taken_at`, or why there are none.

        The same snapshot again while there is no newer one. An outage is a reason, never an error.
        """


class Journeys(Protocol):
    """The catalogue's HTTP requests through the front door, as users make them."""

    def run(self) -> tuple[Verdict, ...]:
        """One verdict per journey, check named `journey: <name>`."""

    def run_at(self, address: str) -> tuple[Verdict, ...]:
        """The same at one instance, past the proxy. address: its base URL."""


class Freezer(Protocol):
    """Reads everything of a release that returns with it, or that is compared when it does."""

    def freeze(self, version: str, *, complete: bool) -> Frozen:
        """The release as it is right now.

        complete: what cannot be read is an error; otherwise it is named in `not_read`. Secrets and
        custom resources may be out of reach in both cases.
        """

    def again(self, point: Frozen) -> Frozen:
        """The objects of a restore point as they are right now, whatever version they have."""


class Configuration(Protocol):
    """Writes back what a release is configured with, and the rules by which it is reached."""

    def read(self, objects: Iterable[str]) -> Frozen:
        """These objects as they are right now, of no version."""

    def write(self, wanted: Frozen, before: Frozen, mark: Mark) -> None:
        """Make the objects of `wanted` so, unless a newer mark stands there (StaleWrite).

        before: what may be replaced; Blocked where something else stands there by now. What is
        missing is made anew; nothing is ever deleted. Our mark is left on all of them.
        """


class Analyses(Protocol):
    """What the platform itself measured of a version before anybody asked for a rollback."""

    def told(self, version: str) -> tuple[str, ...]:
        """In short sentences, newest first: evidence for a person, no verdict."""


class Preconditions(Protocol):
    """Looks whether the platform lets a plan be carried out. Changes nothing."""

    def seen(self, plan: ServicePlan, restored: Frozen | None) -> PlatformFacts:
        """What is there, with every write of the plan tried.

        restored: what has the configuration that the plan writes back.
        """


class BusinessNumber(Protocol):
    """One number that says how the business does."""

    def read(self) -> Number | NoNumber:
        """The number, or the reason why there is none; every outage is a reason."""


class DataIntegrity(Protocol):
    """One check of the catalogue on a service's data; it can only read."""

    def run(self) -> Verdict:
        """Passed or failed; an error where it could not be asked."""


class Place(Protocol):
    """Where the service is, told apart from every other place that is called the same."""

    def name(self) -> str:
        """The place as read now; PermanentError where the catalogue means another one."""

    def must_be(self, planned: str) -> None:
        """PermanentError unless it is the one that the plan names; asked right before a write."""


class Owners(Protocol):
    """Who else writes what belongs to a service: found, held, given back; and what is written."""

    def found(self) -> tuple[Owner, ...]:
        """All of them, those that cannot be held included."""

    def set(self, wanted: OwnersHeld, mark: Mark) -> str:
        """Hold them or give them back, unless a newer mark stands there; in words what was done.

        What an owner had before is kept with it, and is what it is given back.
        """

    def missing(self, wanted: OwnersHeld) -> str:
        """What of that is not so yet, in words; empty where all is."""

    def agrees(self, owner: Owner, since: datetime) -> Agreement:
        """Whether what the owner would bring about is what has run `since`."""

    def deny(self, version: str) -> str:
        """Bar the images of a version from coming back, where the cluster has a list for that."""

    def live(self) -> Live:
        """What is written of the service now, and by whom."""


@dataclass(frozen=True)
class Target:
    """Everything that belongs to one service in one environment.

    business, data_checks: in the order of the catalogue.
    """

    traffic: Traffic
    workloads: Workloads
    journeys: Journeys
    business: tuple[BusinessNumber, ...] = ()
    data_checks: tuple[DataIntegrity, ...] = ()
    counters: Counters | None = None
    """None: the proxy itself counts."""
    place: Place | None = None
    """None: there is but one."""
    freezer: Freezer | None = None
    """None: nothing but images and counts is frozen of a release."""
    configuration: Configuration | None = None
    """None: no configuration returns with a release."""
    analyses: Analyses | None = None
    """None: the platform has none of its own."""
    anew: Callable[[], None] | None = None
    """Makes the next look one of now, where looks share what was read a moment ago."""
    preconditions: Preconditions | None = None
    """None: the platform sets none."""

    def must_be_at(self, planned: str) -> None:
        """PermanentError where this is another place than the plan's: before every write."""
        if self.place is not None:
            self.place.must_be(planned)

    owners: Owners | None = None
    """None: nobody else writes there."""


Targets = Callable[[str, str], Target]
"""(environment, service) → its target; PermanentError when the catalogue does not know them."""
