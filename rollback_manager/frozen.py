"""What is frozen of a release that lives in a cluster: kept in the records, named by its digest."""

import hashlib
import json
from collections.abc import Iterable, Mapping

from pydantic import Field

from rollback_manager.errors import Blocked
from rollback_manager.values import Value

MOST_BYTES = 1024 * 1024
"""Of one restore point: as much as a ConfigMap may have; records are no store of files."""


class Workload(Value):
    """One controller with its pod template, as JSON without what controllers add to it.

    hash: its pod-template-hash. images: container → digests that its pods reported. kept_for: the
    rollouts after which the cluster's own history forgets the template; None: it has already, or
    nobody looked.
    """

    name: str
    template: str
    hash: str = ""
    replicas: int
    images: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    kept_for: int | None = None


class Scaler(Value):
    """The bounds of an autoscaler of one of the controllers."""

    name: str
    of: str
    minimum: int
    maximum: int


class ConfigMap(Value):
    """One ConfigMap that a template names. binary: Base64, as Kubernetes keeps it.

    digest: SHA-256 of the content. is_kept: whether the content itself is here.
    """

    name: str
    content: dict[str, str] = Field(default_factory=dict)
    binary: dict[str, str] = Field(default_factory=dict)
    immutable: bool = False
    digest: str
    is_kept: bool = True

    @classmethod
    def of(
        cls, name: str, content: Mapping[str, str], binary: Mapping[str, str], *, immutable: bool
    ) -> "ConfigMap":
        """With its digest."""
        texts, bytes_ = dict(content), dict(binary)
        digest = _sha256({"content": texts, "binary": bytes_})
        return cls(name=name, content=texts, binary=bytes_, immutable=immutable, digest=digest)

    def by_digest_alone(self) -> "ConfigMap":
        """Too large to be kept: that it differs can be seen, and it cannot be brought back."""
        return self.model_copy(update={"content": {}, "binary": {}, "is_kept": False})


class SecretReference(Value):
    """A Secret that a template names. Its content is never asked for: only who it is, and since.

    written: UID and resourceVersion, which change with every write; empty where nobody may read.
    """

    name: str
    written: str = ""


class Route(Value):
    """An HTTPRoute: its spec as JSON, and apart from it the weights, which are no content of it.

    weights: "rule/place" → weight, both counted from 0.
    """

    name: str
    spec: str
    weights: dict[str, int] = Field(default_factory=dict)


NO_CONTENT: Mapping[str, set[str]] = {"route": {"weights"}}
"""Weights are shifted all the time, by us as well; that changes nothing of a release."""


class Frozen(Value):
    """A release as its cluster had it when it was recorded; or objects as they are right now.

    version: empty where the objects are of no release. crds: custom resource → the version in which
    it is stored; None where nobody may read.
    served: custom resource → versions in which it can be asked for. defined: custom resource → UID
    and generation of its definition, which change whenever that does.
    revision: in words, what Argo CD or Flux had synced. not_read: in words, what is missing here.
    """

    version: str
    workloads: tuple[Workload, ...] = ()
    scalers: tuple[Scaler, ...] = ()
    config_maps: tuple[ConfigMap, ...] = ()
    missing: tuple[str, ...] = ()
    """ConfigMaps that a template names and that are not there."""
    secrets: tuple[SecretReference, ...] = ()
    route: Route | None = None
    crds: dict[str, str] | None = None
    served: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    defined: dict[str, str] = Field(default_factory=dict)
    revision: str = ""
    not_read: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON: the same content has the same name, whenever taken."""
        content = self.model_dump(mode="json", exclude_defaults=True, exclude=NO_CONTENT)
        return _sha256(content)

    @property
    def images(self) -> dict[str, tuple[str, ...]]:
        """Container → the digests that all controllers' pods reported."""
        found: dict[str, set[str]] = {}
        for workload in self.workloads:
            for container, digests in workload.images.items():
                found.setdefault(container, set()).update(digests)
        return {name: tuple(sorted(found[name])) for name in sorted(found)}

    def only(self, objects: Iterable[str]) -> "Frozen":
        """Just what can be written back of these objects, named as `object_of` names them."""
        wanted = set(objects)
        maps = tuple(one for one in self.config_maps if config_map(one.name) in wanted)
        missing = tuple(name for name in self.missing if config_map(name) in wanted)
        keeps = self.route if self.route and http_route(self.route.name) in wanted else None
        return Frozen(version="", config_maps=maps, missing=missing, route=keeps)

    def in_words(self) -> tuple[str, ...]:
        """A few words for whoever lists releases."""
        parts = [
            f"{len(self.workloads)} pod template{'s'[: len(self.workloads) != 1]}",
            f"{len(self.config_maps)} ConfigMap{'s'[: len(self.config_maps) != 1]}",
            f"{len(self.secrets)} Secret{'s'[: len(self.secrets) != 1]} by reference",
        ]
        parts += [f"HTTPRoute {self.route.name}"] if self.route else []
        parts += [self.revision] if self.revision else []
        return (", ".join(parts), *self.not_read)


def config_map(name: str) -> str:
    """How plans name a ConfigMap."""
    return f"ConfigMap {name}"


def http_route(name: str) -> str:
    """How plans name an HTTPRoute."""
    return f"HTTPRoute {name}"


def fitted(taken: Frozen, *, complete: bool) -> Frozen:
    """What fits the records. Blocked where something had to be left out and all is asked for."""
    left_out: list[ConfigMap] = []
    while (size := len(taken.model_dump_json())) > MOST_BYTES:
        kept = [one for one in taken.config_maps if one.is_kept]
        if complete or not kept:
            raise _too_large(taken, size)
        largest = max(kept, key=_size)
        left_out.append(largest)
        maps = (one.by_digest_alone() if one == largest else one for one in taken.config_maps)
        words = f"content of ConfigMap {largest.name} not kept: {_size(largest) // 1024} KiB"
        taken = taken.model_copy(
            update={"config_maps": tuple(maps), "not_read": (*taken.not_read, words)}
        )
    return taken


def _too_large(taken: Frozen, size: int) -> Blocked:
    largest = sorted(taken.config_maps, key=_size, reverse=True)[:3]
    named = ", ".join(f"{one.name} ({_size(one) // 1024} KiB)" for one in largest)
    return Blocked(
        f"the restore point of {taken.version} is {size // 1024} KiB;"
        f" at most {MOST_BYTES // 1024} KiB are kept; largest ConfigMaps: {named or 'none'}",
        effect="Nothing was recorded.",
        next_step="Keep files of that size elsewhere; or leave --from-cluster out: then the"
        " largest are recorded by their digest alone, and do not return with the release.",
    )


def _size(one: ConfigMap) -> int:
    parts = (one.content, one.binary)
    return sum(len(key) + len(text) for part in parts for key, text in part.items())


def _sha256(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
