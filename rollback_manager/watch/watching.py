"""What one environment's watch knows, and which release is watched beside what. Pure."""

from datetime import datetime

from rollback_manager.release import Baseline, Release, Standing
from rollback_manager.values import Value


class Watched(Value):
    """One release under watch, in words for people."""

    service: str
    version: str
    beside: str
    """The version that it is compared with; empty where nothing else has traffic."""
    says: str


class Trouble(Value):
    """A service that cannot be looked at, and why."""

    service: str
    because: str


class Watch(Value):
    """What the watch of one environment knows. trouble: only what has lasted for a while."""

    env: str
    releases: tuple[Watched, ...] = ()
    trouble: tuple[Trouble, ...] = ()
    looked: bool = False

    def first(self, most: int) -> "Watch":
        """The same with so many releases and troubles at most."""
        fewer = {"releases": self.releases[:most], "trouble": self.trouble[:most]}
        return self.model_copy(update=fewer)

    def with_news(self, news: "Watch") -> "Watch":
        """The same with what `news` says of its releases; the others keep their older word."""
        told = {(one.service, one.version): one for one in news.releases}
        releases = tuple(told.get((one.service, one.version), one) for one in self.releases)
        return self.model_copy(update={"releases": releases, "trouble": news.trouble})

    def names(self) -> tuple[tuple[str, str, str], ...]:
        """What is watched beside what, whatever it says."""
        return tuple((one.service, one.version, one.beside) for one in self.releases)

    def troubled(self) -> tuple[str, ...]:
        """Services that cannot be looked at, whatever the reason."""
        return tuple(one.service for one in self.trouble)


def may_be_watched(release: Release, now: datetime, watched_s: float) -> bool:
    """Whether it is young enough, and not known to be bad."""
    young = (now - release.recorded_at).total_seconds() <= watched_s
    return young and release.standing is not Standing.BAD


class SeenWatch(Value):
    """The watch of one environment as a caller finds it.

    looked_at: when its last look reached Temporal, a few seconds behind; None before the first.
    trouble: why it may stand still, such as the last failure of its activity.
    """

    watch: Watch
    looked_at: datetime | None = None
    trouble: str = ""


def to_be_watched(
    releases: list[Release], shares: dict[str, int], now: datetime, watched_s: float
) -> Release | None:
    """The newest release with traffic, unless it is bad or older than the watch lasts."""
    live = [one for one in releases if shares.get(one.version)]
    newest = max(live, key=lambda one: one.recorded_at, default=None)
    return newest if newest is not None and may_be_watched(newest, now, watched_s) else None


def beside(version: str, shares: dict[str, int]) -> str:
    """The other version with the most traffic: the control. Empty where there is none."""
    others = {name: part for name, part in shares.items() if part and name != version}
    return max(sorted(others), key=lambda name: others[name], default="")


def usual(releases: list[Release], version: str, control: str) -> Baseline | None:
    """What users usually get: of the control; else of the newest other one that was good.

    Never of a bad release: what was measured of that would make the next bad one look well.
    """
    others = [one for one in releases if one.version != version and one.baseline is not None]
    good = [one for one in others if one.standing is not Standing.BAD]
    newest_first = sorted(good, key=lambda one: one.recorded_at, reverse=True)
    own = next((one for one in newest_first if one.version == control), None)
    chosen = own or next(iter(newest_first), None)
    return chosen.baseline if chosen else None
