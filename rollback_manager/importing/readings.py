"""What differs between what a query measures and what is read here of the same signal."""

from collections.abc import Iterator

from rollback_manager.importing.labels import (
    SERVICE_LABELS,
    Picks,
    literal,
    picked,
    says_version,
)
from rollback_manager.importing.promql import Matcher
from rollback_manager.importing.shapes import Read
from rollback_manager.watch.signals import Signal

P95 = 0.95
AT_THE_PROXY = "5.."
"""What counts as failed at the proxy, where no `metrics:` is declared."""


def in_words(read: Read) -> str:
    """What was understood."""
    if read.signal is Signal.LATENCY_P95_MS:
        what = "mean" if read.quantile is None else f"P{read.quantile * 100:g}"
        return f"{what} latency of {read.latency}"
    if read.signal is Signal.REQUESTS_PER_S:
        return f"requests per second of {read.requests}"
    words = {
        Signal.ERROR_RATIO: "share of failed requests",
        Signal.SUCCESS_RATIO: "share of good requests",
        Signal.ERRORS_PER_S: "failed requests per second",
    }
    return f"{words[read.signal]} of {read.requests or (read.errors or ('', ''))[1]}"


def differences(read: Read) -> Iterator[str]:
    """What a person should know of how it is read here, one thing each."""
    yield from read.notes
    if read.errors is not None and read.errors[0] and read.errors[1] != AT_THE_PROXY:
        label, failed = read.errors
        shown = failed or "not written as a pattern of failed answers"
        yield f"failed there: {label} {shown}; at the proxy 5xx, unless metrics: says otherwise"
    elif read.errors is not None and not read.errors[0]:
        yield f"failed there: {read.errors[1]}; at the proxy 5xx, unless metrics: says otherwise"
    lost = [_shown(one) for one in read.matchers if _is_lost(one)]
    if lost:
        yield f"{', '.join(lost)} is not carried over: readings are of this service and version"


def _is_lost(matcher: Matcher) -> bool:
    known = matcher.label in SERVICE_LABELS or says_version(matcher)
    return not known and literal(matcher) is None and picked(matcher).picks is Picks.OTHER


def _shown(matcher: Matcher) -> str:
    return f'{matcher.label}{matcher.sign}"{matcher.value}"' if matcher.label else matcher.value
