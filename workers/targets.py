"""What the catalogue names of each service → objects that reach it, made when first asked for."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import cache
from typing import assert_never

import httpx

from activities.integrations.data_checks import SqlDataCheck
from activities.integrations.envoy import Admin, Envoy, SharedStats
from activities.integrations.http_journeys import HttpJourneys
from activities.integrations.http_json import HttpJson
from activities.integrations.kubernetes import (
    Api,
    HttpRouteTraffic,
    InPlace,
    KubernetesOwners,
    Reader,
    ServiceTraffic,
    SideBySide,
)
from activities.integrations.prometheus import (
    Prometheus,
    PrometheusCounters,
    Rounds,
    together,
)
from activities.integrations.supervisord import Supervisord
from activities.targets import Counters, Owners, Target, Targets, Traffic, Workloads
from rollback_manager.catalogue import Catalogue, Placement
from rollback_manager.platforms import (
    EnvoyTarget,
    HttpRouteTarget,
    KubernetesTarget,
    ServiceTarget,
    SupervisordTarget,
)


def targets(catalogue: Catalogue, client: httpx.Client) -> Targets:
    """The real ones that the catalogue names, each made when it is first asked for."""
    counters, makers = _counters(catalogue, client), _Makers(catalogue, client)

    @cache
    def target(env: str, service: str) -> Target:
        placement = catalogue.placement(env, service)
        own = counters.get((env, service))
        workloads, traffic, owners = makers.roles(placement, own, f"{env}/{service}")
        return Target(
            traffic=traffic,
            workloads=workloads,
            journeys=HttpJourneys(placement.journeys, client),
            business=tuple(HttpJson(source, client) for source in placement.business),
            data_checks=tuple(SqlDataCheck(check) for check in placement.data_checks),
            counters=own,
            owners=owners,
        )

    return target


def _counters(catalogue: Catalogue, client: httpx.Client) -> dict[tuple[str, str], Counters]:
    """Those that the catalogue names; services of one source share its questions."""
    found: dict[tuple[str, str], Counters] = {}
    for env in catalogue.environments:
        sources = {
            name: placement.metrics
            for name, service in catalogue.services.items()
            if (placement := service.environments.get(env)) and placement.metrics
        }
        for group in together(sources):
            rounds = Rounds(Prometheus(group, client))
            for name, source in group.items():
                found[env, name] = PrometheusCounters(rounds, name, source)
    return found


class _Makers:
    """Objects per kind of target; what several services share is made once."""

    def __init__(self, catalogue: Catalogue, client: httpx.Client) -> None:
        self._client = client
        self._routes = _routes(catalogue)
        self._stats: dict[str, SharedStats] = {}
        self._apis = {name: Api(name, one) for name, one in catalogue.clusters.items()}

    def roles(
        self, placement: Placement, counters: Counters | None, holder: str
    ) -> tuple[Workloads, Traffic, Owners | None]:
        """The roles of one service; on Kubernetes they share one reading. holder: ENV/SERVICE."""
        match placement.workloads:
            case SupervisordTarget() as supervisord:
                return Supervisord(supervisord, self._client), self._proxy(placement), None
            case KubernetesTarget() as kubernetes:
                reader = Reader(self._apis[kubernetes.cluster], kubernetes)
                traffic = self._pod_traffic(placement, reader, counters)
                owners = KubernetesOwners(
                    holder, reader, placement.traffic, placement.gitops, self._apis
                )
                return _pods(reader), traffic, owners
            case other:
                assert_never(other)

    def _pod_traffic(
        self, placement: Placement, reader: Reader, counters: Counters | None
    ) -> Traffic:
        match placement.traffic:
            case ServiceTarget() as service:
                return ServiceTraffic(service, reader, counters)
            case HttpRouteTarget() as route:
                return HttpRouteTraffic(route, reader, counters)
            case EnvoyTarget():
                return self._proxy(placement)
            case other:
                assert_never(other)

    def _proxy(self, placement: Placement) -> Traffic:
        envoy = placement.traffic
        if not isinstance(envoy, EnvoyTarget):
            raise TypeError(f"{envoy.kind} was let through without its workloads")
        stats = self._stats.setdefault(envoy.admin, SharedStats(Admin(envoy.admin, self._client)))
        return Envoy(envoy, self._client, stats, self._routes[_address(envoy)])


def _pods(reader: Reader) -> Workloads:
    if len(reader.target.names) > 1:
        return SideBySide(reader)
    return InPlace(reader, dict)


def _routes(catalogue: Catalogue) -> Mapping[str, Collection[str]]:
    """The routes behind each Envoy: whose name goes on in another's, has clusters that do, too."""
    found = defaultdict[str, set[str]](set)
    for service in catalogue.services.values():
        for placement in service.environments.values():
            if isinstance(placement.traffic, EnvoyTarget):
                found[_address(placement.traffic)].add(placement.traffic.route)
    return found


def _address(envoy: EnvoyTarget) -> str:
    return envoy.admin.rstrip("/")
