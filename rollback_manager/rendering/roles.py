"""Rights as the objects that `kubectl apply` gives them with. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rollback_manager.rights import DENIED, Place, Right

RBAC = "rbac.authorization.k8s.io"
NAME = "rollback-manager"
"""Of the Role and its binding in every managed namespace."""


def manifest(
    wanted: Mapping[Place, Sequence[Right]], account: tuple[str, str], made_by: str
) -> str:
    """YAML with a Role and its binding for each namespace, and where services are, a deny list.

    account: namespace and name of the worker's ServiceAccount. made_by: the command, for whoever
    reads the file later.
    """
    parts = [
        _lines(one) for place, some in wanted.items() for one in _objects(place, some, account)
    ]
    return "\n---\n".join(
        [f"# Made by: {made_by}\n" + "\n".join(parts[0]), *map("\n".join, parts[1:])]
    )


def _objects(
    place: Place, wanted: Sequence[Right], account: tuple[str, str]
) -> Iterator[dict[str, Any]]:
    meta = {"name": NAME, "namespace": place.namespace}
    rules = [_rule(one) for one in wanted]
    subject = {"kind": "ServiceAccount", "namespace": account[0], "name": account[1]}
    yield {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta, "rules": rules}
    yield {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": NAME},
        "subjects": [subject],
    }
    if any(DENIED in one.names for one in wanted):  # not where only GitOps is
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**meta, "name": DENIED}}


def _rule(right: Right) -> dict[str, Any]:
    rule: dict[str, Any] = {"apiGroups": [right.group], "resources": [right.resource]}
    if right.names:
        rule["resourceNames"] = list(right.names)
    return rule | {"verbs": list(right.verbs)}


def _lines(item: Mapping[str, Any]) -> Iterator[str]:
    """One key a line, and one rule a line in JSON, which YAML reads as it is."""
    for key, value in item.items():
        if isinstance(value, list):
            yield f"{key}:"
            yield from (f"  - {_flow(one)}" for one in value)
        else:
            yield f"{key}: {value if isinstance(value, str) else _flow(value)}"


def _flow(value: object) -> str:
    return json.dumps(value, ensure_ascii=True)
