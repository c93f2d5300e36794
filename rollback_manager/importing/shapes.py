"""What a query measures, if it is one of the plain shapes: a rate, a ratio of rates, a quantile."""

import math
import re
from dataclasses import dataclass, field, replace
from functools import singledispatch

from rollback_manager.importing.labels import Picked, Picks, picked
from rollback_manager.importing.promql import Binary, Call, Matcher, Node, Number, Selector, Unread
from rollback_manager.importing.promql import parsed as tree_of
from rollback_manager.watch.signals import Signal

PER_SECOND, PER_WINDOW = ("rate", "irate"), "increase"
INSTANT_S = 60.0
"""`irate` takes the last two samples, whatever its range; the shortest that is read here."""
HARMLESS = frozenset({"scalar", "round", "abs", "sort", "sort_desc", "vector"})
BAD_NAMES = re.compile(r"(?i)(error|fail|exception|5xx|fault)")
LATENCY_UNITS = {"milliseconds": "ms", "millis": "ms", "ms": "ms", "seconds": "s", "s": "s"}
TIMES = {"ms": 1.0, "s": 0.001}


@dataclass(frozen=True)
class Read:
    """What a query measures in our words, and what of it a source of metrics would need.

    times: our number × this is the query's. quantile: of latency; None for a mean. errors: the
    label and its alternatives, or ("", name) for a metric of its own. notes: what differs.
    """

    signal: Signal
    requests: str
    matchers: tuple[Matcher, ...]
    times: float = 1.0
    window_s: float | None = None
    quantile: float | None = None
    latency: str = ""
    latency_unit: str = ""
    errors: tuple[str, str | None] | None = None
    notes: tuple[str, ...] = field(default=())

    def scaled(self, factor: float) -> "Read":
        """The same in another unit."""
        times = self.times * factor
        if not 0 < times < math.inf:
            raise Unread("it multiplies by what is not above zero, or by too much")
        return replace(self, times=times)

    def noted(self, note: str) -> "Read":
        """The same with one more note."""
        return self if note in self.notes else replace(self, notes=(*self.notes, note))


EMPTY_IS_ZERO = "an empty answer counts as a number there; here it is no measurement"
UNIT_UNKNOWN = "its name does not say whether it is seconds or milliseconds"
GOOD_ALONE = "good answers alone are counted there; here all"
HALVES = "its two halves pick different series there; here both are of the version"
GROUPED = "grouped by labels there and the first group judged; here the version as a whole"


def read(query: str) -> Read:
    """What the query measures. Raises Unread."""
    try:
        found = _read(tree_of(query))
    except RecursionError:
        raise Unread("the query is nested too deeply") from None
    good_alone = any(picked(one).picks is Picks.GOOD for one in found.matchers)
    return found.noted(GOOD_ALONE) if good_alone else found


@singledispatch
def _read(node: Node) -> Read:
    raise Unread("it measures nothing that changes")


@_read.register
def _(node: Selector) -> Read:
    if node.ranged:
        raise Unread("a range without a function around it")
    raise Unread(
        f"a series as it stands, {node.metric or 'without a name'}, not how fast a counter grows"
    )


@_read.register
def _(node: Call) -> Read:
    if node.name in HARMLESS and node.arguments:
        return _read(node.arguments[0])
    if node.name == "histogram_quantile" and len(node.arguments) == 2:
        return _quantile(*node.arguments)
    if node.name in ("sum", *PER_SECOND, PER_WINDOW) and len(node.arguments) == 1:
        return _rate(node)
    raise Unread(f"{node.name}(…) is none of the functions that are read here")


@_read.register
def _(node: Binary) -> Read:
    left, right = node.left, node.right
    match node.sign, left, right:
        case "or", _, _:
            return _read(left).noted(EMPTY_IS_ZERO)
        case "*", Number(value), _:
            return _read(right).scaled(value)
        case "*", _, Number(value):
            return _read(left).scaled(value)
        case "/", _, Number(value):
            return _read(left).scaled(1 / value if value else 0)
        case "/", _, _:
            return _ratio(left, right)
        case "-", Number(value), _:
            return _rest(value, _read(right))
        case _:
            raise Unread(f"a combination by {node.sign!r} that is not read here")


def _rest(whole: float, part: Read) -> Read:
    """1 − errors, or 100 − percent."""
    other = {
        Signal.ERROR_RATIO: Signal.SUCCESS_RATIO,
        Signal.SUCCESS_RATIO: Signal.ERROR_RATIO,
    }.get(part.signal)
    if other is None or whole != part.times:
        raise Unread(f"{whole:g} less something that is no share of it")
    return replace(part, signal=other)


