"""The catalogue's own file, as commands read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starters.refusals import UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.catalogue import Catalogue


def read(file: Path) -> Catalogue:
    """The catalogue in `file`; CatalogueError names its mistakes."""
    from rollback_manager.catalogue_text import read_catalogue

    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise _unreadable(file, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise _unreadable(file, "it is not UTF-8 text") from error
    return read_catalogue(text, file.name)


def _unreadable(file: Path, because: str) -> UsageError:
    return UsageError(
        f"{file}: {because}",
        effect=UNCHANGED,
        next_step="Name the catalogue: rollback-manager catalogue check FILE",
    )
