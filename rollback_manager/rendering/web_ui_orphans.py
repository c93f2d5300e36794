"""What Temporal's Web UI shows of a watchdog: each orphan, and the line with which to go on."""

from rollback_manager.claim import Claim, Watched
from rollback_manager.progress import State
from rollback_manager.rendering import words
from rollback_manager.rendering.layout import foreign

MOST = 50
"""Rows that keep the details below their 20 kB."""


def watchdog_details(seen: Watched) -> str:
    """Current details of a watchdog, as Markdown."""
    env = foreign(seen.env)
    if not seen.looked:
        return f"### RUNNING · {env}\nIt has not looked yet."
    if not (seen.orphans or seen.trouble):
        return f"### RUNNING · {env}\nNo rollback was left behind."
    lines = [f"### {words.STATES[State.NEEDS_HUMAN]} · {env}"]
    if seen.trouble:
        lines += [f"- **It cannot tell**: {foreign(seen.trouble)}", "- What follows is older."]
    lines += ["", "| service | left by | epoch | since | type this |", "|---|---|---|---|---|"]
    lines += [_row(orphan) for orphan in seen.orphans[:MOST]]
    if len(seen.orphans) > MOST:
        lines.append(f"\nand {len(seen.orphans) - MOST} more: `rollback-manager list --env {env}`")
    return "\n".join(lines)


def _row(orphan: Claim) -> str:
    since = f"{orphan.claimed_at:%Y-%m-%d %H:%M:%SZ}"
    return (
        f"| {orphan.service} | `{orphan.rollback}` | {orphan.epoch} | {since}"
        f" | `{orphan.adopt_line}` |"
    )
