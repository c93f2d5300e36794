"""One metric of an analysis of Argo Rollouts → one of a judge, or a business number, or why not."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from rollback_manager.importing import readings
from rollback_manager.importing.argo_conditions import brought
from rollback_manager.importing.argo_place import Place
from rollback_manager.importing.argo_web import read_web
from rollback_manager.importing.promql import Unread
from rollback_manager.importing.report import apart, short
from rollback_manager.importing.shapes import GROUPED, UNIT_UNKNOWN, Read
from rollback_manager.importing.shapes import read as read_query
from rollback_manager.metrics.sources import BusinessSource
from rollback_manager.watch.argo_judge import ArgoMetric, why_senseless
from rollback_manager.watch.signals import MOST_MINUTES, Signal

PROVIDERS = {
    "prometheus": "",
    "web": "",
    "kayenta": "it names a configuration that is kept in Kayenta: catalogue import kayenta FILE",
    "job": "a program of theirs; the nearest thing here are `journeys`",
}
"""Why those that are known are not read here; empty for those that are."""
ELSEWHERE = frozenset(
    {"appInsights", "cloudWatch", "datadog", "gcp", "graphite", "influxdb", "newRelic", "opsmx",
     "plugin", "skywalking", "wavefront"}
)  # fmt: skip
FIELDS = frozenset(
    {"name", "interval", "initialDelay", "count", "successCondition", "failureCondition",
     "failureLimit", "inconclusiveLimit", "consecutiveErrorLimit", "consecutiveSuccessLimit",
     "provider"}
)  # fmt: skip
DURATION = re.compile(r"(?<!\d)(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
UNIT_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


class Taken(NamedTuple):
    """The metric, what its query measures, and where it is sent."""

    metric: ArgoMetric
    read: Read
    url: str


def read_metric(
    metric: Mapping[str, Any], at: Place, others: Iterable[ArgoMetric | BusinessSource]
) -> Taken | BusinessSource | None:
    """The metric in our words; None where it has no counterpart, and the notes say why.

    Raises ImportRefused for what Argo Rollouts itself would not accept.
    """
    kind, provider = _provider(metric, at)
    name = apart(short(metric.get("name"), "metric"), (one.name for one in others))
    if unknown := sorted(set(map(str, metric)) - FIELDS):
        at.ignored(f"{', '.join(unknown)}: not known here")
    if kind == "web":
        return read_web(metric, provider, name, at)
    if kind != "prometheus":
        because = PROVIDERS.get(kind) or f"{kind} is not read here"
        return at.ignored(because)
    try:
        return _taken(metric, provider, name, at)
    except Unread as unread:
        return at.ignored(f"{unread}; declare what it means under metrics:")


def _provider(metric: Mapping[str, Any], at: Place) -> tuple[str, Mapping[str, Any]]:
    said = metric.get("provider")
    kinds = list(said) if isinstance(said, Mapping) else []
    if len(kinds) != 1:
        raise at.refused(f"one provider is wanted, not {len(kinds)}")
    kind = str(kinds[0])
    if kind not in PROVIDERS and kind not in ELSEWHERE:
        known = ", ".join(sorted({*PROVIDERS, *ELSEWHERE}))
        raise at.refused(f"unknown provider {kind!r}; Argo Rollouts has {known}")
    inner = said[kind] if isinstance(said, Mapping) else None
    return kind, inner if isinstance(inner, Mapping) else {}


def _taken(
    metric: Mapping[str, Any], provider: Mapping[str, Any], name: str, at: Place
) -> Taken | None:
    read = read_query(at.filled(provider.get("query")))
    if because := _why_not_p95(read):
        return at.ignored(because)
    made = _made(metric, read, name, at)
    if made is None:
        return None
    at.notes.taken(at.where, f"{readings.in_words(read)}, {_rule(made)}")
    _note(metric, provider, read, made, at)
    address = at.filled(provider.get("address"))
    return Taken(made, read, "" if "{{" in address else address)


def _why_not_p95(read: Read) -> str:
    """A limit for a higher quantile holds for the P95, too; one for a lower blames too soon."""
    if read.signal is not Signal.LATENCY_P95_MS:
        return ""
    if UNIT_UNKNOWN in read.notes:
        return f"{readings.in_words(read)}: {UNIT_UNKNOWN}, and its limit has a unit"
    if read.quantile is None or read.quantile < readings.P95:
        return f"a limit of the {readings.in_words(read)}: the P95 is above it on good days"
    return ""


def _rule(made: ArgoMetric) -> str:
    conditions = [one for one in (made.success, made.failure) if one]
    said = f"{' / '.join(conditions)}, every {made.every_minutes} min, {made.failures} may fail"
    return said if made.count is None else f"{said} of the newest {made.count}"


def _made(metric: Mapping[str, Any], read: Read, name: str, at: Place) -> ArgoMetric | None:
    conditions: dict[str, str] = {}
    for word, field in (("successCondition", "success"), ("failureCondition", "failure")):
        if text := at.filled(metric.get(word)):
            found = brought(text)
            conditions[field] = found.text
            for note in found.notes:
                at.approximated(note)
    if not conditions:
        return at.ignored("no condition: every value passes, so it decides nothing")
    numbers = _numbers(metric, read, at)
    if because := _why_never_fails(numbers):
        return at.ignored(because)
    if because := why_senseless(read.signal, read.times, **conditions):
        return at.ignored(because)
    _fit(numbers, at)
    try:
        return ArgoMetric.model_validate(
            {"name": name, "signal": read.signal, "times": read.times, **conditions, **numbers}
        )
    except ValidationError as error:
        said = error.errors()[0]
        raise at.refused(f"{'.'.join(map(str, said['loc']))}: {said['msg']}") from error


def _numbers(metric: Mapping[str, Any], read: Read, at: Place) -> dict[str, Any]:
    interval_s = _duration(metric.get("interval"), "interval", at)
    delay_s = _duration(metric.get("initialDelay"), "initialDelay", at) or 0.0
    count = _number(metric, "count", 0, at)
    if count > 1 and interval_s is None:
        raise at.refused("count needs an interval")
    single = interval_s is None
    return {
        "every_minutes": _minutes(interval_s or 60.0),
        "over_minutes": _minutes(read.window_s or 60.0),
        "after_minutes": math.ceil(delay_s / 60),
        "count": 1 if single else count or None,
        "failures": _number(metric, "failureLimit", 0, at),
        "inconclusive": _number(metric, "inconclusiveLimit", 0, at),
        "errors_in_a_row": _number(metric, "consecutiveErrorLimit", 4, at),
        "successes_in_a_row": _number(metric, "consecutiveSuccessLimit", 0, at),
    }


def _why_never_fails(numbers: Mapping[str, Any]) -> str:
    failures, count = numbers["failures"], numbers["count"]
    if failures < 0:
        return "failureLimit -1: no number of failures fails it"
    if count is not None and failures >= count:
        return f"failureLimit {failures} of {count} measurements: it can never fail"
    if max(failures + 1, count or 0) > MOST_MINUTES:
        return f"it needs more than {MOST_MINUTES} measurements"
    return ""


def _fit(numbers: dict[str, Any], at: Place) -> None:
    """Into the minutes that are kept, by measuring more often."""
    for field in ("over_minutes", "after_minutes"):
        if numbers[field] > MOST_MINUTES:
            at.approximated(f"{field} {numbers[field]}; here {MOST_MINUTES}")
            numbers[field] = MOST_MINUTES
    wanted = max(numbers["count"] or 0, numbers["failures"] + 1, numbers["successes_in_a_row"])
    room = MOST_MINUTES - numbers["over_minutes"]
    if (wanted - 1) * numbers["every_minutes"] > room:
        every = max(1, room // (wanted - 1))
        at.approximated(
            f"every {numbers['every_minutes']} min: {wanted} measurements take longer than the"
            f" {MOST_MINUTES} min that are kept; here every {every} min"
        )
        numbers["every_minutes"] = every


def _note(
    metric: Mapping[str, Any],
    provider: Mapping[str, Any],
    read: Read,
    made: ArgoMetric,
    at: Place,
) -> None:
    for difference in readings.differences(read):
        if difference != GROUPED or read.signal is not Signal.LATENCY_P95_MS:
            at.approximated(difference)
    if read.quantile is not None and read.quantile != readings.P95:
        at.approximated(f"P{read.quantile * 100:g} there; here the P95, which is never above it")
    if made.signal is Signal.REQUESTS_PER_S:
        at.approximated("it advises only, whatever its role: the split sets what is sent")
    interval_s = _duration(metric.get("interval"), "interval", at)
    if interval_s is None:
        at.approximated("measured once there; here each minute, for as long as it is watched")
    elif interval_s % 60:
        at.approximated(f"every {interval_s:g} s there; readings here are of whole minutes")
    if made.count is not None and interval_s is not None:
        at.approximated(f"ends after {made.count} there; here the newest {made.count} are judged")
    elif made.count is None:
        at.approximated(f"counts over the whole run there; here over {MOST_MINUTES} min")
    if said := sorted(set(provider) & {"authentication", "headers", "insecure", "caCert"}):
        at.ignored(f"{', '.join(said)}: name a token by reference under metrics.token")
    if "rangeQuery" in provider:
        at.approximated("rangeQuery: here the newest minutes")


def _number(metric: Mapping[str, Any], word: str, default: int, at: Place) -> int:
    """A whole number, also as text, as Kubernetes has both; -1 for failures alone."""
    said = metric.get(word)
    if said is None:
        return default
    text = at.filled(said) if isinstance(said, str) else said
    try:
        found = int(text) if not isinstance(text, bool | float) else None
    except (TypeError, ValueError):  # a list is no number either
        found = None
    if found is None or found < (-1 if word == "failureLimit" else 0) or found > 1_000_000:
        raise at.refused(f"{word}: {said!r} is no count")
    return found


def _duration(said: object, word: str, at: Place) -> float | None:
    """Seconds of Go's notation, such as 1h30m; None where none is set."""
    text = at.filled(said)
    if not text:
        return None
    parts = DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise at.refused(f"{word}: {text!r} is no duration such as 30s or 5m")
    return sum(float(number) * UNIT_S[unit] for number, unit in parts)


def _minutes(seconds: float) -> int:
    return max(1, math.ceil(seconds / 60))
