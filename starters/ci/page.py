"""The summary on the page of a CI job: made from the history once it has ended."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from rollback_manager.errors import RollbackError
from starters.ci.job import this_job
from starters.console import Answer

if TYPE_CHECKING:
    from rollback_manager.client import RollbackClient
    from rollback_manager.report import Report

CLOSING_S, ASK_EVERY_S = 15.0, 0.5
"""A rollback that has said how it ended still tells people of it: only then its history ends."""


async def with_page(client: RollbackClient, answer: Answer) -> Answer:
    """The answer with its summary, where there is a page to show it on.

    Without a history that can be read it is the outcome alone: no page is worth a failed job.
    """
    job = this_job()
    if job is None or job.summary is None:
        return answer
    return replace(answer, summary=await _summary(client, answer))


async def _summary(client: RollbackClient, answer: Answer) -> str:
    from rollback_manager.progress import RollbackOutcome
    from rollback_manager.rendering import markdown

    rollback, told = str(answer.document["rollback"]), answer.document.get("outcome")
    if not told:
        because = str(answer.document.get("because", ""))
        return markdown.going_on(rollback, because, answer.code)
    try:
        return markdown.ci_summary(await _of_the_end(client, rollback))
    except (RollbackError, TimeoutError):
        return markdown.ended(RollbackOutcome.model_validate(told), answer.code)


async def _of_the_end(client: RollbackClient, rollback: str) -> Report:
    """The report once it says how it ended; TimeoutError where it still goes on for long."""
    async with asyncio.timeout(CLOSING_S):
        while (report := await _report(client, rollback)).ended is None:  # noqa: ASYNC110 -- far away
            await asyncio.sleep(ASK_EVERY_S)
    return report


async def _report(client: RollbackClient, rollback: str) -> Report:
    from rollback_manager.report import build
    from starters.by_gateway.client import GatewayClient
    from starters.history import entries

    if isinstance(client, GatewayClient):
        return await client.report(rollback)
    return build(await entries(client.temporal, rollback))
