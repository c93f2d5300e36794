"""The role of configuration, played by ConfigMaps and by the rules of an HTTPRoute."""

from collections.abc import Iterable, Iterator, Sequence

from activities.integrations.kubernetes.freezer import config_map
from activities.integrations.kubernetes.objects import MARK, Json, last_writer
from activities.integrations.kubernetes.route_rules import route, with_weights
from activities.integrations.kubernetes.world import Reader
from activities.integrations.kubernetes.writes import compare_and_set, try_out
from rollback_manager import frozen
from rollback_manager.errors import Blocked, NotFound
from rollback_manager.frozen import ConfigMap, Frozen, Route
from rollback_manager.operation import Mark

GATEWAY = "gateway.networking.k8s.io/v1"


class ClusterConfiguration:
    """ConfigMaps and the HTTPRoute of one service; Secrets are never written."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, objects: Iterable[str]) -> Frozen:
        """These objects as they are right now, of no version."""
        maps: list[ConfigMap] = []
        missing: list[str] = []
        there: Route | None = None
        for one in objects:
            kind, _, name = one.partition(" ")
            if kind == "HTTPRoute":
                there = route(self._reader.api.get(self._route(name)))
                continue
            try:
                maps.append(config_map(self._reader.api.get(self._map(name))))
            except NotFound:
                missing.append(name)
        return Frozen(version="", config_maps=tuple(maps), missing=tuple(missing), route=there)

    def write(self, wanted: Frozen, before: Frozen, mark: Mark) -> None:
        """Make the objects of `wanted` so; what is missing is made anew, nothing is deleted."""
        for change in self.changes(wanted, before):
            try:
                compare_and_set(self._reader.api, change.path, mark, change)
            except NotFound:
                if change.body is not None:
                    self._create(change.path, change.body, mark)
                elif not change.may_be_missing:
                    raise

    def changes(self, wanted: Frozen, before: Frozen) -> Iterator["MapChange | RouteChange"]:
        """The change of each object."""
        allowed = {one.name: one for one in before.config_maps}
        for one in wanted.config_maps:
            yield MapChange(self._map(one.name), one, allowed.get(one.name))
        for name in wanted.missing:  # what was made since stays, with our mark
            yield MapChange(self._map(name), None, None)
        if wanted.route:
            yield RouteChange(self._route(wanted.route.name), wanted.route, before.route)

    def try_out(self, wanted: Frozen) -> None:
        """The same as a dry run, over whatever stands there now."""
        objects = [frozen.config_map(one.name) for one in wanted.config_maps]
        objects += [frozen.http_route(wanted.route.name)] if wanted.route else []
        for change in self.changes(wanted, self.read(objects)):
            try:
                try_out(self._reader.api, change.path, change)
            except NotFound:
                if change.body is None:
                    raise
                self._reader.api.create(change.path.rpartition("/")[0], change.body, dry_run=True)

    def _create(self, path: str, body: Json, mark: Mark) -> None:
        marked = {**body["metadata"], "annotations": {MARK: str(mark)}}
        self._reader.api.create(path.rpartition("/")[0], {**body, "metadata": marked})

    def _map(self, name: str) -> str:
        return f"{self._reader.folder('v1', 'configmaps')}/{name}"

    def _route(self, name: str) -> str:
        return f"{self._reader.folder(GATEWAY, 'httproutes')}/{name}"


class MapChange:
    """From a ConfigMap as it is to the operations that make it as wanted; None: as it is.

    body: what is made where nothing is there.
    """

    def __init__(self, path: str, wanted: ConfigMap | None, before: ConfigMap | None) -> None:
        self.path, self._wanted, self._before = path, wanted, before
        self.body = _body(wanted) if wanted else None
        self.may_be_missing = wanted is None

    def __call__(self, seen: Json) -> Sequence[Json]:
        """Raises Blocked where it is neither as wanted nor as it was."""
        now = config_map(seen)
        if self._wanted is None or now.digest == self._wanted.digest:
            return []
        if self._before is None or now.digest != self._before.digest:
            raise _changed(frozen.config_map(now.name), seen)
        parts = {"data": self._wanted.content, "binaryData": self._wanted.binary}
        return [
            {"op": "add", "path": f"/{part}", "value": content}
            for part, content in parts.items()
            if content != (seen.get(part) or {})
        ]


class RouteChange:
    """The same of an HTTPRoute: its rules, with the weights that it has."""

    body, may_be_missing = None, False

    def __init__(self, path: str, wanted: Route, before: Route | None) -> None:
        self.path, self._wanted, self._before = path, wanted, before

    def __call__(self, seen: Json) -> Sequence[Json]:
        """Raises Blocked where it is neither as wanted nor as it was."""
        now, rules = route(seen), with_weights(self._wanted, seen["spec"])
        if rules == (seen["spec"].get("rules") or []):
            return []
        if self._before is None or now.spec not in {self._before.spec, self._wanted.spec}:
            raise _changed(frozen.http_route(now.name), seen)
        return [{"op": "add", "path": "/spec/rules", "value": rules}]


def _body(wanted: ConfigMap) -> Json:
    parts = {"data": wanted.content, "binaryData": wanted.binary, "immutable": wanted.immutable}
    kept = {part: content for part, content in parts.items() if content}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": wanted.name}, **kept}


def _changed(what: str, seen: Json) -> Blocked:
    return Blocked(
        f"{what} is neither as recorded nor as it was when this was planned: {last_writer(seen)}",
        effect="Nothing was written to it.",
        next_step="Stop whoever writes it; then abort, and plan again.",
    )
