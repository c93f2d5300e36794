"""Whether rollbacks that have ended stay, on a terminal. At most 80 columns, plain text."""

from collections.abc import Iterable, Iterator

from rollback_manager.progress import State
from rollback_manager.rendering import words
from rollback_manager.rendering.layout import command, foreign, page
from rollback_manager.stays import StayStatus


def after(stays: Iterable[StayStatus]) -> str:
    """A paragraph for each; empty where there is none."""
    return page(line for one in stays for line in _told(one))


def _told(status: StayStatus) -> Iterator[str]:
    staying = status.staying
    if status.state == State.NEEDS_HUMAN:
        yield f"{staying.service} in {staying.env}   NEEDS YOU   {foreign(status.waits_for)}"
        yield from command("  next: ", foreign(status.next_step))
    else:
        done = f"{sum(one.due for one in status.checks)} of {len(staying.checks_s)} checks"
        last = status.checks[-1] if status.checks else None
        said = f": {last.stayed.verdict} at {words.clock(last.at)}" if last else ""
        state = "is watched" if status.state == State.RUNNING else "was watched"
        yield f"{staying.service} in {staying.env} {state}: {staying.version}, {done}{said}"
    if status.held:
        yield f"  held: {foreign(', '.join(status.held))}"
