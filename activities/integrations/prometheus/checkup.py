"""One Prometheus asked once for all its services, and in words what is wrong with its answer."""

from collections.abc import Callable, Collection, Sequence

from activities.integrations.prometheus.asking import Answered, Prometheus
from activities.integrations.prometheus.query import value_of
from rollback_manager.access import Checked
from rollback_manager.metrics.source_checks import Place, counters_checked, nothing_found


class PrometheusCheckup:
    """The question of the watch, by itself; and for a service that is not found who is."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    @property
    def services(self) -> Collection[str]:
        """As the catalogue names them."""
        return self._prometheus.sources

    def check(self, env: str, carrying: Callable[[str], Collection[str]]) -> Sequence[Checked]:
        """Each service that is declared there. Raises as `Api.query` does."""
        answer = self._prometheus.ask(self.services)
        return [
            one
            for service in self.services
            for one in self._checked(Place(env=env, service=service), answer, carrying)
        ]

    def _checked(
        self, place: Place, answer: Answered, carrying: Callable[[str], Collection[str]]
    ) -> Sequence[Checked]:
        source, series = self._prometheus.sources[place.service], answer.series[place.service]
        if not any(one.name == source.requests for one in series):
            there = self._prometheus.there(place.service)
            return (nothing_found(place, source, value_of(place.service, source), there),)
        versions = carrying(place.service)
        return counters_checked(place, source, series, versions, answer.at)
