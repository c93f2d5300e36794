"""The watch of an environment on a terminal: what is compared with what, and what each says."""

from collections.abc import Iterator
from datetime import datetime

from rollback_manager.rendering import words
from rollback_manager.rendering.layout import foreign, labelled, page
from rollback_manager.watch.watching import SeenWatch

SILENT_S = 30.0
"""It looks every second and Temporal hears of it every 8 s: after this it stands still."""


def watch(seen: SeenWatch, now: datetime) -> str:
    """Releases under watch, what cannot be read, and how old all this is."""
    return page([f"releases of {foreign(seen.watch.env)}   {_age(seen, now)}", *_lines(seen)])


def _lines(seen: SeenWatch) -> Iterator[str]:
    known = seen.watch
    if seen.trouble:
        yield from labelled("trouble:", [foreign(seen.trouble)])
    if not known.looked:
        yield "It has not looked yet. Look again in a few seconds."
        return
    for one in known.releases:
        beside = one.beside or "nothing, by fixed limits"
        yield f"{foreign(one.service)}   {foreign(one.version)} beside {foreign(beside)}"
        yield from labelled("  says:", [foreign(one.says)], indent=9)
    if not known.releases:
        yield "No release is watched: none is young enough, has traffic and is not bad."
    blind = [foreign(f"{one.service}: {one.because}") for one in known.trouble]
    yield from labelled("cannot read:", blind, indent=15)
    if known.trouble:
        yield "A service that cannot be read is watched by nobody until it can."
    yield f"incidents:  rollback-manager incident list --env {known.env}"


def _age(seen: SeenWatch, now: datetime) -> str:
    if seen.looked_at is None:
        return "no beat yet"
    age_s = (now - seen.looked_at).total_seconds()
    silent = "   STANDS STILL: does a worker run?" if age_s > SILENT_S else ""
    return f"last beat {words.duration(max(0.0, age_s))} ago{silent}"
