"""Everything that was seen of one rollback on Kubernetes, as plain facts for the oracle."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from demo.kubernetes.audit import Call
from proof.kill_matrix.account import Told
from proof.kubernetes.users import Seen

US = "rollback-manager"
MARK = "rollback-manager.io/mark"
MARK_PATH = "/metadata/annotations/rollback-manager.io~1mark"
NOTES = "/metadata/annotations"


@dataclass(frozen=True)
class Write:
    """One write of the product that the API server let through, in the order of its audit log.

    effects: what it changed, as `path = value`; empty if all of it stood there already.
    """

    target: str
    mark: str
    effects: tuple[str, ...]


@dataclass(frozen=True)
class End:
    """How the cluster stands when all is over. changes: of each object's spec, by its generation.

    Pods that were made are not counted: a StatefulSet's controller was seen to make one twice for
    one change of its template.
    """

    parts: Mapping[str, float]
    ready: Mapping[str, int]
    pods: Mapping[str, int]
    changes: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Account(Told):
    """What the witnesses saw, beside what Temporal kept and the product declared."""

    writes: tuple[Write, ...]
    refused: int
    """Writes of the product that the API server did not let through."""
    seen: tuple[Seen, ...]
    sent: float
    failed: float
    """Requests, and those that went where nobody was ready."""
    end: End
    struck: str = ""
    """The request at which it was disturbed."""
    late: int | None = None
    """What the API server said to a write that arrived late."""

    @property
    def effects(self) -> list[tuple[str, tuple[str, ...]]]:
        """What changed, one after the other."""
        return [(one.target, one.effects) for one in self.writes if one.effects]


@dataclass
class Folded:
    """What stands in the cluster, as the writes one after the other leave it."""

    standing: dict[tuple[str, str], str] = field(default_factory=dict)

    def writes(self, calls: Iterable[Call]) -> Iterator[Write]:
        """Those of the product that were let through."""
        for call in calls:
            if call.agent == US and call.changed:
                yield self._write(call)

    def _write(self, call: Call) -> Write:
        target = f"{call.resource}/{call.name}"
        effects, mark = [], ""
        for one in call.body:
            if one["op"] == "test":
                continue
            if one["path"] in (MARK_PATH, NOTES):
                mark = _mark(one["value"])
                continue
            value = json.dumps(one.get("value"), sort_keys=True)
            if self.standing.get((target, one["path"])) != value:
                effects.append(f"{one['path']} = {value[:80]}")
            self.standing[target, one["path"]] = value
        return Write(target, mark, tuple(effects))


def _mark(value: Any) -> str:
    return str(value[MARK] if isinstance(value, dict) else value)


def writes(calls: Iterable[Call], standing: Mapping[tuple[str, str], Any]) -> tuple[Write, ...]:
    """standing: (target, path) → what the deployer left there, before the product wrote."""
    known = {key: json.dumps(value, sort_keys=True) for key, value in standing.items()}
    return tuple(Folded(known).writes(calls))
