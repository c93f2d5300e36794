"""What the API server itself wrote down of every call: a witness that is no part of the product."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

WRITES = ("create", "update", "patch", "delete", "deletecollection")
BODIES = (
    {"group": "apps"},
    {"group": "autoscaling"},
    {"group": "policy"},
    {"group": "", "resources": ["services", "configmaps", "namespaces"]},
    {"group": "gateway.networking.k8s.io"},
    {"group": "argoproj.io"},
    {"group": "kustomize.toolkit.fluxcd.io"},
    {"group": "helm.toolkit.fluxcd.io"},
    {"group": "admissionregistration.k8s.io"},
)
"""Whose writes are kept with what was sent; of others, as Secrets, only that they were."""


def policy(*machinery: str) -> dict[str, Any]:
    """What the API server writes down, one line per answered call.

    machinery: users of whose reading nobody asks.
    """
    quiet = [*machinery, "system:apiserver"]
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "users": quiet, "verbs": ["get", "list", "watch"]},
            {"level": "None", "resources": [{"group": "coordination.k8s.io"}]},
            {"level": "None", "resources": [{"group": "", "resources": ["events"]}]},
            {"level": "Request", "verbs": list(WRITES), "resources": list(BODIES)},
            {"level": "Metadata"},
        ],
    }


@dataclass(frozen=True)
class Call:
    """One answered call. `resource` is as in apps/deployments, with its sub-resource if any."""

    at: datetime
    user: str
    agent: str
    verb: str
    resource: str
    namespace: str
    name: str
    status: int
    dry_run: bool
    body: Any = None
    """What was sent; None if it was not kept."""

    @property
    def changed(self) -> bool:
        """Whether it may have changed something."""
        return self.verb in WRITES and self.status < 300 and not self.dry_run


class Ledger:
    """The calls that one API server has answered, in the order of its log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self._calls: list[Call] = []

    def calls(self, namespace: str | None = None, since: int = 0) -> list[Call]:
        """All calls so far, or those in a namespace; `since` is an earlier `len(ledger)`."""
        self._refresh()
        later = self._calls[since:]
        return [one for one in later if namespace is None or one.namespace == namespace]

    def writes(self, namespace: str | None = None, since: int = 0) -> list[Call]:
        """Those calls that may have changed something."""
        return [one for one in self.calls(namespace, since) if one.changed]

    def counts(self, namespace: str | None = None, since: int = 0) -> Counter[tuple[str, str]]:
        """How many calls each (user, agent) made."""
        return Counter((one.user, one.agent) for one in self.calls(namespace, since))

    def __len__(self) -> int:
        """How many calls there are by now: a mark for `since`."""
        self._refresh()
        return len(self._calls)

    def _refresh(self) -> None:
        if not self.path.exists():
            return
        with self.path.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]  # the last line may still be under way
        self._read += len(whole)
        self._calls += _calls(whole)


def _calls(lines: bytes) -> Iterator[Call]:
    for line in lines.splitlines():
        event = json.loads(line)
        if "objectRef" not in event:
            continue  # discovery and health: no object is touched
        if (event["verb"], event["stage"]) == ("watch", "ResponseComplete"):
            continue  # the end of one that stands there since it began
        yield _call(event, event["objectRef"])


def _call(event: dict[str, Any], target: dict[str, Any]) -> Call:
    group, sub = target.get("apiGroup", ""), target.get("subresource", "")
    return Call(
        at=datetime.fromisoformat(event["requestReceivedTimestamp"]),
        user=event.get("impersonatedUser", event["user"]).get("username", ""),  # none: a 401
        agent=event.get("userAgent", ""),
        verb=event["verb"],
        resource="/".join(filter(None, (group, target.get("resource", ""), sub))),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        status=event.get("responseStatus", {}).get("code", 0),
        dry_run="dryRun=" in event["requestURI"] or _asks_for_dry_run(event.get("requestObject")),
        body=event.get("requestObject"),
    )


def _asks_for_dry_run(body: Any) -> bool:
    """As kubectl's deletions do."""
    return isinstance(body, dict) and bool(body.get("dryRun"))
