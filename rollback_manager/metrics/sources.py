"""Where numbers of a release are read: what the catalogue says of a Prometheus or a JSON endpoint.

Every name that goes into a query stands here, was reviewed, and is held to the grammar of its kind.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from rollback_manager.values import Timeout, Value

FEWEST_SECONDS_OF_RANGE = 90.0
"""Reach of a query: a worker that was away for a minute still finds the last sample it used."""
INTERVALS_OF_RANGE = 6
"""The same for long scrape intervals: a few scrapes may fail, and the last used one is in it."""
INTERVALS_OF_SILENCE = 3
"""Two failed scrapes happen on a healthy day; from the third on nobody knows what goes on."""
FEWEST_SECONDS_OF_SILENCE = 5.0
"""A scrape may take seconds until its samples can be asked for, however often it is made."""


def _plain_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", url):
        raise ValueError("expected an absolute http or https URL")
    if parts.username or parts.password:
        raise ValueError("no credentials in a URL, for it is shown; name a token by reference")
    _ = parts.port  # a ValueError of its own where it is none
    return url


Url = Annotated[str, AfterValidator(_plain_url)]
"""Absolute, http or https, without credentials: those would stand in messages and logs."""
MetricName = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=200)]
LabelName = Annotated[str, Field(pattern=r"^([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_]*$", max_length=200)]
"""As Prometheus has them; those that begin with two underscores are its own."""
LabelValue = Annotated[str, Field(min_length=1, max_length=200)]
Alternatives = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_.-]+(\|[A-Za-z0-9_.-]+)*$", max_length=200)
]
"""Values of a label: `.` is any one character, `|` is or, as in `5..|error`."""
TokenReference = Annotated[str, Field(pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$")]
"""Where a bearer token is, never the token: `env:NAME` or `file:/PATH`."""


class ErrorsByLabel(Value):
    """Errors are those of the requests that carry such a label."""

    kind: Literal["label"]
    label: LabelName
    matches: Alternatives
    """The whole value of the label must match, such as `5..`."""


class ErrorsMetric(Value):
    """Errors are counted by a metric of their own.

    It should be there from the start, at zero: while no version has it, nobody can tell "no errors"
    from a wrong name, and there is no reading.
    """

    kind: Literal["metric"]
    metric: MetricName


class PrometheusSource(Value):
    """Counters of a service, by version, in a Prometheus or in what speaks its query API."""

    kind: Literal["prometheus"]
    url: Url
    """Base URL, such as http://127.0.0.1:9090."""
    requests: MetricName
    """A counter that grows by one with each answer, such as http_requests_total."""
    errors: Annotated[ErrorsByLabel | ErrorsMetric, Field(discriminator="kind")]
    latency: MetricName | None = None
    """A classic histogram, without its `_bucket`, such as http_request_duration_seconds."""
    latency_unit: Literal["s", "ms"] = "s"
    """The unit of its edges; seconds are Prometheus' own convention."""
    service_label: LabelName = "service"
    service_value: LabelValue | None = None
    """What that label says for this service; left out: the service's name in the catalogue."""
    version_label: LabelName = "version"
    where: dict[LabelName, LabelValue] = Field(default_factory=dict)
    """Labels that all its series carry, such as the environment's where environments share it."""
    scrape_interval_s: Annotated[Timeout, Field(le=300)] = 15
    """As configured there: what is late, and what is a gap, is measured by it. Counters that are
    scraped less often than every five minutes notice no release in time."""
    token: TokenReference | None = None

    @property
    def range_s(self) -> float:
        """How far back a query reaches."""
        return max(FEWEST_SECONDS_OF_RANGE, INTERVALS_OF_RANGE * self.scrape_interval_s)

    @property
    def silence_s(self) -> float:
        """After so long without a sample something is wrong: stale if it is now, else a gap."""
        return max(FEWEST_SECONDS_OF_SILENCE, INTERVALS_OF_SILENCE * self.scrape_interval_s)


class BusinessSource(Value):
    """One number that says how the business does, in the JSON that some URL answers."""

    kind: Literal["http_json"]
    name: str
    url: Url
    pointer: Annotated[str, Field(pattern=r"^(/([^~/]|~[01])*)*$")]
    """JSON pointer (RFC 6901) to a number, such as /orders/per_minute."""
    unit: Annotated[str, Field(min_length=1)]
    """In words, for people: "orders per minute"."""
    better: Literal["higher", "lower"] = "higher"
    """The direction in which the business does well."""
    floor: float | None = None
    """The worst number that is still well, whatever the past says: the least of them, or where
    lower is better the most. Three readings in a row beyond it are a drop."""
    every_s: Annotated[Timeout, Field(ge=1, le=60)] = 60
    """Between two readings. One a minute is kept for a week, so that this hour can be compared
    with the same hour of former days."""
    within_ms: Timeout = 2000
    token: TokenReference | None = None
