"""The role of metrics, played by one Prometheus: all services of a shard by one question."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import httpx

from activities.integrations.prometheus.api import Api
from activities.integrations.prometheus.query import LOOK_AHEAD_S, selector, value_of
from rollback_manager.increments import Series
from rollback_manager.reading import NoReading
from rollback_manager.series import Increase, Used, look
from rollback_manager.sources import PrometheusSource


class Looks(NamedTuple):
    """By service: a reading or a reason for each version, and what to ask with next time.

    warnings: what Prometheus said beside its answer, such as that a part of the data is missing.
    """

    found: dict[str, dict[str, Increase | NoReading]]
    used: dict[str, Used]
    warnings: tuple[str, ...]


def together(sources: Mapping[str, PrometheusSource]) -> list[dict[str, PrometheusSource]]:
    """The services in groups that one question can ask for: same address, token and labels."""
    groups: dict[tuple[object, ...], dict[str, PrometheusSource]] = defaultdict(dict)
    for service, source in sources.items():
        labels = (source.service_label, *sorted(source.where.items()))
        groups[source.url, source.token, labels][service] = source
    return list(groups.values())


class Prometheus:
    """The counters of services that `together` put into one group."""

    def __init__(self, sources: Mapping[str, PrometheusSource], client: httpx.Client) -> None:
        if len(together(sources)) != 1:
            raise ValueError("services of one address, token and labels, please: see together()")
        one = next(iter(sources.values()))
        self._sources = dict(sources)
        self._api = Api(one.url, client, one.token)

    def read(self, versions: Mapping[str, Sequence[str]], used: Mapping[str, Used]) -> Looks:
        """What grew of these versions by service since `used`; may be asked again at any time.

        Within `PrometheusSource.range_s` nothing is lost; after a longer pause counting begins
        again, and the reading says so. Raises as `Api.query` does; then nothing is used up.
        KeyError for a service that is not of this group.
        """
        asked = {service: self._sources[service] for service in versions}
        if not asked:
            return Looks({}, {}, ())
        at = datetime.now(UTC) + timedelta(seconds=LOOK_AHEAD_S)
        answer = self._api.query(selector(asked), at)
        by_value = _by_value(answer.series, next(iter(asked.values())).service_label)
        looks = {
            service: look(
                by_value.get(value_of(service, source), ()),
                source,
                versions[service],
                used.get(service, Used()),
                answer.at,
            )
            for service, source in asked.items()
        }
        found = {service: one.found for service, one in looks.items()}
        return Looks(found, {service: one.used for service, one in looks.items()}, answer.warnings)


def _by_value(series: Iterable[Series], label: str) -> dict[str, list[Series]]:
    found: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        found[one.labels.get(label, "")].append(one)
    return found
