"""What came after a rollback: entries of what looks after it, in words."""

from rollback_manager.report.entries import Entry, Kind
from rollback_manager.stays import Stayed, Staying

WATCHES = "stay/"
"""What the ids of such workflows begin with."""
LOOKS = "check_stays"


def text(entry: Entry) -> str | None:
    """In words; "" for what only moves the work along, None for what is not of this."""
    if entry.kind is Kind.CHILD_STARTED and entry.name.startswith(WATCHES):
        return f"{entry.name} began: it is watched whether it stays"
    if not entry.workflow.startswith(WATCHES):
        return None
    match entry.kind:
        case Kind.ACTIVITY_DONE if entry.name == LOOKS:
            stayed = entry.says(Stayed)
            return f"{stayed.verdict}: {stayed.because}" if stayed else ""
        case Kind.SIGNAL:
            return "a person lets those go who are held"
        case Kind.STARTED:
            staying = entry.says(Staying)
            held = ", ".join(one.name for one in staying.owners) if staying else ""
            return f"held for it: {held}" if held else ""
        case Kind.TERMINATED:
            return "a newer rollback of the service took over"
        case _:
            return ""
