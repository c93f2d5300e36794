"""Whether something may be deployed, and what is frozen, on a terminal."""

from collections.abc import Iterator

from rollback_manager.deploys import DeployAnswer, MayDeploy
from rollback_manager.freezes import Direction, Freeze
from rollback_manager.rendering.layout import foreign, page
from rollback_manager.rendering.words import day_and_clock

STOPS = {
    Direction.DEPLOYS: "stops deploys; a rollback passes by rule",
    Direction.ROLLBACKS_TOO: "stops deploys and rollbacks, until an incident commander agrees",
}


def may_deploy(ask: MayDeploy, answer: DeployAnswer) -> str:
    """Yes, or no with every reason; what was not asked for is said."""
    what = " ".join(part for part in (ask.service, ask.version, ask.digest) if part)
    if not answer.may:
        return page([f"NO   {what} in {ask.env}", *(f"  {foreign(one)}" for one in answer.because)])
    lines = [f"YES  {what} in {ask.env}: no rollback, no freeze"]
    if ask.version or ask.digest:
        lines[0] += ", not known to be bad"
    else:
        lines.append("  which release it is was not said: it may be one that is bad")
    return page(lines)


def unknown(ask: MayDeploy, because: str) -> str:
    """Nobody can tell, which is a no."""
    told = f"NO   {ask.service} in {ask.env}: not known: {foreign(because)}"
    return page([told, "  What cannot be asked is never a yes."])


def freezes(answer: DeployAnswer) -> str:
    """What was lifted, then what holds or will."""
    lines = [f"lifted: {foreign(one.words)}" for one in answer.lifted]
    for one in answer.freezes:
        lines += _freeze(one)
    return page(lines or ["nothing is frozen"])


def _freeze(one: Freeze) -> Iterator[str]:
    what = one.service or f"all of {one.env}"
    yield f"{what}: {day_and_clock(one.begins)} to {day_and_clock(one.until)}"
    yield f"  {foreign(one.reason)}; by {foreign(one.by)}"
    yield f"  {STOPS[one.direction]}"