def _rate(node: Node) -> Read:
    """How fast requests, or those that failed, are answered."""
    if isinstance(node, Call) and node.name in ("sum", *HARMLESS) and node.arguments:
        inner = _rate(node.arguments[0])
        return inner.noted(GROUPED) if node.by else inner
    if isinstance(node, Binary) and node.sign == "or":
        return _rate(node.left).noted(EMPTY_IS_ZERO)
    if not isinstance(node, Call) or node.name not in (*PER_SECOND, PER_WINDOW):
        return _no_rate(node)
    inside = node.arguments[0] if len(node.arguments) == 1 else None
    if not isinstance(inside, Selector) or not inside.metric:
        raise Unread("a rate of something that is not one metric")
    return _counted(inside, node.name)


def _no_rate(node: Node) -> Read:
    if isinstance(node, Call) and node.name not in (*HARMLESS, "sum"):
        raise Unread(f"{node.name}(…) is none of the functions that are read here")
    return _read(node)


def _counted(selector: Selector, function: str) -> Read:
    failing = [(one, found) for one in selector.matchers if (found := picked(one)).picks != "other"]
    failed = [(one, found) for one, found in failing if found.picks is Picks.FAILED]
    rest = tuple(one for one in selector.matchers if one not in [one for one, _ in failed])
    named_bad = bool(BAD_NAMES.search(selector.metric)) and not failing
    is_bad = named_bad or bool(failed)
    errors = ("", selector.metric) if named_bad else _label(*failed[0]) if failed else None
    made = Read(
        signal=Signal.ERRORS_PER_S if is_bad else Signal.REQUESTS_PER_S,
        requests="" if named_bad else selector.metric,
        matchers=rest,
        window_s=INSTANT_S if function == "irate" else selector.range_s,
        errors=errors,
    )
    if function != PER_WINDOW:
        return made
    if selector.range_s is None:
        raise Unread("a count over a time that a placeholder stands for")
    return made.scaled(selector.range_s).noted("counted over its window there; here the mean rate")


def _label(matcher: Matcher, found: Picked) -> tuple[str, str | None]:
    return matcher.label, found.failed


def _ratio(left: Node, right: Node) -> Read:
    above, below = _rate(left), _rate(right)
    if above.latency or below.latency:
        raise Unread("a ratio of latencies")
    if mean := _mean_latency(above, below):
        return mean
    notes = tuple(dict.fromkeys((*above.notes, *below.notes)))
    whole = replace(below, notes=notes, times=above.times / below.times)
    if above.signal is Signal.ERRORS_PER_S and below.signal is Signal.REQUESTS_PER_S:
        share = replace(whole, signal=Signal.ERROR_RATIO, errors=above.errors)
        alike = set(above.matchers) == set(below.matchers)
        return share if alike else share.noted(HALVES)
    return _share_of_good(above, below, whole)


def _share_of_good(above: Read, below: Read, whole: Read) -> Read:
    """One metric above and below, and above it one condition more, which picks good answers."""
    more = [one for one in above.matchers if one not in below.matchers]
    same = above.requests == below.requests and above.signal is below.signal
    if not same or len(more) != 1:
        raise Unread(
            "a ratio of two things that are not the failed or good ones among all requests"
        )
    found = picked(more[0])
    if found.picks is not Picks.GOOD:
        raise Unread(f"it is not clear whether {_shown(more[0])} picks good or failed answers")
    return replace(whole, signal=Signal.SUCCESS_RATIO, errors=_label(more[0], found))


def _shown(matcher: Matcher) -> str:
    return f'{matcher.label}{matcher.sign}"{matcher.value}"'


def _quantile(quantile: Node, inside: Node) -> Read:
    if not isinstance(quantile, Number) or not 0 < quantile.value < 1:
        raise Unread("a quantile that is no number between 0 and 1")
    rate = _rate(inside)
    if not rate.requests.endswith("_bucket"):
        raise Unread(f"{rate.requests or 'a metric'} is no histogram with buckets")
    grouped = tuple(note for note in rate.notes if note != GROUPED)  # by (le) is how it is written
    return _latency(replace(rate, notes=grouped), "_bucket", quantile.value)


def _mean_latency(above: Read, below: Read) -> Read | None:
    base = above.requests.removesuffix("_sum")
    if base == above.requests or below.requests != f"{base}_count":
        return None
    return _latency(above, "_sum", None)


def _latency(rate: Read, suffix: str, quantile: float | None) -> Read:
    base = rate.requests.removesuffix(suffix)
    unit = LATENCY_UNITS.get(base.rpartition("_")[2], "")
    made = replace(
        rate,
        signal=Signal.LATENCY_P95_MS,
        requests="",
        latency=base,
        latency_unit=unit,
        quantile=quantile,
        times=TIMES.get(unit, 1.0),
    )
    return made if unit else made.noted(UNIT_UNKNOWN)
