"""What a judge that was brought along is given: one number of a version, of one minute or some.

A minute without a reading has no number, and one without requests has no ratio: never zero.
"""

from collections.abc import Sequence

from rollback_manager.metrics.reading import NoReading, Reading
from rollback_manager.statistics.static import LEAST_REQUESTS
from rollback_manager.watch.signals import Signal

Minutes = Sequence[Reading | NoReading]
"""One reading per minute, the newest last."""


def value(one: Reading | NoReading, signal: Signal) -> float | None:
    """The number of one reading, in the signal's own unit; None where there is none."""
    if isinstance(one, NoReading):
        return None
    match signal:
        case Signal.ERROR_RATIO:
            return one.error_ratio if one.requests else None
        case Signal.SUCCESS_RATIO:
            return 1 - one.error_ratio if one.requests else None
        case Signal.ERRORS_PER_S:
            return one.errors / one.window_s if one.window_s else None
        case Signal.REQUESTS_PER_S:
            return one.requests_per_s if one.window_s else None
        case Signal.LATENCY_P95_MS:
            return one.latency_p95_ms


def measured(window: Minutes, signal: Signal) -> float | None:
    """The number over several minutes; None below LEAST_REQUESTS, or where none was read.

    A P95 over several is their mean by requests: histograms are not kept for so long.
    """
    read = [one for one in window if isinstance(one, Reading)]
    requests = requests_of(window)
    if not read or (requests < LEAST_REQUESTS and signal is not Signal.REQUESTS_PER_S):
        return None
    if signal is Signal.LATENCY_P95_MS:
        return _mean_p95(read)
    whole = read[-1].model_copy(
        update={
            "requests": requests,
            "errors": sum(one.errors for one in read),
            "window_s": sum(one.window_s for one in read),
        }
    )
    return value(whole, signal)


def requests_of(window: Minutes) -> int:
    """Requests of all minutes that were read."""
    return sum(one.requests for one in window if isinstance(one, Reading))


def _mean_p95(read: Sequence[Reading]) -> float | None:
    timed = [(one.latency_p95_ms, one.requests) for one in read if one.latency_p95_ms is not None]
    requests = sum(count for _, count in timed)
    return sum(p95 * count for p95, count in timed) / requests if requests else None
