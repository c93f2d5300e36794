"""`catalogue import`: other tools' configurations, as a fragment of the catalogue to paste."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starters import console
from starters.console import Answer
from starters.options import Json
from starters.refusals import UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.importing.report import Imported

app = console.group()
File = Annotated[Path, typer.Argument(metavar="FILE", help="As it was exported.")]


@app.command()
def kayenta(file: File, as_json: Json = False) -> None:
    """Import FILE, a canary configuration of Kayenta.

    In JSON, as Spinnaker keeps it. Exit 2 where FILE cannot be read or is none.
    """

    async def verb() -> Answer:
        from rollback_manager.importing.kayenta import import_kayenta

        return _answer(file, import_kayenta, as_json)

    console.run(verb, as_json=as_json, talks=False)


@app.command("argo-analysis")
def argo_analysis(file: File, as_json: Json = False) -> None:
    """Import FILE, analysis templates of Argo Rollouts, in YAML.

    Exit 2 where FILE cannot be read or has none.
    """

    async def verb() -> Answer:
        from rollback_manager.importing.argo import import_argo

        return _answer(file, import_argo, as_json)

    console.run(verb, as_json=as_json, talks=False)


def _answer(file: Path, read: Callable[[str, str], Imported], as_json: bool) -> Answer:
    """The fragment on stdout; what became of each line on stderr, or in the document."""
    from rollback_manager.importing.report import ImportRefused

    try:
        imported = read(_text(file), file.name)
    except ImportRefused as refusal:  # a file that is not what the command line says it is
        raise UsageError(refusal.what, effect=UNCHANGED, next_step=refusal.next_step) from refusal
    if not as_json:
        console.say(_told(imported))
    return Answer(imported.fragment, {"file": str(file), **imported.model_dump(mode="json")})


def _told(imported: Imported) -> str:
    from rollback_manager.importing.report import in_words
    from rollback_manager.rendering.layout import page

    ends = "Paste it, then: rollback-manager catalogue check FILE"
    return page([f"{imported.kind}: what became of it", *in_words(imported.lines), ends])


def _text(file: Path) -> str:
    from rollback_manager.importing.report import LONGEST_FILE

    try:
        with file.open("rb") as opened:
            whole = opened.read(LONGEST_FILE + 1)
        if len(whole) > LONGEST_FILE:
            because = f"it is larger than {LONGEST_FILE // 1_000_000} MB"
            raise _unreadable(file, because)
        return whole.decode("utf-8-sig")
    except OSError as error:
        raise _unreadable(file, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise _unreadable(file, "it is not UTF-8 text") from error


def _unreadable(file: Path, because: str) -> UsageError:
    return UsageError(
        f"{file}: {because}",
        effect=UNCHANGED,
        next_step="Name the exported file: rollback-manager catalogue import --help",
    )
