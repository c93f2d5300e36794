"""Anchors of the audit chain in a file of their own: one line each, only ever added to."""

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from rollback_manager.audit import Anchor
from rollback_manager.errors import PermanentError, TemporaryError

MENDED_BY = "Make ROLLBACK_AUDIT_ANCHOR a file that this user may append to."


class AnchorFile:
    """The file at `path`; folder and file are made for this user alone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, anchor: Anchor) -> None:
        """Add one line, on disk when this returns. Several processes may do so at once."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, _begun_anew(handle) + anchor.model_dump_json().encode() + b"\n")
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise TemporaryError(
                f"the audit's anchor {self._path} cannot be written: {error.strerror}",
                next_step=MENDED_BY,
            ) from error

    def kept(self) -> Sequence[Anchor]:
        """All lines but those that a crash cut short."""
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise TemporaryError(
                f"the audit's anchor {self._path} cannot be read: {error.strerror}",
                next_step=MENDED_BY,
            ) from error
        lines = text.split("\n")
        whole = ((number, line) for number, line in enumerate(lines, 1) if line.endswith("}"))
        return tuple(self._read(number, line) for number, line in whole)

    def _read(self, number: int, line: str) -> Anchor:
        try:
            return Anchor.model_validate_json(line, extra="forbid")
        except ValidationError:
            raise PermanentError(
                f"{self._path}:{number} is no anchor of an audit chain",
                effect="The chain cannot be held against its anchors.",
                next_step="Compare the file with its backup: somebody else wrote this line.",
            ) from None


def _begun_anew(handle: int) -> bytes:
    """A line break, where a crash left half a line at the end."""
    size = os.fstat(handle).st_size
    return b"" if size == 0 or os.pread(handle, 1, size - 1) == b"\n" else b"\n"
