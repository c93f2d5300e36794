"""Which rights the worker has in a cluster, held against what the catalogue asks for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from rollback_manager.rights import Place, Right
from rollback_manager.values import Value

POLICIES = (
    "rollback-manager-writes",
    "rollback-manager-image-only",
    "rollback-manager-template",
    "rollback-manager-deny-list",
)
"""As deploy/kubernetes/ installs them."""
READING = frozenset({"get", "list", "watch"})
HARMLESS = frozenset({"authorization.k8s.io", "authentication.k8s.io"})
"""Groups in which everybody may ask about himself."""
NEVER: dict[str, frozenset[str]] = {
    "secrets": frozenset({"*", "get", "list", "watch", "create", "update", "patch", "delete"}),
    "pods/exec": frozenset({"*", "create", "get"}),
    "pods/attach": frozenset({"*", "create", "get"}),
    "pods/portforward": frozenset({"*", "create", "get"}),
    "nodes/proxy": frozenset({"*", "create", "get"}),
}
"""Reading these is harm enough; whatever else may be written is told where it was not asked for."""


class Granted(Value):
    """One rule as the API server sums our rights up. names: empty: all of them."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()


class Checked(Value):
    """One thing that was looked at: how it came out, in words, and what to type next."""

    check: str
    level: Literal["ok", "warn", "fail"]
    told: str
    next_step: str = ""


class ClustersAsked(Value):
    """How the clusters of the catalogue stand, for the services of one environment or of all."""

    env: str = ""


class ClustersChecked(Value):
    """What the worker saw."""

    checks: tuple[Checked, ...]


def questions(right: Right) -> Iterator[tuple[str, str]]:
    """(verb, name) one by one, as they are asked of the API server; name "" is any."""
    for verb in right.verbs:
        for name in right.names or ("",):
            yield verb, name


def is_granted(rules: Iterable[Granted], right: Right, verb: str, name: str) -> bool:
    """Whether one of the rules says so. None may, and it is allowed all the same: ask then."""
    return any(
        _has(rule.groups, right.group)
        and _has(rule.resources, right.resource)
        and _has(rule.verbs, verb)
        and (not rule.names or name in rule.names)
        for rule in rules
    )


def missing(place: Place, right: Right, verb: str, name: str, env: str) -> Checked:
    """The sentence for one right that is not there."""
    what = f"{right.resource} {name}".strip()
    return Checked(
        check=f"rights in {place.namespace}",
        level="fail",
        told=f"cannot {verb} {what} in {place.namespace} (cluster {place.cluster})",
        next_step=f"rollback-manager catalogue rbac FILE --env {env} --cluster {place.cluster}"
        " | kubectl apply -f -",
    )


def too_much(place: Place, rules: Sequence[Granted], wanted: Sequence[Right]) -> Iterator[Checked]:
    """Each rule that lets the worker do what no service of the catalogue needs."""
    for rule in rules:
        if HARMLESS.issuperset(rule.groups):
            continue
        if excess := ", ".join(_excess(rule, wanted)):
            yield Checked(
                check=f"rights in {place.namespace}",
                level="warn",
                told=f"may {excess} in {place.namespace} (cluster {place.cluster}):"
                " no service asks for it, and whoever takes the worker over has it",
                next_step="Take it out of the Role, or of whatever else its account is bound to",
            )


def _excess(rule: Granted, wanted: Sequence[Right]) -> Iterator[str]:
    whose = f" ({', '.join(rule.names)})" if rule.names else ""
    for resource in rule.resources:
        never = NEVER.get(resource, frozenset())
        for verb in rule.verbs:
            if "*" in (resource, verb):
                things = "everything" if resource == "*" else resource
                yield f"{'do anything to' if verb == '*' else verb} {things}{whose}"
            elif verb in never or (
                verb not in READING and not _asked(rule, resource, verb, wanted)
            ):
                yield f"{verb} {resource}{whose}"


def _asked(rule: Granted, resource: str, verb: str, wanted: Sequence[Right]) -> bool:
    named = {
        name
        for one in wanted
        if one.resource == resource and one.group in rule.groups and verb in one.verbs
        for name in one.names
    }
    return bool(rule.names) and named.issuperset(rule.names)


def _has(some: Sequence[str], one: str) -> bool:
    return "*" in some or one in some
