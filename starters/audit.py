"""`audit`: who did what to production, and whether that is as it was written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from starters import console, naming
from starters.console import Answer
from starters.options import Json
from starters.refusals import BLOCKED, UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.audit import Verdict
    from rollback_manager.audit.asked import Answer as Audited
    from rollback_manager.audit.asked import ExportPage, ShowEntries, VerifyChain

app = console.group()
Keys = Annotated[
    Path | None,
    typer.Option("--keys", metavar="FILE", help="Ids of the keys that may sign, one a line."),
]


@app.command()
def show(
    rollback: Annotated[
        str | None, typer.Argument(metavar="ROLLBACK", help="Of this one; default: of all.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """Show the entries, newest first."""

    async def verb() -> Answer:
        about = naming.rollback(rollback) if rollback else ""
        from rollback_manager.audit import as_written
        from rollback_manager.audit.asked import ShowEntries
        from rollback_manager.rendering import terminal_audit

        found = await _asked(ShowEntries(about=about, limit=limit))
        document = {"entries": [as_written(one) for one in found.entries]}
        return Answer(terminal_audit.shown(found.entries), document)

    console.run(verb, as_json=as_json)


@app.command()
def verify(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="An export; default: ask the worker.")
    ] = None,
    keys: Keys = None,
    anchors: Annotated[
        Path | None,
        typer.Option("--anchors", metavar="FILE", help="With FILE: a copy of the second place."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say whether the chain is as it was written.

    Exit 7 and name the first entry that is not. With FILE it needs no Temporal and no database.
    """

    async def verb() -> Answer:
        from rollback_manager.rendering import terminal_audit

        trusted = _trusted(keys)
        found = _offline(file, trusted, anchors) if file else await _online(trusted)
        code = 0 if found.holds else BLOCKED
        document = {"verdict": found.model_dump(mode="json"), "holds": found.holds}
        return Answer(terminal_audit.verdict(found), document, code)

    console.run(verb, as_json=as_json, talks=file is None)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="Written anew.")],
    as_json: Json = False,
) -> None:
    """Write the whole chain with its anchors to FILE."""

    async def verb() -> Answer:
        from rollback_manager.rendering import terminal_audit

        with _written(file) as out:
            entries, anchors = await _exported(out)
        document = {"file": str(file), "entries": entries, "anchors": anchors}
        return Answer(terminal_audit.exported(str(file), entries, anchors), document)

    console.run(verb, as_json=as_json)


async def _online(keys: frozenset[str]) -> Verdict:
    from rollback_manager.audit.asked import VerifyChain
    from rollback_manager.errors import PermanentError

    found = await _asked(VerifyChain(keys=tuple(sorted(keys))))
    if found.verdict is None:
        raise PermanentError("the worker did not verify the chain")
    return found.verdict


def _offline(file: Path, keys: frozenset[str], anchors: Path | None) -> Verdict:
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        raise UsageError(
            "signatures cannot be verified here: cryptography is not installed",
            effect=UNCHANGED,
            next_step="Install it: pip install cryptography",
        )
    from rollback_manager.audit import verify
    from rollback_manager.audit.exported import Exported, NotExported, anchors_of

    try:
        with file.open(encoding="utf-8") as text:
            exported = Exported(text)
            beside = anchors_of(anchors.read_text(encoding="utf-8")) if anchors else ()
            vouching = beside or exported.anchors
            named = frozenset(one.key_id for one in beside)  # of the second place: nobody else's
            return verify(exported.entries(), keys or named, vouching)
    except NotExported as why:
        raise _unreadable(file, str(why)) from None
    except UnicodeDecodeError:
        raise _unreadable(file, "it is not UTF-8 text") from None
    except OSError as error:
        raise _unreadable(Path(error.filename or file), str(error.strerror)) from None


def _trusted(file: Path | None) -> frozenset[str]:
    if file is None:
        return frozenset()
    from rollback_manager.audit.exported import key_ids

    try:
        found = key_ids(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(
            file, getattr(error, "strerror", None) or "it is not UTF-8 text"
        ) from None
    if not found:
        raise _unreadable(file, "it names no key")
    return found


async def _exported(out: TextIO) -> tuple[int, int]:
    """Entries and anchors that were written, page by page; the anchors come first."""
    from rollback_manager.audit.exported import head, line_of

    entries = anchors = 0
    out.write(head())
    async for page in _pages():
        out.writelines(map(line_of, page.anchors))
        out.writelines(map(line_of, page.entries))
        entries, anchors = entries + len(page.entries), anchors + len(page.anchors)
    return entries, anchors


async def _pages() -> AsyncIterator[Audited]:
    from rollback_manager.audit.asked import AuditRequest, ExportPage
    from starters.connection import connected

    after = anchors_after = 0
    async with connected() as client:
        while True:
            ask = ExportPage(after=after, anchors_after=anchors_after)
            page = await client.audit(AuditRequest(ask=ask))
            yield page
            if not page.more:
                return
            after = page.entries[-1].seq if page.entries else after
            anchors_after += len(page.anchors)


async def _asked(ask: ShowEntries | VerifyChain | ExportPage) -> Audited:
    from rollback_manager.audit.asked import AuditRequest
    from starters.connection import connected

    async with connected() as client:
        return await client.audit(AuditRequest(ask=ask))


@contextmanager
def _written(file: Path) -> Iterator[TextIO]:
    """Whole or not at all: half a chain would look like one whose end was cut off."""
    beside = file.with_name(f".{file.name}.new")
    try:
        with beside.open("w", encoding="utf-8") as out:
            yield out
        beside.replace(file)
    except OSError as error:
        raise _unreadable(file, str(error.strerror)) from error


def _unreadable(file: Path, because: str) -> UsageError:
    return UsageError(
        f"{file}: {because}",
        effect=UNCHANGED,
        next_step="Name another file, or make a new export: rollback-manager audit export FILE",
    )


def main() -> None:
    """Run `rollback-manager audit`."""
    console.main(app)
