"""Who wrote a field of an object last, as the API server itself keeps it. Pure."""

from collections.abc import Iterable, Iterator

from activities.integrations.kubernetes.objects import Json, moment
from rollback_manager.owners import NOBODY, Writer

OURS = "rollback-manager"
EVERYBODY = ("kube-controller-manager",)
"""Works for every controller: that it wrote says nothing of who wanted it."""


def writers(item: Json, *path: str) -> list[Writer]:
    """All others who wrote the field or a part of it, the newest first."""
    entries = [one for one in _entries(item) if _has(one.get("fieldsV1", {}), path)]
    found = [Writer(manager=one["manager"], at=moment(one.get("time"))) for one in entries]
    return sorted(found, key=lambda one: one.at.timestamp() if one.at else 0.0, reverse=True)


def last(item: Json, *path: str) -> Writer:
    """The newest of them; several, where they wrote in the same second: there is no finer time."""
    found = writers(item, *path)
    if not found:
        return NOBODY
    names = sorted({one.manager for one in found if one.at == found[0].at})
    return Writer(manager=", ".join(names), at=found[0].at)


def managers(items: Iterable[tuple[Json, tuple[str, ...]]]) -> Iterator[tuple[str, str]]:
    """(manager, field) of everybody else who wrote one of these fields, each once, sorted."""
    found = {
        (one.manager, ".".join(path))
        for item, path in items
        for one in writers(item, *path)
        if one.manager not in EVERYBODY
    }
    yield from sorted(found)


def _entries(item: Json) -> list[Json]:
    return [
        one
        for one in item["metadata"].get("managedFields", [])
        if one.get("subresource") != "status" and one.get("manager", OURS) != OURS
    ]


def _has(fields: Json, path: tuple[str, ...]) -> bool:
    for name in path:
        if f"f:{name}" not in fields:
            return False
        fields = fields[f"f:{name}"]
    return True
