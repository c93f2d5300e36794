"""What the catalogue names of each service → objects that reach it, made when first asked for."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import assert_never

import httpx

from activities.clusters import Access
from activities.frozen import FrozenReleases, Store
from activities.integrations.data_checks import SqlDataCheck
from activities.integrations.envoy import Admin, Envoy, SharedStats
from activities.integrations.git import Repository
from activities.integrations.http_journeys import HttpJourneys
from activities.integrations.http_json import HttpJson
from activities.integrations.kubernetes import (
    Api,
    ClusterConfiguration,
    ClusterFreezer,
    ClusterPreconditions,
    HttpRouteTraffic,
    InPlace,
    KubernetesAccess,
    KubernetesOwners,
    KubernetesPlace,
    KubernetesSecrets,
    PodFeed,
    Reader,
    RolloutAnalyses,
    RolloutPods,
    RolloutTraffic,
    ServiceTraffic,
    SideBySide,
)
from activities.integrations.prometheus import (
    Prometheus,
    PrometheusCheckup,
    PrometheusCounters,
    Rounds,
    together,
)
from activities.integrations.supervisord import Supervisord
from activities.revert import Reverts
from activities.targets import (
    Analyses,
    Configuration,
    Counters,
    Freezer,
    Owners,
    Place,
    Preconditions,
    Target,
    Targets,
    Traffic,
    Workloads,
)
from rollback_manager.catalogue import Catalogue, Placement
from rollback_manager.platforms import (
    EnvoyTarget,
    HttpRouteTarget,
    KubernetesTarget,
    PodsTarget,
    RolloutTarget,
    RolloutTrafficTarget,
    ServiceTarget,
    SupervisordTarget,
)


def targets(
    catalogue: Catalogue,
    client: httpx.Client,
    store: Store,
    counters: Mapping[tuple[str, str], Counters] | None = None,
) -> Targets:
    """The real ones that the catalogue names, each made when it is first asked for.

    store: has what was frozen of releases, which is needed where they run on a cluster.
    counters: in the place of those that the catalogue names, where users are a stand-in.
    """
    counters = _counters(catalogue, client) if counters is None else counters
    makers = _Makers(catalogue, client)

    @cache
    def target(env: str, service: str) -> Target:
        placement = catalogue.placement(env, service)
        own = counters.get((env, service))
        recorded = FrozenReleases(store, env, service)
        roles = makers.roles(placement, own, recorded, f"{env}/{service}")
        return Target(
            traffic=roles.traffic,
            workloads=roles.workloads,
            journeys=HttpJourneys(placement.journeys, client),
            business=tuple(HttpJson(source, client) for source in placement.business),
            data_checks=tuple(SqlDataCheck(check) for check in placement.data_checks),
            counters=own,
            place=makers.place(placement),
            freezer=roles.freezer,
            configuration=roles.configuration,
            analyses=roles.analyses,
            anew=roles.anew,
            preconditions=roles.preconditions,
            owners=roles.owners,
        )

    return target


def access(catalogue: Catalogue) -> dict[str, Access]:
    """As whom the worker comes to each cluster of the catalogue."""
    return {name: KubernetesAccess(Api(name, one)) for name, one in catalogue.clusters.items()}


def kubernetes_secrets(catalogue: Catalogue) -> KubernetesSecrets:
    """Secrets in the clusters of the catalogue."""
    return KubernetesSecrets({name: Api(name, one) for name, one in catalogue.clusters.items()})


def counter_sources(
    catalogue: Catalogue, client: httpx.Client
) -> dict[str, list[PrometheusCheckup]]:
    """Environment → what `doctor` has asked of those who count for its services."""
    return {
        env: [PrometheusCheckup(one) for one in _declared(catalogue, env, client)]
        for env in catalogue.environments
    }


def reverts(catalogue: Catalogue, client: httpx.Client) -> Callable[[str, str], Reverts | None]:
    """Environment and service → the repository that the catalogue names for it, if it does."""

    def repository(env: str, service: str) -> Reverts | None:
        source = catalogue.placement(env, service).git
        return Repository(source, client) if source else None

    return repository


def _counters(catalogue: Catalogue, client: httpx.Client) -> dict[tuple[str, str], Counters]:
    """Those that the catalogue names; services of one source share its questions."""
    found: dict[tuple[str, str], Counters] = {}
    for env in catalogue.environments:
        for prometheus in _declared(catalogue, env, client):
            rounds = Rounds(prometheus)
            for name, source in prometheus.sources.items():
                found[env, name] = PrometheusCounters(rounds, name, source)
    return found


def _declared(catalogue: Catalogue, env: str, client: httpx.Client) -> Iterator[Prometheus]:
    sources = {
        name: placement.metrics
        for name, service in catalogue.services.items()
        if (placement := service.environments.get(env)) and placement.metrics
    }
    return (Prometheus(group, client) for group in together(sources))


@dataclass(frozen=True)
class _Roles:
    """What plays the roles of one service; None: its platform has nobody for that."""

    workloads: Workloads
    traffic: Traffic
    freezer: Freezer | None = None
    configuration: Configuration | None = None
    preconditions: Preconditions | None = None
    owners: Owners | None = None
    anew: Callable[[], None] | None = None
    analyses: Analyses | None = None


class _Makers:
    """Objects per kind of target; what several services share is made once."""

    def __init__(self, catalogue: Catalogue, client: httpx.Client) -> None:
        self._client = client
        self._routes = _routes(catalogue)
        self._stats: dict[str, SharedStats] = {}
        self._apis = {name: Api(name, one) for name, one in catalogue.clusters.items()}
        self._feeds: dict[tuple[str, str], PodFeed] = {}

    def roles(
        self,
        placement: Placement,
        counters: Counters | None,
        recorded: FrozenReleases,
        holder: str,
    ) -> _Roles:
        """The roles of one service; on Kubernetes they share one reading. holder: ENV/SERVICE."""
        match placement.workloads:
            case SupervisordTarget() as supervisord:
                return _Roles(Supervisord(supervisord, self._client), self._proxy(placement))
            case KubernetesTarget() as kubernetes:
                reader = self._reader(kubernetes)
                return self._pods(placement, reader, counters, recorded, holder)
            case RolloutTarget() as rollout:
                reader = self._reader(rollout)
                return _Roles(
                    RolloutPods(reader, recorded),
                    RolloutTraffic(reader, counters),
                    ClusterFreezer(reader),
                    ClusterConfiguration(reader),
                    analyses=RolloutAnalyses(reader),
                    anew=reader.forget,
                )
            case other:
                assert_never(other)

    def place(self, placement: Placement) -> Place | None:
        """The cluster and namespace of a service on Kubernetes."""
        target = placement.workloads
        if not isinstance(target, PodsTarget):
            return None
        return KubernetesPlace(self._apis[target.cluster], target)

    def _reader(self, target: PodsTarget) -> Reader:
        api, place = self._apis[target.cluster], (target.cluster, target.namespace)
        feed = self._feeds.setdefault(place, PodFeed(api, target.namespace))
        return Reader(api, target, feed)

    def _pods(
        self,
        placement: Placement,
        reader: Reader,
        counters: Counters | None,
        recorded: FrozenReleases,
        holder: str,
    ) -> _Roles:
        configuration, route = ClusterConfiguration(reader), ""
        alone = len(reader.target.names) == 1
        workloads = InPlace(reader, recorded) if alone else SideBySide(reader, recorded)
        traffic: Traffic
        tried: ServiceTraffic | HttpRouteTraffic | None = None
        match placement.traffic:
            case ServiceTarget() as service:
                traffic = tried = ServiceTraffic(service, reader, counters)
            case HttpRouteTarget() as named:
                traffic = tried = HttpRouteTraffic(named, reader, counters)
                route = named.route
            case EnvoyTarget():
                traffic = self._proxy(placement)
            case RolloutTrafficTarget():
                raise TypeError(f"{placement.traffic.kind} was let through without its workloads")
            case other:
                assert_never(other)
        owners = KubernetesOwners(holder, reader, placement.traffic, placement.gitops, self._apis)
        return _Roles(
            workloads,
            traffic,
            ClusterFreezer(reader, route),
            configuration,
            ClusterPreconditions(reader, workloads, tried, configuration, route, owners),
            owners,
            anew=lambda: _forget(reader, tried),
        )

    def _proxy(self, placement: Placement) -> Traffic:
        envoy = placement.traffic
        if not isinstance(envoy, EnvoyTarget):
            raise TypeError(f"{envoy.kind} was let through without its workloads")
        stats = self._stats.setdefault(envoy.admin, SharedStats(Admin(envoy.admin, self._client)))
        return Envoy(envoy, self._client, stats, self._routes[_address(envoy)])


def _forget(reader: Reader, traffic: ServiceTraffic | HttpRouteTraffic | None) -> None:
    reader.anew()
    if traffic is not None:
        traffic.forget()


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
