"""What the declared sources of numbers say, asked by the worker: nobody else holds their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rollback_manager.errors import RollbackError
from starters.checkup import Finding, Level

if TYPE_CHECKING:
    from rollback_manager.catalogue import Catalogue

MOST_TOLD = 3
"""Sources that are well and are told one by one; more of them are one line."""


async def of_sources(
    before: Sequence[Finding], catalogue: Catalogue | Finding | None
) -> list[Finding]:
    """Nothing where none is declared here, or no worker could be asked: that is told already."""
    worker = next((one.level for one in before if one.check == "worker"), Level.FAIL)
    if worker is Level.FAIL or isinstance(catalogue, Finding) or not _declares(catalogue):
        return []
    from starters.connection import connected

    try:
        async with connected() as client:
            found = await client.sources()
    except RollbackError as error:
        told = f"not asked: {error.what}"
        return [Finding("sources", Level.WARN, told, error.next_step)]
    return _shortened([Finding(o.check, Level(o.level), o.told, o.next_step) for o in found.checks])


def _declares(catalogue: Catalogue | None) -> bool:
    return catalogue is not None and any(
        placement.metrics or placement.business
        for service in catalogue.services.values()
        for placement in service.environments.values()
    )


def _shortened(findings: list[Finding]) -> list[Finding]:
    well = [one for one in findings if one.level is Level.OK]
    if len(well) <= MOST_TOLD:
        return findings
    told = f"{len(well)} more answer as they should"
    others = [one for one in findings if one.level is not Level.OK]
    return [*others, Finding("sources", Level.OK, told)]
