"""Planted secrets, looked for wherever something of a rollback ends up.

    planted = Canaries()
    planted["an environment variable"]           # a secret that looks like one, always the same
    planted.found_in({"report": text, "records": file.read_bytes()})   # {} where none leaked

Others add what they render: chat messages, pages, metrics.
"""

import base64
import hashlib
import json
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path

from temporalio.client import WorkflowHistory

Surface = str | bytes


class Canaries:
    """Secrets by where they were planted."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}

    def __getitem__(self, where: str) -> str:
        """The secret for that place: 24 letters and digits that stand nowhere by chance."""
        made = "cnry" + hashlib.sha256(where.encode()).hexdigest()[:20]
        return self.planted.setdefault(where, made)

    def found_in(self, surfaces: Mapping[str, Surface]) -> dict[str, list[str]]:
        """Where each was planted → the surfaces on which it can be read, in whatever coding."""
        texts = {
            name: text.encode(errors="replace") if isinstance(text, str) else text
            for name, text in surfaces.items()
        }
        found = {
            where: [name for name, text in texts.items() if any(one in text for one in _ways(it))]
            for where, it in self.planted.items()
        }
        return {where: names for where, names in found.items() if names}


def of_history(history: WorkflowHistory) -> bytes:
    """All bytes of a history: its payloads as they are stored, and the same as JSON."""
    raw = b"".join(event.SerializeToString() for event in history.events)
    return raw + history.to_json().encode()


def of_folder(folder: Path) -> dict[str, Surface]:
    """Every file below, whatever it is: databases and what they write ahead, logs, anchors."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def _ways(secret: str) -> Iterator[bytes]:
    """How it may be spelled: plain, quoted for a URL, as hex, and in base64 at any offset."""
    raw = secret.encode()
    yield raw
    yield raw.hex().encode()
    yield urllib.parse.quote(secret).encode()
    yield json.dumps(secret)[1:-1].encode()
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        inner = coded[4 if shift else 0 : -4]  # what depends on neighbours is left out
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))
