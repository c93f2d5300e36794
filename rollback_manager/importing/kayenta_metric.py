"""One metric of a canary configuration of Kayenta → one of a judge, or why not."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from rollback_manager.importing import readings
from rollback_manager.importing.promql import Unread
from rollback_manager.importing.report import MEND, Notes, apart, refused, short
from rollback_manager.importing.shapes import UNIT_UNKNOWN, Read
from rollback_manager.importing.shapes import read as read_query
from rollback_manager.statistics.kayenta.rules import Direction, MetricRules
from rollback_manager.statistics.kayenta.settings import is_muted, read_rules, text_at
from rollback_manager.watch.kayenta_judge import KayentaMetric
from rollback_manager.watch.signals import Signal

READ_HERE = "prometheus"
PROVIDERS = frozenset(
    {
        "atlas",
        "aws-cloudwatch",
        "cloudwatch",
        "datadog",
        "graphite",
        "influxdb",
        "newrelic",
        "prometheus",
        "signalfx",
        "stackdriver",
        "wavefront",
    }
)
"""Kayenta's sources of metrics, by the `type` of their queries."""
FIELDS = frozenset(
    {"name", "query", "groups", "analysisConfigurations", "scopeName", "serviceName"}
)
SETTINGS = frozenset(
    {"direction", "nanStrategy", "critical", "mustHaveData", "effectSize", "outliers", "muted"}
)
COUNTS_DIFFER = (
    "failed requests per second differ with the split of the traffic alone; judged per request"
)
SPLIT = "requests per second are set by the split of the traffic, not by the release"


class Taken(NamedTuple):
    """The metric, and what its query measures."""

    metric: KayentaMetric
    read: Read


class _Place(NamedTuple):
    where: str
    notes: Notes
    file: str

    def approximated(self, says: str) -> None:
        self.notes.approximated(self.where, says)

    def ignored(self, says: str) -> None:
        self.notes.ignored(self.where, says)


def read_metric(
    metric: Mapping[str, Any],
    place: int,
    config: Mapping[str, Any],
    notes: Notes,
    file: str,
    names: set[str],
) -> Taken | None:
    """The metric in our words; None where it has no counterpart, and `notes` say why.

    Raises ImportRefused for what Kayenta itself would not understand.
    """
    name = short(metric.get("name"), f"metric {place}")
    at = _Place(f'metrics[{place}] "{name}"', notes, file)
    settings = metric.get("analysisConfigurations") or {}
    if not isinstance(settings, Mapping) or not isinstance(settings.get("canary", {}), Mapping):
        raise refused(file, f"{at.where}: analysisConfigurations is no object of objects", MEND)
    if not isinstance(metric.get("groups") or [], list):
        raise refused(file, f"{at.where}: groups is no list", MEND)
    rules, query = _rules(settings, at), _query(metric, at)
    if query is None:
        return None
    if is_muted(settings):
        return at.ignored("muted: shown there and never counted")
    try:
        read = read_query(_promql(query, config))
    except Unread as unread:
        return at.ignored(f"{unread}; declare what it means under metrics:")
    signal = _signal(read, at)
    if signal is None or not _points_to_worse(settings, rules, signal, at):
        return None
    made = _made(apart(name, names), metric, signal, rules, at)
    _note(at, read, made, metric, settings)
    return Taken(made, read)


def _rules(settings: Any, at: _Place) -> MetricRules:
    try:
        rules = read_rules(settings)
        is_muted(settings)
    except ValidationError as error:
        said = error.errors()[0]
        what = f"{at.where}: {'.'.join(map(str, said['loc']))}: {said['msg']}"
        raise refused(at.file, what, MEND) from error
    except (ValueError, OverflowError) as error:
        raise refused(at.file, f"{at.where}: {error}", MEND) from error
    return rules


def _query(metric: Mapping[str, Any], at: _Place) -> Mapping[str, Any] | None:
    """The query, if it is Prometheus'. A provider that Kayenta does not have is a mistake."""
    query = metric.get("query")
    words = query if isinstance(query, Mapping) else {}
    said = words.get("type") or words.get("serviceType") or metric.get("serviceName") or ""
    provider = str(said).lower()
    if provider not in PROVIDERS:
        known = ", ".join(sorted(PROVIDERS))
        what = f"{at.where}: unknown provider {provider!r}; Kayenta has {known}"
        raise refused(at.file, what, MEND)
    if provider == READ_HERE:
        return words
    return at.ignored(f"{provider} is not read here: its numbers are the proxy's or a Prometheus'")


