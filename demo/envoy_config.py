"""What Envoy reads: its own file once, the clusters and the routes whenever they are replaced.

All of it is JSON, which is YAML too.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from demo.supervisord_config import Program

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json]"

TYPES = "type.googleapis.com/envoy"
BUCKETS_MS = (
    *(1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750),
    *(1000, 2000, 5000, 10_000),
)
"""Of upstream_rq_time: a P95 near 10 ms is read to within half; Envoy's own steps double."""
READY_PATH = "/ready"
PROBE_EVERY_S = 0.25
ROUTE_TIMEOUT_S = 10.0


def bootstrap(service: str, xds: Path, front_port: int, admin_port: int) -> str:
    """envoy.yaml: one front door whose routes and clusters come from files in `xds`."""
    return _written(
        {
            "node": {"id": "demo", "cluster": "demo"},
            "admin": {"address": _address(admin_port)},
            "stats_flush_interval": "1s",
            "stats_config": {
                "histogram_bucket_settings": [
                    {"match": {"suffix": "upstream_rq_time"}, "buckets": list(BUCKETS_MS)}
                ]
            },
            "dynamic_resources": {"cds_config": from_file(xds, "cds.json")},
            "static_resources": {"listeners": [_front_door(service, xds, front_port)]},
        }
    )


def clusters(programs: Iterable[Program], version_info: str) -> str:
    """xds/cds.json: a cluster for each version, with all the instances that there can be."""
    return _written(
        {"version_info": version_info, "resources": [_cluster(program) for program in programs]}
    )


def routes(
    service: str,
    shares: Mapping[str, int],
    version_info: str,
    patience_s: float = ROUTE_TIMEOUT_S,
) -> str:
    """xds/rds.json: `shares` are weights by cluster; without any nobody is served (404)."""
    weights: list[Json] = [{"name": name, "weight": share} for name, share in shares.items()]
    # No retry policy: nothing may hide a failure from the users, nor from us.
    action: Json = {"weighted_clusters": {"clusters": weights}, "timeout": f"{patience_s:g}s"}
    host: Json = {
        "name": service,
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": action}],
    }
    configuration: Json = {
        "@type": f"{TYPES}.config.route.v3.RouteConfiguration",
        "name": service,
        "validate_clusters": True,  # else an unknown cluster is accepted and users get 503
        "virtual_hosts": [host] if shares else [],
    }
    return _written({"version_info": version_info, "resources": [configuration]})


def _front_door(service: str, xds: Path, port: int) -> Json:
    connections: Json = {
        "@type": f"{TYPES}.extensions.filters.network.http_connection_manager.v3"
        ".HttpConnectionManager",
        "stat_prefix": "ingress",
        "rds": {"route_config_name": service, "config_source": from_file(xds, "rds.json")},
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": f"{TYPES}.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    network: Json = {"name": "http", "typed_config": connections}
    return {"name": "front", "address": _address(port), "filter_chains": [{"filters": [network]}]}


def _cluster(program: Program) -> Json:
    endpoints: list[Json] = [{"endpoint": {"address": _address(port)}} for port in program.ports]
    probe: Json = {
        "http_health_check": {"path": READY_PATH},
        "timeout": "1s",
        "interval": f"{PROBE_EVERY_S}s",
        "no_traffic_interval": f"{PROBE_EVERY_S}s",
        "healthy_threshold": 1,
        "unhealthy_threshold": 1,
    }
    return {
        "@type": f"{TYPES}.config.cluster.v3.Cluster",
        "name": program.name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "lb_policy": "ROUND_ROBIN",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},  # never a dead instance
        "health_checks": [probe],
        "load_assignment": {
            "cluster_name": program.name,
            "endpoints": [{"lb_endpoints": endpoints}],
        },
    }


def from_file(xds: Path, name: str) -> Json:
    """Where Envoy reads a part of its configuration, whenever that file is replaced."""
    watched: Json = {"path": str(xds / name), "watched_directory": {"path": str(xds)}}
    return {"path_config_source": watched, "resource_api_version": "V3"}


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _written(value: Json) -> str:
    return json.dumps(value, indent=1) + "\n"
