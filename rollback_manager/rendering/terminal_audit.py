"""The audit chain on a terminal: who did what, and whether it is as it was written."""

from collections.abc import Sequence

from rollback_manager.audit import Entry, Fault, Verdict
from rollback_manager.plan import short
from rollback_manager.rendering.layout import foreign, labelled, page

MEANS = {
    Fault.EDITED: "what it says was changed after it was written",
    Fault.MISSING: "entries were taken out",
    Fault.MOVED: "entries have changed places",
    Fault.INSERTED: "an entry was put in",
    Fault.FORKED: "there is a second branch",
    Fault.NOT_SIGNED: "it was not written by us",
    Fault.TRUNCATED: "its end was cut off",
    Fault.REWRITTEN: "it was written anew",
    Fault.FALSE_ANCHOR: "an anchor was forged, or the wrong anchors were given",
}
KEEP = "Keep the database, the anchors and this output as they are; they are evidence."


def shown(entries: Sequence[Entry]) -> str:
    """Newest first; two lines each, the object on a line of its own, for it is copied."""
    if not entries:
        return page(["no entries"])
    return page([line for entry in entries for line in _entry(entry)])


def verdict(found: Verdict) -> str:
    """Whether it holds, and what that rests on."""
    read = f"{found.entries} entries read; the last that holds is {found.head_seq}"
    head = found.head if found.head_seq else "the chain is empty"
    if found.fault is None:
        first = f"the audit chain holds: {read}"
        return page(
            [first, *labelled("head:", [head], 11), *labelled("rests on:", _rests(found), 9)]
        )
    lines = [
        f"THE AUDIT CHAIN DOES NOT HOLD: {MEANS[found.fault]}",
        *labelled("at:", [f"entry {found.at} ({found.fault}): {foreign(found.because)}"], 11),
        *labelled("until:", [read, head], 11),
        *labelled("next:", [KEEP], 11),
    ]
    return page(lines)


def exported(file: str, entries: int, anchors: int) -> str:
    """What was written, and the command that reads it."""
    return page(
        [
            f"{entries} entries and {anchors} anchors are in {foreign(file)}",
            f"next:  rollback-manager audit verify {foreign(file)} --keys FILE",
        ]
    )


def _entry(entry: Entry) -> list[str]:
    plan = f"   plan {short(entry.plan_digest)}" if entry.plan_digest else ""
    when = f"{entry.ts_server:%Y-%m-%d %H:%M:%S}Z" if hasattr(entry.ts_server, "year") else "?"
    return [
        f"{entry.seq:>6}  {when}  {foreign(entry.action)}  by {foreign(entry.subject)}"
        f" ({foreign(entry.actor)}){plan}",
        f"        {foreign(entry.object)}: {foreign(entry.outcome)}",
    ]


def _rests(found: Verdict) -> list[str]:
    if found.trusted:
        keys = "the keys are those that were given, or that the anchors name"
    else:
        keys = "NO KEY WAS GIVEN: whoever can write entries may have signed them with his own"
    if found.anchored:
        return [keys, f"anchors vouch for it up to entry {found.anchored}"]
    return [keys, "NO ANCHOR VOUCHES FOR IT: a cut end, or all of it written anew, would not show"]
