"""Latency as counts: how many requests are slower than the old version's P95.

A quantile needs many requests and says nothing of how sure it is; a count of slow requests is as
good as a count of errors, and the same test judges it. At the control's P95, 5 % are slow. "P95
above twice the control's" is "more than 5 % above twice the control's P95". For a lognormal latency
with a log-deviation of 0.7 that is 26 % above the control's P95 itself, which fewer requests show.
"""

import math

from rollback_manager.metrics.reading import percentile
from rollback_manager.statistics.comparator import Margin
from rollback_manager.statistics.envelope import Envelope
from rollback_manager.statistics.evidence import Interval
from rollback_manager.statistics.excess import Counts, Knobs
from rollback_manager.statistics.passing_trouble import Face

USUAL_SHARE = 0.05
"""Of the control's requests are above its P95, by definition."""
KNOBS = Knobs(
    test="latency_p95",
    words="slow",
    margin=Margin(ratio=1.5, least=0.03),
    guard=Margin(ratio=2.0, least=0.05),
    face=Face(ratio=3.0, least=0.0),
    spread=4.9,
    weights=(0.01, 0.04, 0.15, 0.45, 0.3, 0.03, 0.02),
    early_nats=2.25,
    late_nats=10.0,
    least_hits=5,
    relevant=0.18,
    outage=None,
)
"""Half as many slow requests again are allowed. A late regression that counts is most of a doubled
P95, which makes 21 points more of the requests slow. No outage: trouble of a dependency makes as
many requests slow as a bad release does."""
UNSEEN = Envelope.decaying(first=0.7, time_constant_s=45.0)
"""Without history: wider and longer than what releases of world S need."""


def counts(interval: Interval) -> Counts:
    """Slow out of the timed."""
    new, control = interval.new, interval.control
    return Counts(new.slow, new.timed, control.slow, control.timed)


def slow_limit_ms(buckets: tuple[tuple[float, int], ...], factor: float = 1.0) -> float | None:
    """The bucket edge above which a request is slow: the first at or above P95 × `factor`.

    buckets: the control's, cumulative, before the release (`reading.Counts.latency_ms`). None when
    nothing was timed or no edge is so high.
    """
    p95 = percentile(buckets, 0.95)
    if p95 is None:
        return None
    above = [edge for edge, _ in buckets if edge >= p95 * factor]
    return min(above, default=None)


def share_above(ratio: float, sigma: float = 0.7) -> float:
    """Share of requests above the control's P95 once all are slower by `ratio` (lognormal)."""
    z = 1.6448536 - math.log(ratio) / sigma
    return 0.5 * math.erfc(z / math.sqrt(2))
