"""A stand-in for a gateway's controller; the gateway itself, Envoy, is real.

It follows HTTPRoutes, Services, EndpointSlices and pods of one namespace, writes Envoy's files, and
says of a route that it was accepted once Envoy has taken it up.
"""

import http.client
import re
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import httpx

from demo import envoy_admin, envoy_config
from demo.errors import WorldError
from demo.files import replace
from demo.kubernetes import gateway_config
from demo.kubernetes.api import MERGE, Api, Object, Refused
from demo.kubernetes.follow import AGAIN_S, Followed
from demo.kubernetes.gateway_config import Address, Front
from demo.processes import tail, until

CONTROLLER = "rollback-manager.io/stand-in-gateway"
TAKEN_UP_S = 20.0
CORE, DISCOVERY = "/api/v1", "/apis/discovery.k8s.io/v1"
ROUTES = "/apis/gateway.networking.k8s.io/v1"
STATS = {"cds": r"cluster_manager\.cds", "rds": rf"http\.ingress\.rds\.{gateway_config.NAME}"}


class Gateway:
    """Envoy's files in `folder`, from what is in the namespace, as long as the block lasts.

    log: Envoy's, for errors; check: raises when Envoy has ended.
    """

    def __init__(
        self,
        api: Api,
        namespace: str,
        folder: Path,
        ports: tuple[int, int],
        log: Path,
        check: Callable[[], None],
    ) -> None:
        self.config = folder / "envoy.yaml"
        self.front_port, self.admin_port = ports
        self._api, self._namespace = api, namespace
        self._xds, self._log, self._envoy_lives = folder / "xds", log, check
        self._clusters: dict[str, frozenset[Address]] = {}
        self._fronts: list[Front] = []
        self._writes = 0
        self._fault: Exception | None = None
        self._changed, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="gateway", daemon=True)
        self._followed: list[Followed] = []

    def write_first(self) -> None:
        """The files of a gateway that leads nowhere yet: for Envoy to start with."""
        self._xds.mkdir(parents=True, exist_ok=True)
        name = gateway_config.NAME
        config = envoy_config.bootstrap(name, self._xds, self.front_port, self.admin_port)
        replace(self.config, config)
        replace(self._xds / "cds.json", gateway_config.clusters_file([], self._xds, "0"))
        replace(self._xds / "rds.json", gateway_config.routes_file([], "0"))

    def start(self) -> None:
        """Begin to follow; Envoy must be live."""
        for root, kind in (
            (ROUTES, "httproutes"),
            (CORE, "services"),
            (DISCOVERY, "endpointslices"),
            (CORE, "pods"),
        ):
            path = f"{root}/namespaces/{self._namespace}/{kind}"
            self._followed.append(Followed(self._api, path, self._changed.set))
        self._thread.start()

    def end(self) -> None:
        """Leave Envoy as it is."""
        self._stop.set()
        self._changed.set()
        for one in self._followed:
            one.end()
        if self._thread.is_alive():
            self._thread.join()

    def check(self) -> None:
        """Raise what Envoy refused."""
        self._envoy_lives()
        if self._fault is not None:
            raise self._fault

    def ready(self, service: str, version: str = "") -> int:
        """How many pods of a Service Envoy was told of, by version or all."""
        parts = ((name.split("_", 2), row) for name, row in self._clusters.items())
        rows = (row for (_, s, v), row in parts if s == service and version in ("", v))
        return sum(map(len, rows))

    def _work(self) -> None:
        for one in self._followed:
            while not one.listed.wait(AGAIN_S):
                if self._stop.is_set():
                    return
        while self._changed.wait() and not self._stop.is_set():
            self._changed.clear()
            try:
                self._publish()
                self._fault = None
            except (WorldError, httpx.HTTPError, OSError, http.client.HTTPException) as error:
                self._fault = error
                self._stop.wait(AGAIN_S)
                self._changed.set()

    def _publish(self) -> None:
        """Clusters before the routes that need them, and out of use before they are empty.

        A cluster stays when its last pod is gone: with it Envoy would forget what it counted.
        """
        routes, services, slices, pods = (one.now() for one in self._followed)
        behind = gateway_config.backends(slices, pods)
        fronts, found = gateway_config.fronts(routes, services, behind)
        wanted = {name: found.get(name, frozenset()) for name in self._clusters | found}
        self._set_endpoints({name: row for name, row in wanted.items() if row})
        if missing := wanted.keys() - self._clusters:
            self._set_endpoints({name: wanted[name] for name in missing})
        if fronts != self._fronts:
            self._write("rds", partial(gateway_config.routes_file, fronts))
            self._fronts = fronts
        self._set_endpoints(wanted)
        for route in routes:
            self._accept(route)

    def _set_endpoints(self, rows: Mapping[str, frozenset[Address]]) -> None:
        """Of known clusters and of new ones."""
        changed = {n: row for n, row in rows.items() if self._clusters.get(n) != row}
        new = changed.keys() - self._clusters.keys()
        for name in changed:
            text = partial(gateway_config.endpoints_file, name, changed[name])
            self._write(name, text, wait=name not in new)
        if new:
            names = self._clusters.keys() | new
            self._write("cds", partial(gateway_config.clusters_file, names, self._xds))
        self._clusters |= changed

    def _write(self, kind: str, text: Callable[[str], str], *, wait: bool = True) -> None:
        """Replace a file of Envoy's and wait until it is in force.

        Raises:
            WorldError: Envoy refused it, and goes on as before.
        """
        refused = self._refused(kind)
        self._writes += 1
        version = f"{self._writes}"
        replace(self._xds / f"{kind}.json", text(version))

        def in_force() -> bool:
            if self._refused(kind) > refused:
                raise WorldError(f"Envoy refuses {kind}.json:\n{tail(self._log)}")
            return version in self._stats(kind, "version_text").values()

        if wait:
            until(f"Envoy has {kind}.json", in_force, TAKEN_UP_S, self._envoy_lives)

    def _refused(self, kind: str) -> int:
        return sum(map(int, self._stats(kind, "update_(rejected|failure)").values()))

    def _stats(self, kind: str, name: str) -> dict[str, str]:
        prefix = STATS.get(kind, rf"cluster\.{re.escape(kind)}")
        return envoy_admin.stats(self.admin_port, rf"{prefix}\.{name}")

    def _accept(self, route: Object) -> None:
        """Say in its status that this generation is in force, unless that stands there."""
        parents, generation = route["spec"].get("parentRefs") or [], route["metadata"]["generation"]
        told = route.get("status", {}).get("parents") or []
        if all(_observed(one) >= generation for one in told) and len(told) == len(parents):
            return
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        conditions = [
            {
                "type": kind,
                "status": "True",
                "reason": kind,
                "message": "Envoy has taken it up",
                "lastTransitionTime": now,
                "observedGeneration": generation,
            }
            for kind in ("Accepted", "ResolvedRefs")
        ]
        said = [
            {"parentRef": one, "controllerName": CONTROLLER, "conditions": conditions}
            for one in parents
        ]
        path = f"{ROUTES}/namespaces/{self._namespace}/httproutes/{route['metadata']['name']}"
        try:
            self._api.patch(f"{path}/status", {"status": {"parents": said}}, MERGE)
        except Refused as refused:
            if refused.status != http.client.NOT_FOUND:  # deleted meanwhile
                raise


def _observed(parent: Object) -> int:
    return min((one.get("observedGeneration", 0) for one in parent["conditions"]), default=0)
