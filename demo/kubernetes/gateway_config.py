"""What a gateway makes of HTTPRoutes, Services and EndpointSlices, and how Envoy is told. Pure.

Envoy gets a cluster for each version behind each Service, named `<route>_<Service>_<version>`, so
that it counts by the version of the pods that answer, as a service mesh does.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from demo.envoy_config import ROUTE_TIMEOUT_S, TYPES, Json, from_file
from demo.kubernetes.api import Object
from demo.kubernetes.pods import VERSION_LABEL, tag_of
from demo.kubernetes.processes import local

NAME = "gateway"
"""Of the routes, to Envoy."""
NOBODY = "unknown"
"""The version of a Service without a ready pod: its users are answered 503."""
FINE = 1000
"""A Service's weight is split among its versions this finely."""


class Address(NamedTuple):
    """Where a pod really listens."""

    host: str
    port: int


Backends = Mapping[str, Mapping[str, frozenset[Address]]]
"""Service → version → its ready pods."""


@dataclass(frozen=True)
class Front:
    """Paths that begin so, and to which clusters they go. rewrite: takes the place of the prefix.

    weights: by cluster; empty: nobody is there, as where all weights are 0.
    """

    prefix: str
    rewrite: str
    weights: Mapping[str, int]


def backends(
    slices: Iterable[Object], pods: Iterable[Object]
) -> dict[str, dict[str, frozenset[Address]]]:
    """Which pods of which version are behind each Service, by its EndpointSlices."""
    versions = {pod["metadata"]["name"]: _version(pod) for pod in pods}
    found: dict[str, dict[str, set[Address]]] = defaultdict(lambda: defaultdict(set))
    for one in slices:
        service = one["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
        for endpoint in one.get("endpoints") or []:
            name = endpoint.get("targetRef", {}).get("name", "")
            if endpoint.get("conditions", {}).get("ready") and name in versions:
                found[service][versions[name]] |= set(_addresses(one, endpoint))
    return {s: {v: frozenset(row) for v, row in rows.items()} for s, rows in found.items()}


def _addresses(piece: Object, endpoint: Object) -> Iterator[Address]:
    for port in piece.get("ports") or []:
        yield from (Address(local(one), port["port"]) for one in endpoint["addresses"])


def _version(pod: Object) -> str:
    label = pod["metadata"].get("labels", {}).get(VERSION_LABEL)
    return str(label or tag_of(pod["spec"]["containers"][0]["image"]) or NOBODY)


def fronts(
    routes: Iterable[Object], services: Iterable[Object], behind: Backends
) -> tuple[list[Front], dict[str, frozenset[Address]]]:
    """Every rule of every route, and every Service that no route names at `/<its name>`."""
    rows, clusters, named = list[Front](), dict[str, frozenset[Address]](), set[str]()
    for route in routes:
        for rule in route["spec"].get("rules") or []:
            refs = [(ref["name"], ref.get("weight", 1)) for ref in rule.get("backendRefs") or []]
            named |= {name for name, _ in refs}
            rows.append(_front(route["metadata"]["name"], *_paths(rule), refs, behind, clusters))
    for service in sorted(one["metadata"]["name"] for one in services):
        if service not in named:
            refs = [(service, 1)]
            rows.append(_front(service, f"/{service}", "/", refs, behind, clusters))
    return sorted(rows, key=lambda front: len(front.prefix), reverse=True), clusters


def _paths(rule: Object) -> tuple[str, str]:
    """The prefix that a rule matches, and what its filter puts in its place."""
    match: Object = next(iter(rule.get("matches") or []), {})
    prefix = match.get("path", {}).get("value", "/")
    rewrites = (
        one["urlRewrite"]["path"]["replacePrefixMatch"]
        for one in rule.get("filters") or []
        if one["type"] == "URLRewrite"
    )
    return prefix, next(rewrites, prefix)


def _front(
    route: str,
    prefix: str,
    rewrite: str,
    refs: Iterable[tuple[str, int]],
    behind: Backends,
    clusters: dict[str, frozenset[Address]],
) -> Front:
    """Puts the clusters that it needs into `clusters`."""
    weights: dict[str, int] = {}
    for service, weight in refs:
        versions = behind.get(service) or {NOBODY: frozenset()}
        pods = sum(map(len, versions.values()))
        for version, addresses in versions.items():
            name = f"{route}_{service}_{version}"
            clusters[name] = addresses
            part = len(addresses) / pods if pods else 1.0
            if share := round(weight * part * FINE):
                weights[name] = weights.get(name, 0) + share
    return Front(prefix, rewrite, weights)


def clusters_file(names: Iterable[str], xds: Path, version_info: str) -> str:
    """cds.json. Endpoints come from files of their own: a cluster that is replaced counts anew."""
    resources: list[Json] = [_cluster(name, xds) for name in sorted(names)]
    return json.dumps({"version_info": version_info, "resources": resources}, indent=1)


def endpoints_file(name: str, addresses: Iterable[Address], version_info: str) -> str:
    """<cluster>.json."""
    endpoints: list[Json] = [
        {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}
        for host, port in sorted(addresses)
    ]
    assignment: Json = {
        "@type": f"{TYPES}.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": endpoints}],
    }
    return json.dumps({"version_info": version_info, "resources": [assignment]}, indent=1)


def routes_file(fronts: Iterable[Front], version_info: str) -> str:
    """rds.json. No retries: nothing may hide a failure from the users, nor from us."""
    rows: list[Json] = [_route(front) for front in fronts]
    configuration: Json = {
        "@type": f"{TYPES}.config.route.v3.RouteConfiguration",
        "name": NAME,
        "validate_clusters": True,
        "virtual_hosts": [{"name": NAME, "domains": ["*"], "routes": rows}] if rows else [],
    }
    return json.dumps({"version_info": version_info, "resources": [configuration]}, indent=1)


def _route(front: Front) -> Json:
    whole: Json = {"prefix": "/"}
    match: Json = whole if front.prefix == "/" else {"path_separated_prefix": front.prefix}
    if not front.weights:
        return {"match": match, "direct_response": {"status": 500}}
    weights: list[Json] = [{"name": n, "weight": w} for n, w in sorted(front.weights.items())]
    action: dict[str, Json] = {
        "weighted_clusters": {"clusters": weights},
        "timeout": f"{ROUTE_TIMEOUT_S:g}s",
    }
    if front.rewrite != front.prefix:
        pattern: Json = {"regex": f"^{front.prefix.rstrip('/')}/*"}
        begin = f"{front.rewrite.rstrip('/')}/"
        action["regex_rewrite"] = {"pattern": pattern, "substitution": begin}
    return {"match": match, "route": action}


def _cluster(name: str, xds: Path) -> Json:
    return {
        "@type": f"{TYPES}.config.cluster.v3.Cluster",
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": from_file(xds, f"{name}.json")},
        "connect_timeout": "1s",
        "lb_policy": "ROUND_ROBIN",
        "common_lb_config": {"update_merge_window": "0s"},
    }
