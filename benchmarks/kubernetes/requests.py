"""How often we asked the API server, by its own audit log."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from demo.kubernetes.audit import Call, Ledger

OURS = "rollback-manager"


def ours(ledger: Ledger, since: int, begun: datetime, ended: datetime) -> list[Call]:
    """Calls of the worker between two moments, reads too; a watch counts once."""
    calls = ledger.calls(since=since)
    return [one for one in calls if one.agent.startswith(OURS) and begun <= one.at <= ended]


def kinds(calls: list[Call]) -> Counter[str]:
    """How many of each: `get apps/deployments`."""
    return Counter(f"{one.verb} {one.resource}" for one in calls)


def in_busiest_second(calls: list[Call]) -> int:
    """Most calls within any second."""
    at = sorted(one.at for one in calls)
    second, most, first = timedelta(seconds=1), 0, 0
    for last, moment in enumerate(at):
        while moment - at[first] > second:
            first += 1
        most = max(most, last - first + 1)
    return most


def now() -> datetime:
    """As the audit log writes times."""
    return datetime.now(UTC)