def _promql(query: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    templates = config.get("templates")
    named = str(query.get("customFilterTemplate") or "")
    template = templates.get(named, "") if isinstance(templates, Mapping) else ""
    text = str(query.get("customInlineTemplate") or template or query.get("customFilter") or "")
    if text.startswith("PromQL:"):
        return text.removeprefix("PromQL:")
    metric = query.get("metricName") or "a metric"
    raise Unread(f"the average of {metric} as it stands, not how fast a counter grows")


def _signal(read: Read, at: _Place) -> Signal | None:
    """What is compared; a P95 stands for other quantiles, for both versions alike."""
    match read.signal:
        case Signal.REQUESTS_PER_S:
            at.ignored(SPLIT)
            return None
        case Signal.ERRORS_PER_S:
            at.approximated(COUNTS_DIFFER)
            return Signal.ERROR_RATIO
        case Signal.LATENCY_P95_MS if read.quantile != readings.P95:
            at.approximated(f"{readings.in_words(read)} there; here the P95 of both versions")
    return read.signal


def _points_to_worse(settings: Any, rules: MetricRules, signal: Signal, at: _Place) -> bool:
    worse = Direction.DECREASE if signal is Signal.SUCCESS_RATIO else Direction.INCREASE
    said = text_at(settings, ("canary", "direction"), "")
    if said and said not in set(Direction):
        at.approximated(f"direction {short(said)!r} is unknown, which means either to Kayenta")
    if rules.direction is Direction.EITHER:
        at.approximated(f"direction either: here only worse counts ({worse})")
    elif rules.direction is not worse:
        at.ignored(f"direction {rules.direction}: getting better is no reason to roll back")
        return False
    return True


def _made(
    name: str, metric: Mapping[str, Any], signal: Signal, rules: MetricRules, at: _Place
) -> KayentaMetric:
    try:
        return KayentaMetric.model_validate(
            {
                "name": name,
                "signal": signal,
                "groups": tuple(
                    dict.fromkeys(short(group) for group in metric.get("groups") or ())
                ),
                "measure": rules.measure,
                "effect": _bound(rules, "effect", signal, at),
                "critical": rules.critical,
                "critical_effect": _bound(rules, "critical_effect", signal, at),
                "outlier_factor": rules.outlier_factor,
            }
        )
    except ValidationError as error:
        said = error.errors()[0]
        what = f"{at.where}: {'.'.join(map(str, said['loc']))}: {said['msg']}"
        raise refused(at.file, what, MEND) from error


def _bound(rules: MetricRules, field: str, signal: Signal, at: _Place) -> float | None:
    """The bound on the side that is worse; None where it forgives nothing."""
    both = rules.bounds(getattr(rules, field))
    falls, neutral = signal is Signal.SUCCESS_RATIO, rules.measure.no_effect
    bound = both.low if falls else both.high
    if bound == neutral:
        return None
    if bound > neutral if falls else bound < neutral:
        at.approximated(f"{field} {bound:g} forgives nothing: any difference counts")
        return None
    return bound


def _note(
    at: _Place,
    read: Read,
    made: KayentaMetric,
    metric: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> None:
    said = [readings.in_words(read), f"groups {', '.join(made.groups) or 'none'}"]
    said += [f"effect from {made.effect:g}"] if made.effect is not None else []
    said += ["critical"] if made.critical else []
    at.notes.taken(at.where, ", ".join(said))
    for difference in readings.differences(read):
        if difference != UNIT_UNKNOWN:  # both versions have the same unit
            at.approximated(difference)
    if text_at(settings, ("canary", "nanStrategy"), "") == "replace":
        at.approximated("nanStrategy replace: no errors are counted as 0 here, no data never is")
    _note_rest(at, metric, settings)


def _note_rest(at: _Place, metric: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    unknown = [key for key in metric if key not in FIELDS]
    unknown += [key for key in settings.get("canary", {}) if key not in SETTINGS]
    unknown += [key for key in settings if key != "canary"]
    if unknown:
        at.ignored(f"{', '.join(map(str, unknown))}: not known here")
