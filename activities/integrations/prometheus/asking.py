"""All services of a source by one question, and which services those are."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import httpx

from activities.integrations.prometheus.api import Api
from activities.integrations.prometheus.query import (
    LOOK_AHEAD_S,
    selector,
    services_there,
    value_of,
)
from rollback_manager.metrics.increments import Series
from rollback_manager.metrics.sources import PrometheusSource

MOST_SERVICES = 200
"""Of one question; `api.MOST_BYTES` is made for so many."""


class Answered(NamedTuple):
    """All series of each service that was asked for; what Prometheus said beside them."""

    series: dict[str, Sequence[Series]]
    at: datetime
    warnings: tuple[str, ...] = ()


def together(sources: Mapping[str, PrometheusSource]) -> list[dict[str, PrometheusSource]]:
    """The services in groups that one question can ask for: same address, token and labels."""
    alike: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for service, source in sources.items():
        labels = (source.service_label, *sorted(source.where.items()))
        alike[source.url, source.token, labels].append(service)
    return [
        {service: sources[service] for service in names[first : first + MOST_SERVICES]}
        for names in alike.values()
        for first in range(0, len(names), MOST_SERVICES)
    ]


class Prometheus:
    """Asks for the services that `together` put into one group."""

    def __init__(self, sources: Mapping[str, PrometheusSource], client: httpx.Client) -> None:
        if len(together(sources)) != 1:
            raise ValueError("services of one address, token and labels, please: see together()")
        one = next(iter(sources.values()))
        self.sources = dict(sources)
        self._api = Api(one.url, client, one.token)

    def ask(self, services: Iterable[str]) -> Answered:
        """All samples of these services that the range holds.

        Raises as `Api.query` does. KeyError for a service that is not of this group.
        """
        asked = {service: self.sources[service] for service in sorted(services)}
        if not asked:
            return Answered({}, datetime.now(UTC))
        at = datetime.now(UTC) + timedelta(seconds=LOOK_AHEAD_S)
        answer = self._api.query(selector(asked), at)
        label = next(iter(asked.values())).service_label
        by_value: dict[str, list[Series]] = defaultdict(list)
        for one in answer.series:
            by_value[one.labels.get(label, "")].append(one)
        series = {name: by_value.get(value_of(name, one), []) for name, one in asked.items()}
        return Answered(dict(series), answer.at, answer.warnings)

    def there(self, service: str) -> tuple[str, ...]:
        """What the service's label says where its requests are counted; "" of those without it."""
        source = self.sources[service]
        answer = self._api.query(services_there(source), datetime.now(UTC))
        return tuple(one.labels.get(source.service_label, "") for one in answer.series)
