"""Whether a rollback stays: the good version still runs, and nobody put the bad one back. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from rollback_manager.authority.keys import VerifyKey
from rollback_manager.owners import NOBODY, Owner, Writer
from rollback_manager.values import Seconds, Value

AFTER_ALL_STEPS = 100_000
"""Step number of the marks of what comes after a rollback, newer than all of its own."""


class Kept(Value):
    """One controller as it stands now.

    digest: of its pod template. epoch: of our newest mark on it, 0 without one. rollout: in words,
    a rollout that is under way; empty without one.
    """

    name: str
    version: str
    digest: str
    replicas: int
    epoch: int = 0
    rollout: str = ""
    template_by: Writer = NOBODY
    replicas_by: Writer = NOBODY


class Live(Value):
    """What is written of a service where it runs, and by whom.

    traffic_by: who wrote last where its traffic goes. epoch: of our newest mark on that.
    """

    kept: tuple[Kept, ...]
    traffic_by: Writer = NOBODY
    epoch: int = 0

    @property
    def newest_epoch(self) -> int:
        """The newest rollback that wrote anything of it."""
        return max((self.epoch, *(one.epoch for one in self.kept)))


class Verdict(StrEnum):
    """What one look says."""

    NOT_LOOKED = "not_looked"
    STAYS = "stays"
    REVERSED = "reversed"
    UNHELD = "unheld"
    """What was held back is let loose again, and not by us."""
    SUPERSEDED = "superseded"
    """Another release or another rollback took its place: nothing is watched any more."""
    CANNOT_TELL = "cannot_tell"


PAGES = frozenset({Verdict.REVERSED, Verdict.UNHELD, Verdict.CANNOT_TELL})
"""A person must look."""


class Stayed(Value):
    """The answer of a look. who: the manager that took it back, with the time.

    released: names of the owners that were given back, with the reason.
    """

    verdict: Verdict
    because: str
    who: str = ""
    at: datetime | None = None
    released: tuple[str, ...] = ()
    left: tuple[Owner, ...] = ()
    held_because: str = ""


class Staying(Value):
    """What is to stay. version, digest: the good release and its template; epoch: of its claim.

    checks_s: seconds after `since` at which a check is due; none where nothing was rolled back and
    only the hold is looked after.
    """

    env: str
    service: str
    rollback: str
    version: str
    digest: str
    bad: str
    floor: int
    epoch: int
    since: datetime
    checks_s: tuple[Seconds, ...] = ()
    hold_s: Seconds = 86_400
    release_on_expiry: bool = False
    owners: tuple[Owner, ...] = ()
    minimum: int = 1
    plan: str = ""
    """Digest of the plan that was carried out."""
    place: str = ""
    """Where alone its owners may be written to, as the plan has it."""
    told: dict[str, str] = Field(default_factory=dict)
    """Channels that hear of it, each with its reference to the rollback's message."""
    keys: tuple[VerifyKey, ...] = ()
    """As the plan pins them: they sign the word by which a person gives back what is held."""


class Check(Value):
    """One moment that was judged: a due check, or a reversal between two."""

    at: datetime
    after_s: Seconds
    due: bool
    stayed: Stayed


class StayStatus(Value):
    """How it stands with a rollback that has ended. next_step: for the person who is asked."""

    staying: Staying
    state: str
    waits_for: str = ""
    next_step: str = ""
    checks: tuple[Check, ...] = ()
    held: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


OFTEN, SELDOM = 100, timedelta(minutes=10)
"""After so many changes somebody fights on and on; then they are told of seldom: a history has room
for some thousand of them, and a hold is looked after for weeks."""


def quiet_until(changes: int, now: datetime) -> datetime | None:
    """Before when no further change is told; None where each is at once."""
    return now + SELDOM if changes > OFTEN else None


def remembered(checks: Sequence[Check]) -> list[Check]:
    """All checks that were due, and the newest of what was seen in between."""
    seen = [one for one in checks if not one.due]
    forgotten = set(map(id, seen[:-OFTEN]))
    return [one for one in checks if id(one) not in forgotten]


def judge(
    staying: Staying, live: Live, shares: Mapping[str, int], ready: Mapping[str, int]
) -> Stayed:
    """What the world says. shares, ready: by version, as read just now."""
    if live.newest_epoch > staying.epoch:
        return _superseded(f"rollback number {live.newest_epoch} of this service took over")
    return (
        _in_place(staying, live.kept[0]) if len(live.kept) == 1 else _side_by_side(staying, live)
    ) or _traffic(staying, live, shares, ready)


def _in_place(staying: Staying, kept: Kept) -> Stayed | None:
    if kept.version not in {staying.version, staying.bad}:
        return _superseded(f"{kept.version} was deployed by {kept.template_by}")
    return _template(staying, kept)


def _side_by_side(staying: Staying, live: Live) -> Stayed | None:
    good = next((one for one in live.kept if one.version == staying.version), None)
    if good is not None:
        return _template(staying, good)
    others = sorted((one for one in live.kept if one.version != staying.bad), key=_newest)
    last = others[-1] if others else live.kept[0]
    what = f"no controller has {staying.version} any more: {last.name} has {last.version}"
    return _reversed(what, last.template_by)


def _newest(kept: Kept) -> str:
    return kept.template_by.at.isoformat() if kept.template_by.at else ""


def _template(staying: Staying, kept: Kept) -> Stayed | None:
    if kept.version == staying.bad:
        return _reversed(f"{kept.name} has {staying.bad} again", kept.template_by)
    if kept.digest != staying.digest:
        what = f"{kept.name} is called {kept.version} and is not what was restored"
        return _reversed(what, kept.template_by)
    if kept.replicas < staying.floor:
        what = f"{kept.name} was scaled to {kept.replicas}, below its floor of {staying.floor}"
        return _reversed(what, kept.replicas_by)
    return None


def _traffic(
    staying: Staying, live: Live, shares: Mapping[str, int], ready: Mapping[str, int]
) -> Stayed:
    good, bad = staying.version, staying.bad
    if part := shares.get(bad, 0):
        kept = next((one for one in live.kept if one.version == bad), None)
        newest = max((live.traffic_by, kept.replicas_by if kept else NOBODY), key=_time)
        return _reversed(f"{bad} serves {part} % of the traffic again", newest)
    if shares.get(good, 0) < 100:
        others = ", ".join(f"{v} {part} %" for v, part in sorted(shares.items()) if part)
        return _superseded(f"the traffic was moved on by {live.traffic_by}: {others}")
    able = ready.get(good, 0)
    if able < staying.floor:
        because = f"{good} has all traffic with {able} ready instances; its floor is"
        return Stayed(verdict=Verdict.CANNOT_TELL, because=f"{because} {staying.floor}")
    because = f"{good} has all traffic on {able} ready instances, its template as restored"
    return Stayed(verdict=Verdict.STAYS, because=because)


def _time(writer: Writer) -> float:
    return writer.at.timestamp() if writer.at else 0.0


def _reversed(what: str, by: Writer) -> Stayed:
    because = f"{what}: written by {by}"
    return Stayed(verdict=Verdict.REVERSED, because=because, who=by.manager, at=by.at)


def _superseded(because: str) -> Stayed:
    return Stayed(verdict=Verdict.SUPERSEDED, because=because)
