"""Which ConfigMaps and Secrets a pod template names. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from activities.integrations.kubernetes.objects import Json


class References(NamedTuple):
    """Their names, sorted. An optional one counts as well: its content is used where it is."""

    config_maps: tuple[str, ...]
    secrets: tuple[str, ...]


def references(template: Json) -> References:
    """By environment variables, by volumes (projected ones too), and for pulling images."""
    named = [*_of_containers(template["spec"]), *_of_volumes(template["spec"])]
    named += [("secret", one["name"]) for one in template["spec"].get("imagePullSecrets") or []]
    maps = {name for kind, name in named if kind == "config_map"}
    return References(tuple(sorted(maps)), tuple(sorted({n for k, n in named if k == "secret"})))


def _of_containers(spec: Json) -> Iterator[tuple[str, str]]:
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        for one in container.get("envFrom") or []:
            yield from _named(one.get("configMapRef"), one.get("secretRef"))
        for variable in container.get("env") or []:
            source = variable.get("valueFrom") or {}
            yield from _named(source.get("configMapKeyRef"), source.get("secretKeyRef"))


def _of_volumes(spec: Json) -> Iterator[tuple[str, str]]:
    for volume in spec.get("volumes") or []:
        yield from _named(volume.get("configMap"), volume.get("secret"))
        for one in (volume.get("projected") or {}).get("sources") or []:
            yield from _named(one.get("configMap"), one.get("secret"))


def _named(config_map: Json | None, secret: Json | None) -> Iterator[tuple[str, str]]:
    if config_map and (name := config_map.get("name")):
        yield "config_map", name
    if secret and (name := secret.get("name") or secret.get("secretName")):
        yield "secret", name
