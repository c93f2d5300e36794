"""Releases, what was frozen when they went out, and which of them is known good."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from rollback_manager.errors import Blocked
from rollback_manager.values import Ratio, Seconds, Value


class Standing(StrEnum):
    """What we know about a release."""

    CANDIDATE = "candidate"
    VERIFIED = "verified"
    BAD = "bad"


class Baseline(Value):
    """What users got from a release while it was judged good: the pre-release baseline."""

    requests: int
    error_ratio: Ratio
    latency_p95_ms: float
    requests_per_s: float
    window_s: Seconds
    taken_at: datetime


class RestorePoint(Value):
    """The world as it was when the release went out, as far as this world has one.

    frozen: digest of what the records keep of it (`rollback_manager.frozen`); empty where nothing
    is kept. images: container → digests that its instances reported. notes: in words, what is kept
    and what could not be read.
    """

    digest: str
    instances: int
    shares: dict[str, int]
    taken_at: datetime
    frozen: str = ""
    images: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Release(Value):
    """One version of one service in one environment."""

    version: str
    digest: str
    recorded_at: datetime
    recorded_by: str
    standing: Standing = Standing.CANDIDATE
    because: str = ""
    restore_point: RestorePoint | None = None
    baseline: Baseline | None = None


class Target(Value):
    """The release to go back to, and why it is this one."""

    release: Release
    because: str


def known_good(releases: list[Release], current: str, wanted: str | None = None) -> Target:
    """The newest verified release that is not bad and is not `current`; or `wanted` if it is one.

    `releases` in any order. "The one before" is never assumed: undoing twice by position
    lands on the bad version again.
    """
    newest_first = sorted(releases, key=lambda release: release.recorded_at, reverse=True)
    if wanted is not None:
        return _asked_for(newest_first, current, wanted)
    for release in newest_first:
        if release.standing is Standing.VERIFIED and release.version != current:
            passed_over = [r.version for r in newest_first if r.recorded_at > release.recorded_at]
            return Target(release=release, because=_reason(release, passed_over))
    raise Blocked(
        f"no verified release to go back to: {_standings(newest_first) or 'none is recorded'}",
        effect="Production is unchanged.",
        next_step="Mark one that is good: rollback-manager releases mark SERVICE VERSION verified",
    )


def older(releases: list[Release], target: Release) -> list[Release]:
    """Verified releases from before `target`, newest first: where to go if it fails as well."""
    verified = (r for r in releases if r.standing is Standing.VERIFIED)
    before = [r for r in verified if r.recorded_at < target.recorded_at]
    return sorted(before, key=lambda release: release.recorded_at, reverse=True)


def _asked_for(newest_first: list[Release], current: str, wanted: str) -> Target:
    release = next((r for r in newest_first if r.version == wanted), None)
    if wanted == current:
        what = f"{wanted} is the version that has the traffic now"
    elif release is None:
        what = f"no release {wanted} is recorded: {_standings(newest_first) or 'none is'}"
    elif release.standing is not Standing.VERIFIED:
        what = f"{wanted} is {release.standing}, not verified ({release.because or 'no evidence'})"
    else:
        return Target(release=release, because="asked for by name; verified")
    raise Blocked(
        what,
        effect="Production is unchanged.",
        next_step="See what is recorded: rollback-manager releases list SERVICE",
    )


def _reason(release: Release, passed_over: list[str]) -> str:
    skipped = f"; newer but not taken: {', '.join(passed_over)}" if passed_over else ""
    return f"newest verified release that is not bad{skipped}"


def _standings(releases: list[Release]) -> str:
    return ", ".join(f"{release.version} is {release.standing}" for release in releases)
