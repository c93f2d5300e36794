"""One real Envoy in front of many services, each with two versions that answer."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from multiprocessing import Process
from pathlib import Path
from typing import Any

from demo import envoy_admin
from demo.ports import PortBlock
from demo.processes import Children, until
from demo.world import envoy

TYPES = "type.googleapis.com/envoy.extensions.filters"
SHARES = {"v1": 50, "v2": 50}
START_S = 120.0
"""Envoy takes a while to make thousands of clusters."""
REQUESTS_PER_S = 100.0


class Crowd:
    """Where everything is. Services answer at `front` by their name as the host."""

    def __init__(self, folder: Path, services: int) -> None:
        self.services = [f"s{number}" for number in range(services)]
        self.folder = folder
        self._ports = PortBlock()
        self.front, self._back, self.admin = (self._ports.take() for _ in range(3))
        self._children = Children(folder / "logs")

    @property
    def envoy_pid(self) -> int:
        """Envoy's process."""
        return self._children.pids()["envoy"]

    def routes(self, service: str) -> Path:
        """Its route file, as the catalogue names it."""
        return self.folder / "routes" / f"{service}.json"

    def start(self) -> None:
        """Envoy, until it answers."""
        for part in ("logs", "routes"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        for service in self.services:
            self.routes(service).write_text(json.dumps(_route_file(service)))
        config = self.folder / "envoy.yaml"
        config.write_text(json.dumps(self._bootstrap()))
        options = ["--disable-hot-restart", "--concurrency", "1", "-l", "error"]
        command = [envoy(), "-c", str(config), *options]
        self._children.start("envoy", command)
        live = lambda: envoy_admin.answers(self.admin, "/ready")  # noqa: E731
        until("Envoy answers", live, START_S, self._children.check)

    def stop(self) -> None:
        """End Envoy."""
        self._children.end(5.0, meanwhile=lambda: None)
        self._ports.close()

    def _bootstrap(self) -> dict[str, Any]:
        hosts = [_host(service, [service], _split(service)) for service in self.services]
        fine = {"direct_response": {"status": 200}}
        back = {"name": "fine", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **fine}]}
        clusters = [
            _cluster(f"{service}-{version}", self._back)
            for service in self.services
            for version in SHARES
        ]
        listeners = [
            _listener("front", self.front, hosts),
            _listener("back", self._back, [back]),
        ]
        return {
            "admin": {"address": _address(self.admin)},
            "stats_flush_interval": "1s",
            "static_resources": {"clusters": clusters, "listeners": listeners},
        }


@contextmanager
def crowd(folder: Path, services: int) -> Iterator[Crowd]:
    """Until the end of the block, with users who visit the services at random."""
    made = Crowd(folder, services)
    users = Process(target=visit, args=(made.front, made.services), daemon=True)
    try:
        made.start()
        users.start()
        yield made
    finally:
        if users.is_alive():
            users.terminate()
        made.stop()


def visit(port: int, services: list[str]) -> None:
    """REQUESTS_PER_S requests to services at random, for ever."""
    door, chance = HTTPConnection("127.0.0.1", port), random.Random(1)
    while True:
        due = time.monotonic() + 1 / REQUESTS_PER_S
        door.request("GET", "/", headers={"Host": chance.choice(services)})
        door.getresponse().read()
        time.sleep(max(0.0, due - time.monotonic()))


def _split(service: str) -> dict[str, Any]:
    weights = [{"name": f"{service}-{version}", "weight": part} for version, part in SHARES.items()]
    return {"route": {"weighted_clusters": {"clusters": weights}}}


def _host(name: str, domains: list[str], action: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "domains": domains, "routes": [{"match": {"prefix": "/"}, **action}]}


def _route_file(service: str) -> dict[str, Any]:
    kind = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
    hosts = [_host(service, ["*"], _split(service))]
    named = {"@type": kind, "name": service, "virtual_hosts": hosts}
    return {"version_info": "deployed", "resources": [named]}


def _listener(name: str, port: int, hosts: list[dict[str, Any]]) -> dict[str, Any]:
    manager = {
        "@type": f"{TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "ingress" if name == "front" else name,
        "route_config": {"name": name, "virtual_hosts": hosts},
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{TYPES}.http.router.v3.Router"}}
        ],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {"name": name, "address": _address(port), "filter_chains": [chain]}


def _cluster(name: str, port: int) -> dict[str, Any]:
    place = {"endpoint": {"address": _address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [place]}],
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
