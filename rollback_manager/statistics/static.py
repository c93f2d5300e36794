"""A fixed limit on one-minute readings, 3 bad of the last 5: where there is no control, no history.

One bad minute blames 168 to 367 of 1,000 good releases of world S, three of five about one to nine:
slow (three minutes at best), and hardly ever wrong.
"""

from collections.abc import Sequence

from rollback_manager.metrics.reading import NoReading, Reading
from rollback_manager.statistics.evidence import Answer, Finding

NEEDED, OF = 3, 5
ERROR_LIMIT = 0.1
"""The seed's critical error rate."""
LEAST_REQUESTS = 20
"""A minute with fewer is not judged: 2 errors of 15 requests are more than 10 %, by chance."""
COMPARATOR = "a fixed limit"


def judge_static(
    minutes: Sequence[Reading | NoReading],
    error_limit: float = ERROR_LIMIT,
    latency_limit_ms: float | None = None,
) -> Finding:
    """Whether 3 of the last 5 one-minute readings of the new version are over a limit.

    latency_limit_ms: for the P95, twice the baseline's by the seed; None where there is none. The
    evidence is the number of bad minutes, not nats: a fixed limit has no probabilities.
    """
    judged = [
        one for one in minutes[-OF:] if isinstance(one, Reading) and one.requests >= LEAST_REQUESTS
    ]
    bad = sum(_over(one, error_limit, latency_limit_ms) for one in judged)
    answer = _answer(bad, len(judged))
    return Finding(
        test="static_3_of_5",
        answer=answer,
        evidence_nats=float(bad),
        threshold_nats=float(NEEDED),
        requests=sum(one.requests for one in judged),
        comparator=COMPARATOR,
        because=f"{bad} of {len(judged)} judged minutes over {error_limit:.0%} errors"
        + ("" if latency_limit_ms is None else f" or a P95 of {latency_limit_ms:.0f} ms"),
        lasted_s=_since_first_bad(minutes[-OF:], error_limit, latency_limit_ms),
        fine_up_to=error_limit if answer is Answer.FINE_SO_FAR else None,
    )


def _answer(bad: int, judged: int) -> Answer:
    """Fine when the last five cannot turn bad by the minutes that were not judged."""
    if bad >= NEEDED:
        return Answer.REGRESSED
    missing = OF - judged
    return Answer.FINE_SO_FAR if bad + missing < NEEDED else Answer.CANNOT_TELL


def _over(reading: Reading, error_limit: float, latency_limit_ms: float | None) -> bool:
    slow = (
        latency_limit_ms is not None
        and reading.latency_p95_ms is not None
        and reading.latency_p95_ms > latency_limit_ms
    )
    return reading.error_ratio > error_limit or slow


def _since_first_bad(
    minutes: Sequence[Reading | NoReading], error_limit: float, latency_limit_ms: float | None
) -> float | None:
    """Seconds from the beginning of the first bad minute to the end of the last one."""
    for place, one in enumerate(minutes):
        if not isinstance(one, Reading) or one.requests < LEAST_REQUESTS:
            continue
        if _over(one, error_limit, latency_limit_ms):
            return 60.0 * (len(minutes) - place)
    return None
