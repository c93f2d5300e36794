"""Records releases: what runs now becomes a restore point; what was judged good gets a baseline."""

import time

from temporalio import activity

from activities.asks import Asks
from activities.counted import Window
from activities.frozen import Store
from activities.look import Look, Looks
from activities.reconciler import POLL_S
from activities.step import now
from activities.targets import Targets
from rollback_manager.contract import (
    ListReleases,
    MarkRelease,
    RecordRelease,
    ReleaseRequest,
    Releases,
)
from rollback_manager.errors import Blocked, NotFound
from rollback_manager.frozen import fitted
from rollback_manager.metrics.reading import NoReading, Reading
from rollback_manager.release import Baseline, Release, RestorePoint, Standing


class ReleaseActivities:
    """The one activity behind `releases record`, `mark` and `list`."""

    def __init__(self, records: Store, targets: Targets, asks: Asks) -> None:
        self._records = records
        self._targets = targets
        self._asks = asks

    @activity.defn(no_thread_cancel_exception=True)
    def keep_releases(self, request: ReleaseRequest) -> Releases:
        """Does what is asked and answers with all releases of the service."""
        ask = request.ask
        match ask:
            case RecordRelease():
                self._asks.prove(ask)
                self._record(ask)
            case MarkRelease():
                self._asks.prove(ask)
                self._mark(ask)
            case ListReleases():
                self._targets(ask.env, ask.service)  # refuses names that the catalogue lacks
        return Releases(releases=tuple(self._records.releases(ask.env, ask.service)))

    def _record(self, ask: RecordRelease) -> None:
        target = self._targets(ask.env, ask.service)
        if ask.from_cluster and target.freezer is None:
            raise Blocked(
                f"{ask.service} does not run on a cluster in {ask.env}: nothing to freeze there",
                effect="Nothing was recorded.",
                next_step="Record it without --from-cluster.",
            )
        look = Looks(target).take()
        state = look.versions.get(ask.version)
        if state is None:
            known = ", ".join(sorted(look.versions)) or "none"
            raise NotFound(
                f"{ask.service} {ask.version} is not defined where it runs; defined: {known}",
                effect="Nothing was recorded.",
                next_step="Deploy it first, then record it.",
            )
        known_before = {r.version: r for r in self._records.releases(ask.env, ask.service)}
        earlier = known_before.get(ask.version)
        if earlier is not None and earlier.digest == state.digest:
            self._record_again(ask, earlier, look)
            return
        if earlier is not None and earlier.standing is Standing.BAD:
            raise Blocked(
                f"{ask.version} is recorded as bad: {earlier.because}",
                effect="Nothing was recorded.",
                next_step="Give the repaired release a version of its own.",
            )
        point = self._restore_point(ask, look, state.digest)
        self._records.save_release(ask.env, ask.service, _release(ask, point))

    def _record_again(self, ask: RecordRelease, earlier: Release, look: Look) -> None:
        """A CI job run again: the standing and its evidence stay.

        So does what was frozen, unless it is asked for by its flag, or nothing was.
        """
        is_frozen = earlier.restore_point is not None and earlier.restore_point.frozen
        if earlier.standing is Standing.BAD or (is_frozen and not ask.from_cluster):
            return
        point = self._restore_point(ask, look, earlier.digest)
        if point.frozen:
            again = earlier.model_copy(update={"restore_point": point})
            self._records.save_release(ask.env, ask.service, again)

    def _restore_point(self, ask: RecordRelease, look: Look, digest: str) -> RestorePoint:
        point = RestorePoint(
            digest=digest,
            instances=look.running(ask.version),
            shares=look.shares.shares,
            taken_at=now(),
        )
        freezer = self._targets(ask.env, ask.service).freezer
        if freezer is None:
            return point
        try:
            taken = freezer.freeze(ask.version, complete=ask.from_cluster)
        except NotFound as gone:
            if ask.from_cluster:
                raise
            return point.model_copy(update={"notes": (f"nothing: {gone.what}",)})
        frozen = fitted(taken, complete=ask.from_cluster)
        kept = self._records.keep_frozen(ask.env, ask.service, frozen)
        words = {"frozen": kept, "images": frozen.images, "notes": frozen.in_words()}
        return point.model_copy(update=words)

    def _mark(self, ask: MarkRelease) -> None:
        verified = ask.standing is Standing.VERIFIED
        baseline = self._measure(ask) if verified and ask.measure_s > 0 else None
        because = ask.because or (_words(baseline) if baseline else f"{ask.by} said so")
        self._records.mark_release(
            ask.env, ask.service, ask.version, ask.standing, because, baseline
        )

    def _measure(self, ask: MarkRelease) -> Baseline:
        reading = self._reading(ask)
        if not isinstance(reading, Reading) or not reading.requests:
            why = f" ({reading.because})" if isinstance(reading, NoReading) else ""
            raise Blocked(
                f"{ask.version} answered nothing in {ask.measure_s:.0f} s{why}: no evidence for it",
                effect="Its standing is unchanged.",
                next_step="Send it traffic first; or measure longer, or not at all: --measure-s S",
            )
        return Baseline(
            requests=reading.requests,
            error_ratio=reading.error_ratio,
            latency_p95_ms=reading.latency_p95_ms or 0.0,
            requests_per_s=reading.requests_per_s,
            window_s=reading.window_s,
            taken_at=reading.taken_at,
        )

    def _reading(self, ask: MarkRelease) -> Reading | NoReading:
        target = self._targets(ask.env, ask.service)
        window, until = Window(target, ask.version), time.monotonic() + ask.measure_s
        window.with_more(target.traffic.snapshot())
        while time.monotonic() < until:
            window.beat()
            time.sleep(POLL_S)
            window.with_more(target.traffic.snapshot())
        return window.reading()


def _release(ask: RecordRelease, point: RestorePoint) -> Release:
    return Release(
        version=ask.version,
        digest=point.digest,
        recorded_at=now(),
        recorded_by=ask.by,
        restore_point=point,
    )


def _words(baseline: Baseline) -> str:
    return (
        f"{baseline.requests} requests in {baseline.window_s:.0f} s, {baseline.error_ratio:.2%}"
        f" failed, P95 {baseline.latency_p95_ms:.0f} ms"
    )
