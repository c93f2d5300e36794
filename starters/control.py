"""`pause`, `resume`, `abort`, `retry-step`, `skip-step`: steer a rollback that is under way."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from rollback_manager.errors import Blocked
from starters import console, naming
from starters.console import Answer
from starters.options import By, Json, Reason, Rollback
from starters.refusals import BLOCKED, GOING_ON, UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.client import Rollback as Running
    from rollback_manager.progress import RollbackStatus

Step = Annotated[
    str, typer.Argument(metavar="STEP", help="Its name, such as redirect_traffic; or wave-2.")
]
OfService = Annotated[
    str | None, typer.Option("--service", help="Whose step; needed where several services run.")
]
Restore = Annotated[
    bool, typer.Option("--restore", help="Then put back what was there before: the bad release.")
]


def pause(rollback: Rollback, reason: Reason = "", by: By = None, as_json: Json = False) -> None:
    """Hold ROLLBACK still after the action under way."""

    async def send(running: Running, who: str) -> None:
        from rollback_manager.contract import PauseCommand

        await running.pause(PauseCommand(by=who, reason=reason))

    _signal("pause", rollback, by, send, lambda state: state == "paused", as_json)


def resume(rollback: Rollback, reason: Reason = "", by: By = None, as_json: Json = False) -> None:
    """Let ROLLBACK go on after a pause."""

    async def send(running: Running, who: str) -> None:
        from rollback_manager.contract import PauseCommand

        await running.resume(PauseCommand(by=who, reason=reason))

    _signal("resume", rollback, by, send, lambda state: state != "paused", as_json)


def abort(
    rollback: Rollback,
    restore: Restore = False,
    reason: Reason = "",
    by: By = None,
    as_json: Json = False,
) -> None:
    """Stop ROLLBACK at the next safe point, and leave it so; or restore what was before."""

    async def send(running: Running, who: str) -> None:
        from rollback_manager.contract import AbortCommand, AbortMode

        mode = AbortMode.RESTORE if restore else AbortMode.HOLD
        await running.abort(AbortCommand(mode=mode, by=who, reason=reason))

    def took(state: str) -> bool:
        return state in {"restoring", "finished"}

    _signal("abort --restore" if restore else "abort", rollback, by, send, took, as_json)


def retry_step(
    rollback: Rollback,
    step: Step,
    service: OfService = None,
    reason: Reason = "",
    by: By = None,
    as_json: Json = False,
) -> None:
    """Try the STEP that waits for a person once more."""
    _step("retry_step", rollback, step, service, reason, by, as_json)


def skip_step(
    rollback: Rollback,
    step: Step,
    service: OfService = None,
    reason: Reason = "",
    by: By = None,
    as_json: Json = False,
) -> None:
    """Go on without the STEP that waits for a person."""
    _step("skip_step", rollback, step, service, reason, by, as_json)


def _signal(
    verb: str,
    rollback: str,
    by: str | None,
    send: Callable[[Running, str], Awaitable[None]],
    took: Callable[[str], bool],
    as_json: bool,
) -> None:
    """Send it, and look for three seconds whether it took effect."""

    async def run() -> Answer:
        named = naming.rollback(rollback)
        from starters.connection import connected
        from starters.following import seen_within

        async with connected() as client:
            running = client.rollback(named)
            await send(running, by or naming.operator())
            now_is = await seen_within(running, took)
        return _said(verb, named, now_is)

    console.run(run, as_json=as_json)


def _said(verb: str, rollback: str, now_is: RollbackStatus | None) -> Answer:
    from rollback_manager.rendering import words
    from rollback_manager.rendering.layout import page

    if now_is is None:
        because = "stored, takes effect at the next safe point"
    else:
        because = f"applied: {rollback} is {words.state(now_is)}"
    document = {"rollback": rollback, "applied": now_is is not None, "because": because}
    lines = [f"{verb}: {because}", f"next:  rollback-manager watch {rollback}"]
    return Answer(page(lines), document, GOING_ON if now_is is None else 0)


def _step(
    verb: str,
    rollback: str,
    step: str,
    service: str | None,
    reason: str,
    by: str | None,
    as_json: bool,
) -> None:
    async def run() -> Answer:
        named = naming.rollback(rollback)
        own = naming.named("service", service) if service else None
        from rollback_manager.contract import StepCommand, is_of_rollback
        from rollback_manager.rendering.layout import foreign, page
        from starters.connection import connected

        async with connected() as client:
            running = client.rollback(named)
            whose = (
                own or "" if is_of_rollback(step) else own or _only_service(await running.status())
            )
            command = StepCommand(step=step, by=by or naming.operator(), reason=reason)
            got = await running.step(verb, whose, command)
        word = "applied" if got.applied else "ignored"
        lines = [f"{word}: {foreign(got.because)}", f"next:  rollback-manager watch {named}"]
        document = {"rollback": named, "service": whose, **got.model_dump(mode="json")}
        return Answer(page(lines), document, 0 if got.applied else BLOCKED)

    console.run(run, as_json=as_json)


def _only_service(now_is: RollbackStatus) -> str:
    """The service whose step waits; where several might be meant, none is chosen."""
    waiting = [s.service for s in now_is.services if s.state == "needs_human"]
    candidates = waiting or [s.service for s in now_is.services]
    if not candidates:
        raise Blocked(
            f"{now_is.rollback} has no step that waits: it is {now_is.state}",
            effect=UNCHANGED,
            next_step=f"See how it stands: rollback-manager status {now_is.rollback}",
        )
    if len(candidates) == 1:
        return candidates[0]
    raise UsageError(
        f"which service? {', '.join(candidates)}",
        effect=UNCHANGED,
        next_step="Name it: --service SERVICE",
    )


VERBS: dict[str, Callable[..., None]] = {
    "pause": pause,
    "resume": resume,
    "abort": abort,
    "retry-step": retry_step,
    "skip-step": skip_step,
}


def main() -> None:
    """Run the verb that the launcher names."""
    console.main(console.single(VERBS[sys.argv[0].split()[-1]]))
