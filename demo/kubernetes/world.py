"""The world outside on Kubernetes: real processes behind a real Envoy, counted by a Prometheus.

Real: the control plane, every pod's process, Envoy, Prometheus, the users. Stand-ins: the machines
with scheduler and kubelet, the registry of images, the controller of the gateway.

It plays the deployer, who is not part of the product.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from demo.errors import WorldError
from demo.kubernetes import catalogue, ground, manifests
from demo.kubernetes.api import MERGE, Api, Object, Refused
from demo.kubernetes.binaries import Programs
from demo.kubernetes.catalogue import COLOURS, SHOP, TILL
from demo.kubernetes.cluster import Cluster
from demo.kubernetes.control_plane import ControlPlane
from demo.kubernetes.kubelet import Kubelet
from demo.kubernetes.manifests import SLOT, path
from demo.kubernetes.processes import Registry
from demo.load import Load
from demo.processes import until

DONE_S = 60.0
"""Many times what it takes, for a loaded machine."""
DRAIN_S = 2.0
"""Of an instance, unless its image says otherwise: the gateway hears of its end long before."""


class KubernetesWorld:
    """`shop` is blue/green behind an HTTPRoute, `till` is replaced in place behind a Service.

    Use it from one thread at a time. Users reach a service at `url(service)`; `catalogue` is the
    file that describes all of it. What versions do is told to `build`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        cluster: Cluster | None = None,
        programs: Programs | None = None,
        namespace: str = "shop",
        services: tuple[str, ...] = (SHOP, TILL),
        instances: int = 4,
        policy: Mapping[str, Any] = catalogue.POLICY,
    ) -> None:
        """cluster: where to live; without one the cluster that the environment names is joined,

        else a control plane of these programs is started, which are found if none are given.
        """
        self.folder, self.namespace = folder.absolute(), namespace
        self.services, self.instances = services, instances
        self.catalogue = self.folder / "catalogue.yaml"
        self._policy, self._given, self._programs = policy, cluster, programs
        self._stack = ExitStack()
        self._registry = Registry()
        self._colours: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """End everything."""
        self.stop()

    def start(self) -> None:
        """Bring everything up, without any version yet. A failure leaves nothing behind.

        Raises:
            WorldError: a part is not there or did not start.
            PermanentError: no control plane is to be had; it says how to get one.
        """
        with ExitStack() as stack:
            self._ground = ground.set_up(
                stack,
                self.folder,
                self.namespace,
                self._registry,
                self._given,
                self._programs,
            )
            self.gateway = self._ground.gateway
            self.metrics_port = self._ground.metrics_port
            self._write_catalogue()
            self._stack = stack.pop_all()

    def stop(self) -> None:
        """End everything. Twice is as once."""
        self._stack.close()

    def _write_catalogue(self) -> None:
        document = catalogue.catalogue(
            {name: self.url(name) for name in self.services},
            self.kubeconfig,
            self._ground.cluster.uid,
            self.namespace,
            self.metrics_port,
            self._policy,
        )
        self.catalogue.write_text(json.dumps(document, indent=1))  # JSON is YAML

    @property
    def api(self) -> Api:
        """The cluster's, as its admin."""
        return self._ground.cluster.api

    @property
    def kubeconfig(self) -> Path:
        """With which the admin reaches the cluster."""
        return self._ground.cluster.kubeconfig

    @property
    def kubelet(self) -> Kubelet:
        """The stand-in for machines."""
        return self._ground.cluster.kubelet

    @property
    def control_plane(self) -> ControlPlane | None:
        """None where the cluster was given and is somebody else's."""
        return self._ground.cluster.plane

    def url(self, service: str) -> str:
        """Where users reach a service."""
        return f"http://127.0.0.1:{self.gateway.front_port}/{service}"

    def load(self, service: str, *, rate: float = 100.0, name: str = "") -> Load:
        """Users of a service, whose `summary()` says by second which version answered them."""
        out = self.folder / f"{name or service}.jsonl"
        return Load(f"{self.url(service)}/checkout", out, rate=rate)

    def kubectl(self, *words: str) -> str:
        """What kubectl prints, as the admin in the world's namespace.

        Raises:
            WorldError: there is no kubectl, or it failed.
        """
        program = shutil.which("kubectl")
        if program is None:
            raise WorldError("there is no kubectl on PATH: apt-get install kubernetes-client")
        command = [program, "--kubeconfig", str(self.kubeconfig), "-n", self.namespace, *words]
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            raise WorldError(f"kubectl {' '.join(words)}: {done.stderr}")
        return done.stdout

    def build(self, version: str, **options: float) -> str:
        """Have an image of that version; its reference.

        Options are those of shop.py: `error_ratio`, `latency_ms`, `slow_ratio`, `slow_ms`,
        `warm_up_s`, `drain_s`, `hang_ratio`, `unready_ratio`, `faults_from` (Unix seconds).
        """
        return self._registry.push(version, **{"drain_s": DRAIN_S, **options})

    def deploy(self, service: str, version: str) -> None:
        """Bring a version that was built to all users of a service, as its team deploys it."""
        if service == SHOP:
            self.bring_up(version)
            self.split({version: 100})
            return
        self._apply(self._deployment(service, {"app": service}, version))
        self._apply(manifests.service(service, {"app": service}))
        self.until_rolled_out(service)
        self._until_ready(service, version)

    def bring_up(self, version: str, instances: int | None = None) -> None:
        """Have a version of the shop beside the one that users have, without traffic."""
        taken = set(self._colours.values()) if len(self._colours) < len(COLOURS) else set()
        free = [one for one in COLOURS if one not in taken and not self._weight(one)]
        if version not in self._colours and not free:
            raise WorldError("both colours have users: there is no room for another version")
        colour = self._colours.get(version) or free[0]
        self._colours = {v: c for v, c in self._colours.items() if c != colour}
        self._colours[version] = colour
        name, labels = f"{SHOP}-{colour}", {"app": SHOP, SLOT: colour}
        self._apply(self._deployment(name, labels, version, instances))
        for one in COLOURS:
            self._apply(manifests.service(f"{SHOP}-{one}", {"app": SHOP, SLOT: one}))
        self._complete()
        self.until_rolled_out(name)
        self._until_ready(name, version)

    def _complete(self) -> None:
        """The product's catalogue names both Deployments and the route: all are there at once."""
        for colour in COLOURS:
            if colour not in self._colours.values():
                labels = {"app": SHOP, SLOT: colour}
                body = self._deployment(f"{SHOP}-{colour}", labels, "none", 0)
                self._create(path("Deployment", self.namespace), body)
        nobody = {f"{SHOP}-{colour}": 0 for colour in COLOURS}
        self._create(path("HTTPRoute", self.namespace), manifests.http_route(SHOP, nobody))

    def split(self, weights: Mapping[str, int]) -> None:
        """Split the shop's users among its versions, and wait until the gateway does so."""
        by_name = {f"{SHOP}-{c}": weights.get(v, 0) for v, c in self._colours.items()}
        body = manifests.http_route(SHOP, {f"{SHOP}-{c}": 0 for c in COLOURS} | by_name)
        self.api.patch(path("HTTPRoute", self.namespace, SHOP), {"spec": body["spec"]}, MERGE)
        until("the gateway has the weights", self._is_accepted, DONE_S, self.gateway.check)

    def _is_accepted(self) -> bool:
        route = self.api.get(path("HTTPRoute", self.namespace, SHOP))
        parents = route.get("status", {}).get("parents") or []
        return bool(parents) and all(
            one["observedGeneration"] == route["metadata"]["generation"]
            for parent in parents
            for one in parent["conditions"]
        )

    def _weight(self, colour: str) -> int:
        return self.weights().get(f"{SHOP}-{colour}", 0)

    def weights(self) -> dict[str, int]:
        """The weights of the shop's Services; none before its first version."""
        try:
            route = self.api.get(path("HTTPRoute", self.namespace, SHOP))
        except Refused:
            return {}
        refs = route["spec"]["rules"][0]["backendRefs"]
        return {one["name"]: one.get("weight", 1) for one in refs}

    def versions(self, service: str) -> dict[str, str]:
        """Version → the Deployment that has it, of the shop and of its Service alike."""
        return {v: f"{service}-{c}" for v, c in self._colours.items()}

    def scale(self, name: str, instances: int) -> None:
        """Change how many pods a Deployment has, and wait until they are ready."""
        self.api.patch(
            path("Deployment", self.namespace, name), {"spec": {"replicas": instances}}, MERGE
        )
        self.until_rolled_out(name)

    def until_rolled_out(self, name: str) -> None:
        """As `kubectl rollout status` judges it."""
        where = path("Deployment", self.namespace, name)
        what = f"deployment/{name} is rolled out"
        until(what, lambda: _rolled_out(self.api.get(where)), DONE_S, self.gateway.check)

    def _until_ready(self, service: str, version: str) -> None:
        until(
            f"the gateway knows the pods of {version}",
            lambda: self.gateway.ready(service, version) == self.gateway.ready(service),
            DONE_S,
            self.gateway.check,
        )

    def _deployment(
        self, name: str, labels: dict[str, str], version: str, instances: int | None = None
    ) -> Object:
        count = self.instances if instances is None else instances
        image = f"shop:{version}"
        return manifests.deployment(name, labels, version, image, self._ground.pods_port, count)

    def _apply(self, body: Object) -> None:
        where = path(body["kind"], self.namespace, body["metadata"]["name"])
        self.api.apply(where, json.dumps(body))

    def _create(self, where: str, body: Object) -> None:
        """Unless it is there."""
        try:
            self.api.post(where, body)
        except Refused as refused:
            if refused.status != ground.CONFLICT:
                raise


def _rolled_out(found: Object) -> bool:
    wanted, told = found["spec"]["replicas"], found.get("status", {})
    counts = (told.get(f"{kind}eplicas", 0) for kind in ("r", "updatedR", "availableR"))
    seen = told.get("observedGeneration") == found["metadata"]["generation"]
    return seen and all(count == wanted for count in counts)
