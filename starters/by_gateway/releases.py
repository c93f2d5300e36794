"""Releases, recorded, marked and listed by the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollback_manager.contract import ListReleases, MarkRelease, RecordRelease, ReleaseRequest
from rollback_manager.errors import Blocked
from starters.by_gateway.api import Api

FROM_CLUSTER = {"version", "from_cluster"}


async def asked(api: Api, request: ReleaseRequest) -> Mapping[str, Any]:
    """Its document. Jobs record by a door of their own; people by another."""
    ask = request.ask
    path = f"/environments/{ask.env}/services/{ask.service}/releases"
    match ask:
        case ListReleases():
            return await api.ask("GET", path)
        case RecordRelease(from_cluster=True):
            return await api.ask("POST", path, ask.model_dump(include=FROM_CLUSTER))
        case RecordRelease():
            body = ask.model_dump(include={"env", "service", "version"})
            return await api.ask("POST", "/ci/releases", body)
        case MarkRelease():
            return await _mark(api, f"{path}/{ask.version}/standing", ask)


async def _mark(api: Api, path: str, ask: MarkRelease) -> Mapping[str, Any]:
    if ask.measure_s:
        raise Blocked(
            "a baseline is not measured by the gateway",
            effect="Its standing is unchanged.",
            next_step="Mark it without --measure-s, and say why: --because TEXT",
        )
    body = ask.model_dump(mode="json", include={"standing", "because"})
    return await api.ask("POST", path, body)
