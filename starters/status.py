"""`status`: how one rollback stands, in one look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starters import console, naming
from starters.console import Answer
from starters.options import Json, Rollback
from starters.refusals import GOING_ON

if TYPE_CHECKING:
    from rollback_manager.progress import RollbackStatus
    from rollback_manager.stays import StayStatus


def status(rollback: Rollback, as_json: Json = False) -> None:
    """Show how ROLLBACK stands; exit with its outcome, or 8 while it runs or waits."""

    async def verb() -> Answer:
        named = naming.rollback(rollback)
        from starters.connection import connected

        async with connected() as client:
            status = await client.rollback(named).status()
            stays = await client.stays_after(status) if status.outcome else []
        return _answer(status, stays)

    console.run(verb, as_json=as_json)


def _answer(now_is: RollbackStatus, stays: list[StayStatus]) -> Answer:
    from datetime import UTC, datetime

    from rollback_manager.progress import exit_code
    from rollback_manager.rendering import terminal, terminal_status

    text = terminal_status.status(now_is, datetime.now(UTC))
    document: dict[str, object] = {
        "security": now_is.security,
        "rollback": now_is.rollback,
        "status": now_is.model_dump(mode="json"),
    }
    if now_is.outcome is None:
        return Answer(text, document, GOING_ON)
    text += "\n\n" + terminal.outcome(now_is.outcome)
    if stays:
        from rollback_manager.rendering import terminal_stays

        document["stays"] = [one.model_dump(mode="json") for one in stays]
        text += "\n\n" + terminal_stays.after(stays)
    return Answer(text, document, exit_code(now_is.outcome))


def main() -> None:
    """Run `rollback-manager status`."""
    console.main(console.single(status))
