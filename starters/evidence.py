"""What somebody saw of a bad release, as `start --evidence FILE.json` brings it along."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starters.refusals import UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.contract import EvidencePoint

MOST_BYTES = 256 * 1024
"""All of a request must fit one of Temporal's messages (2 MB) with room to spare."""


def evidence(file: Path | None) -> tuple[EvidencePoint, ...]:
    """What the file says; UsageError says why it is of no use."""
    if file is None:
        return ()
    from pydantic import TypeAdapter, ValidationError

    from rollback_manager.contract import EvidencePoint

    try:
        text = file.read_bytes()
        if len(text) > MOST_BYTES:
            raise _unusable(file, f"it is larger than {MOST_BYTES // 1024} KiB")
        return TypeAdapter(tuple[EvidencePoint, ...]).validate_json(text, extra="forbid")
    except OSError as error:
        raise _unusable(file, str(error.strerror)) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "top"
        raise _unusable(file, f"{place}: {first['msg']}") from error


def _unusable(file: Path, because: str) -> UsageError:
    return UsageError(
        f"{file}: {because}",
        effect=UNCHANGED,
        next_step='Evidence is a JSON list of {"at": …, "requests": {…}, "errors": {…}}',
    )
