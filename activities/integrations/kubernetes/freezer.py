"""The role that freezes a release, played by a cluster: what returns with it, and what is compared.

Contents of Secrets are never asked for: the API answers with their metadata alone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from activities.integrations.kubernetes import objects
from activities.integrations.kubernetes.api import Api
from activities.integrations.kubernetes.custom_resources import read_crds
from activities.integrations.kubernetes.objects import Json, Pod
from activities.integrations.kubernetes.references import references
from activities.integrations.kubernetes.refusals import Forbidden
from activities.integrations.kubernetes.route_rules import route
from activities.integrations.kubernetes.synced import synced
from activities.integrations.kubernetes.world import Reader, World
from rollback_manager.errors import NotFound
from rollback_manager.frozen import ConfigMap, Frozen, Route, Scaler, SecretReference, Workload
from rollback_manager.platforms import Controller

T = TypeVar("T")

KINDS = {
    Controller.DEPLOYMENT: "Deployment",
    Controller.STATEFUL_SET: "StatefulSet",
    Controller.DAEMON_SET: "DaemonSet",
    Controller.ROLLOUT: "Rollout",
}
HISTORY = 10
"""Revisions that Kubernetes keeps where nothing is said."""


class ClusterFreezer:
    """Reads a release of one service; route: the HTTPRoute that splits its traffic, if one does."""

    def __init__(self, reader: Reader, route: str = "") -> None:
        self._reader = reader
        self._route = route

    def freeze(self, version: str, *, complete: bool) -> Frozen:
        """The release as it is right now.

        Raises:
            NotFound: no controller of the service has that version.
            Forbidden: `complete`, and something but Secrets and custom resources cannot be read.
        """
        controllers = self._controllers(version)
        named = [references(one["spec"]["template"]) for one in controllers.values()]
        asked = _Asked(
            controllers=controllers,
            config_maps=sorted({name for one in named for name in one.config_maps}),
            secrets=sorted({name for one in named for name in one.secrets}),
            route=self._route,
        )
        return _Freezing(self._reader, version, complete).frozen(asked)

    def again(self, point: Frozen) -> Frozen:
        """The objects of a restore point as they are right now, whatever version they have."""
        world, names = self._reader.now(), {one.name for one in point.workloads}
        asked = _Asked(
            controllers={n: one for n, one in world.controllers.items() if n in names},
            config_maps=sorted({*(one.name for one in point.config_maps), *point.missing}),
            secrets=[one.name for one in point.secrets],
            route=point.route.name if point.route else "",
            crds=point,
        )
        seen = _Freezing(self._reader, point.version, complete=False).frozen(asked)
        hashes = {one.name: one.hash for one in point.workloads}
        rows = (
            one.model_copy(update={"kept_for": _kept_for(world, one.name, hashes[one.name])})
            for one in seen.workloads
        )
        return seen.model_copy(update={"workloads": tuple(rows)})

    def _controllers(self, version: str) -> dict[str, Json]:
        world, label = self._reader.now(), self._reader.target.version_label
        found = {
            name: one
            for name, one in world.controllers.items()
            if objects.version_of(one["spec"]["template"], label) == version
        }
        if not found:
            raise NotFound(
                f"no controller of {', '.join(world.controllers)} has version {version} now",
                effect="Nothing was recorded.",
                next_step="Record a release while it runs.",
            )
        return found


@dataclass(frozen=True)
class _Asked:
    """The names of what is read. crds: the point whose custom resources are; None: all."""

    controllers: Mapping[str, Json]
    config_maps: Sequence[str]
    secrets: Sequence[str]
    route: str
    crds: Frozen | None = None


class _Freezing:
    """One reading; what could not be read is noted on the way."""

    def __init__(self, reader: Reader, version: str, complete: bool) -> None:
        self._reader, self._version, self._complete = reader, version, complete
        self._not_read: list[str] = []

    def frozen(self, asked: _Asked) -> Frozen:
        world = self._reader.now()
        maps, missing = self._config_maps(asked.config_maps)
        crds = self._tried("custom resources", partial(read_crds, self._api, asked.crds), None)
        synced_now = self._synced(asked.controllers)
        return Frozen(
            version=self._version,
            workloads=tuple(self._workload(world, n, one) for n, one in asked.controllers.items()),
            scalers=self._scalers(asked.controllers),
            config_maps=maps,
            missing=missing,
            secrets=tuple(map(self._secret, asked.secrets)),
            route=self._http_route(asked.route),
            crds=None if crds is None else {name: one.stored for name, one in crds.items()},
            served={name: one.served for name, one in (crds or {}).items()},
            defined={name: one.defined for name, one in (crds or {}).items()},
            revision=self._tried("what Argo CD or Flux synced", synced_now, ""),
            not_read=tuple(dict.fromkeys(self._not_read)),
        )

    def _workload(self, world: World, name: str, controller: Json) -> Workload:
        template = objects.clean(controller["spec"]["template"])
        digest = objects.digest(template)
        rows = (one.hash for one in world.revisions[name] if one.digest == digest)
        pods = [pod for pod in world.of(name) if pod.version == self._version]
        return Workload(
            name=name,
            template=json.dumps(template, sort_keys=True),
            hash=next(rows, ""),
            replicas=objects.desired(controller, self._reader.target.controller),
            images=_images(pods),
        )

    def _config_maps(self, names: Sequence[str]) -> tuple[tuple[ConfigMap, ...], tuple[str, ...]]:
        """Those that are there, and the names of those that are not."""
        found: list[ConfigMap] = []
        missing: list[str] = []
        for name in names:
            try:
                item = self._read(f"ConfigMap {name}", partial(self._config_map, name), None)
            except NotFound:
                missing.append(name)
            else:
                found += [config_map(item)] if item else []
        return tuple(found), tuple(missing)

    def _config_map(self, name: str) -> Json:
        return self._api.get(self._at("configmaps", name))

    def _secret(self, name: str) -> SecretReference:
        try:
            meta = self._api.metadata(self._at("secrets", name))["metadata"]
        except Forbidden:
            self._not_read.append("Secrets: not read, by name alone (no right to read them)")
            return SecretReference(name=name)
        except NotFound:
            return SecretReference(name=name, written="missing")
        return SecretReference(name=name, written=f"{meta['uid']}/{meta['resourceVersion']}")

    def _scalers(self, controllers: Mapping[str, Json]) -> tuple[Scaler, ...]:
        folder = self._reader.folder("autoscaling/v2", "horizontalpodautoscalers")
        kind = KINDS[self._reader.target.controller]
        found: list[Json] = self._read("autoscalers", lambda: self._api.items(folder), [])
        return tuple(
            Scaler(
                name=one["metadata"]["name"],
                of=one["spec"]["scaleTargetRef"]["name"],
                minimum=one["spec"].get("minReplicas", 1),
                maximum=one["spec"]["maxReplicas"],
            )
            for one in found
            if one["spec"]["scaleTargetRef"]["kind"] == kind
            and one["spec"]["scaleTargetRef"]["name"] in controllers
        )

    def _http_route(self, name: str) -> Route | None:
        if not name:
            return None
        path = f"{self._reader.folder('gateway.networking.k8s.io/v1', 'httproutes')}/{name}"
        found: Json = self._read(f"HTTPRoute {name}", lambda: self._api.get(path), {})
        return route(found) if found else None

    def _synced(self, controllers: Mapping[str, Json]) -> Callable[[], str]:
        return lambda: next((synced(self._api, one) for one in controllers.values()), "")

    def _read(self, what: str, read: Callable[[], T], otherwise: T) -> T:
        """An error where all is asked for and the right is missing."""
        if self._complete:
            return read()
        return self._tried(what, read, otherwise)

    def _tried(self, what: str, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except Forbidden:
            self._not_read.append(f"{what}: not read (no right)")
            return otherwise

    @property
    def _api(self) -> Api:
        return self._reader.api

    def _at(self, plural: str, name: str) -> str:
        return f"{self._reader.folder('v1', plural)}/{name}"


def _kept_for(world: World, name: str, of: str) -> int | None:
    """How many more rollouts the history of a controller keeps the revision of that hash."""
    limit = world.controllers[name]["spec"].get("revisionHistoryLimit", HISTORY)
    hashes = [one.hash for one in world.revisions[name]]  # newest first, and that one is in use
    if not of or of not in hashes:
        return None
    return max(0, int(limit) - hashes.index(of))


def config_map(item: Json) -> ConfigMap:
    """A ConfigMap as it is kept."""
    return ConfigMap.of(
        item["metadata"]["name"],
        item.get("data") or {},
        item.get("binaryData") or {},
        immutable=bool(item.get("immutable")),
    )


def _images(pods: list[Pod]) -> dict[str, tuple[str, ...]]:
    """Container → digests that its pods report; machines of several kinds report several."""
    found: dict[str, set[str]] = {}
    for pod in pods:
        for container, digest in pod.images.items():
            if digest:
                found.setdefault(container, set()).add(digest)
    return {name: tuple(sorted(digests)) for name, digests in sorted(found.items())}
