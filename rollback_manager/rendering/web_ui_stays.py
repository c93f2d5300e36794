"""How a rollback that has ended stands, for Temporal's Web UI; and what a person can do."""

from rollback_manager.contract import stay_id
from rollback_manager.owners import Owner
from rollback_manager.rendering.web_ui import cell
from rollback_manager.stays import Staying, StayStatus


def what_to_do(staying: Staying, held: tuple[Owner, ...]) -> str:
    """The lines for the person who is asked."""
    again = f"Take it back again: rollback-manager start {staying.service} --env {staying.env}"
    if not held:
        return again
    lines = "; ".join(one.by_hand for one in held if one.by_hand)
    return f"{again}. Let go: {_let_go(staying)}; or {lines}"


def _let_go(staying: Staying) -> str:
    """Where words are signed, a signal of one's own would be sent and not count."""
    if staying.keys:
        at = f"/api/v1/environments/{staying.env}/services/{staying.service}/hold/release"
        return f"signed in at the gateway, POST {at} (an incident commander)"
    name = stay_id(staying.env, staying.service)
    return f"temporal workflow signal -w {name} --name release_hold"


def details(status: StayStatus) -> str:
    """Current details of the workflow that looks after it."""
    staying = status.staying
    rows = [
        f"| {one.at:%H:%M:%SZ} | +{one.after_s:.0f} s | {'check' if one.due else 'seen'}"
        f" | {one.stayed.verdict} | {cell(one.stayed.because)} |"
        for one in status.checks[-MOST:]
    ]
    return "\n".join(
        [
            f"### {status.state.upper().replace('_', ' ')} · {staying.service}"
            f" stays on {cell(staying.version)}?",
            f"- **Waits for** {cell(status.waits_for) or 'nobody'}",
            f"- **Next** {cell(status.next_step) or 'nothing is to be done'}",
            f"- **Held** {cell(', '.join(status.held)) or 'nobody'}",
            f"- **After** `{staying.rollback}`",
            *(f"- {cell(one)}" for one in status.notes[-MOST:]),
            "",
            "| at | after | | verdict | because |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )


MOST = 30
