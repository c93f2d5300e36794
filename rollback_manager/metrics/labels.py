"""Which series are of a version and of its errors, and in words why there are none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import assert_never

from rollback_manager.metrics.increments import Series
from rollback_manager.metrics.sources import ErrorsByLabel, ErrorsMetric, PrometheusSource


def absent(version: str, series: Sequence[Series], source: PrometheusSource) -> str | None:
    """Why there are no requests of the version; the words help to find a wrong label."""
    requests = [one for one in series if one.name == source.requests]
    if not requests:
        return (
            f"empty: no series of {source.requests} for this service in the last"
            f" {source.range_s:.0f} s"
        )
    label = source.version_label
    there = sorted({one.labels[label] for one in requests if one.labels.get(label)})
    if not there:
        return f"empty: none of {len(requests)} series of {source.requests} has a label {label!r}"
    if version not in there:
        return f"one arm only: {label}={', '.join(there[:5])} is counted, {version!r} is not"
    return None


def errors_unknown(
    mine: Sequence[Series], series: Sequence[Series], source: PrometheusSource
) -> str | None:
    """No errors is a number only where errors would show."""
    match source.errors:
        case ErrorsByLabel(label=label):
            told = any(one.name == source.requests and one.labels.get(label) for one in mine)
            missing = f"no series of {source.requests} of this version has a label {label!r}"
        case ErrorsMetric(metric=metric):
            told = any(one.name == metric for one in series)
            missing = f"no version has a series of {metric}"
        case other:
            assert_never(other)
    return None if told else f"errors cannot be counted: {missing}"


def errors(series: Iterable[Series], source: PrometheusSource) -> list[Series]:
    """Those that count failed requests."""
    match source.errors:
        case ErrorsByLabel(label=label, matches=matches):
            found = re.compile(f"(?:{matches})")
            return [
                one
                for one in series
                if one.name == source.requests and found.fullmatch(one.labels.get(label, ""))
            ]
        case ErrorsMetric(metric=metric):
            return [one for one in series if one.name == metric]
        case other:
            assert_never(other)
