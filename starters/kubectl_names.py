"""kubectl's words for a place and a service → the catalogue's. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from starters.refusals import UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.catalogue import Catalogue

KINDS = {
    **dict.fromkeys(("deployment", "deployments", "deploy", "deployment.apps"), "deployment"),
    **dict.fromkeys(("statefulset", "statefulsets", "sts", "statefulset.apps"), "statefulset"),
    **dict.fromkeys(("daemonset", "daemonsets", "ds", "daemonset.apps"), "daemonset"),
}


class Where(NamedTuple):
    """A context and its namespace; uid: of that cluster, where somebody could ask for it."""

    context: str
    namespace: str
    uid: str = ""


class Found(NamedTuple):
    """A service in an environment, and what its pods are kept by."""

    env: str
    service: str
    controller: str
    names: tuple[str, ...]


def here(catalogue: Catalogue, where: Where) -> list[Found]:
    """All services of the catalogue that run in this namespace of this cluster."""
    from rollback_manager.platforms import KubernetesTarget

    clusters = {
        name
        for name, one in catalogue.clusters.items()
        if (one.uid == where.uid if one.uid and where.uid else where.context in (name, one.context))
    }
    return [
        Found(env, name, str(pods.controller), pods.names)
        for name, service in sorted(catalogue.services.items())
        for env, placement in sorted(service.environments.items())
        if isinstance(pods := placement.workloads, KubernetesTarget)
        and pods.cluster in clusters
        and pods.namespace == where.namespace
    ]


def translated(found: Sequence[Found], typed: Sequence[str], where: Where) -> tuple[str, list[str]]:
    """(environment, services) for what was typed: a service, an object's name, or kind/name."""
    place = f"context {where.context}, namespace {where.namespace}"
    if not found:
        raise _refused(f"no service of the catalogue runs in {place}")
    services, envs = [], {one.env for one in found}
    for word in typed:
        fitting = [one for one in found if _fits(one, word)]
        names = sorted({one.service for one in fitting})
        if len(names) != 1:
            known = ", ".join(sorted({f"{one.service} ({one.env})" for one in found}))
            many = "is no service" if not names else f"may be {' or '.join(names)}"
            raise _refused(f"{word} {many} of {place}; there are: {known}")
        services.append(names[0])
        envs &= {one.env for one in fitting}
    if len(envs) != 1:
        known = ", ".join(f"{one.service} ({one.env})" for one in found)
        raise _refused(f"{place} is in no single environment of the catalogue: {known}")
    return envs.pop(), list(dict.fromkeys(services))


def _fits(one: Found, word: str) -> bool:
    kind, _, name = word.rpartition("/")
    if kind:
        return KINDS.get(kind.lower()) == one.controller and name in one.names
    return name == one.service or name in one.names


def _refused(what: str) -> UsageError:
    return UsageError(
        what,
        effect=UNCHANGED,
        next_step="Name the place as kubectl does, -n NAMESPACE --context CONTEXT, or the"
        " environment: rollback-manager VERB SERVICE --env ENV",
    )


def taken_out(words: Sequence[str], options: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """kubectl's own options out of a command line, wherever they stand; and the rest of it.

    options: spelling → name, such as `-n` → namespace. Each takes a value.
    """
    found: dict[str, str] = {}
    rest: list[str] = []
    left = iter(words)
    for word in left:
        name, is_joined, value = word.partition("=")
        if name not in options:
            rest.append(word)
            continue
        value = value if is_joined else next(left, "")
        if not value:
            raise _refused(f"{name} needs a value")
        found[options[name]] = value
    return found, rest


def leading(words: Sequence[str]) -> Iterator[str]:
    """Words before the first option: what a verb acts on."""
    for word in words:
        if word.startswith("-"):
            return
        yield word
