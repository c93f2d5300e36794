"""The question: raw samples of named metrics, of the services of a shard, as one selector.

Nothing in it comes from a request or an alert. What the catalogue says is held to the grammar of
names there, and quoted here all the same.
"""

import re
from collections.abc import Iterable, Mapping

from rollback_manager.metrics.sources import ErrorsMetric, PrometheusSource

LOOK_AHEAD_S = 10.0
"""Samples of a clock that is ahead of ours are asked for, so that it can be told."""


def value_of(service: str, source: PrometheusSource) -> str:
    """What the service's label says."""
    return source.service_value or service


def selector(sources: Mapping[str, PrometheusSource]) -> str:
    """A range selector for all that is counted of these services; they share where and label."""
    one = next(iter(sources.values()))
    names = sorted({name for source in sources.values() for name in _metrics(source)})
    values = sorted({value_of(service, source) for service, source in sources.items()})
    matchers = [
        f"__name__=~{_any_of(names)}",
        f"{one.service_label}=~{_any_of(values)}",
        *(f"{label}={_quoted(value)}" for label, value in sorted(one.where.items())),
    ]
    range_s = max(source.range_s for source in sources.values()) + LOOK_AHEAD_S
    return f"{{{','.join(matchers)}}}[{round(range_s * 1000)}ms]"


def services_there(source: PrometheusSource) -> str:
    """For whom else `requests` is counted: one empty sample per value of the service's label.

    A subquery, for raw samples of all services may be many.
    """
    matchers = (f"{label}={_quoted(value)}" for label, value in sorted(source.where.items()))
    named = ",".join((f"__name__={_quoted(source.requests)}", *matchers))
    return f"group by ({source.service_label}) ({{{named}}})[1s:1s]"


def _metrics(source: PrometheusSource) -> Iterable[str]:
    yield source.requests
    if isinstance(source.errors, ErrorsMetric):
        yield source.errors.metric
    if source.latency:
        yield f"{source.latency}_bucket"


def _any_of(values: Iterable[str]) -> str:
    """A pattern for exactly these; RE2 takes any ASCII punctuation behind a backslash as it is."""
    return _quoted("|".join(re.sub(r"([!-/:-@\[-^`{-~])", r"\\\1", value) for value in values))


def _quoted(value: str) -> str:
    """A string of PromQL, which is one of Go: all that is not plain is written as an escape."""
    plain = (char if char.isalnum() and char.isascii() else _escaped(char) for char in value)
    return f'"{"".join(plain)}"'


def _escaped(char: str) -> str:
    if char in " !#$%&'()*+,-./:;<=>?@[]^_`{|}~":
        return char
    return "".join(f"\\x{byte:02x}" for byte in char.encode())
