"""How GitHub's runner is spoken to: commands in the log, and files for outputs and the summary.

Whatever others wrote (a reason, a version) must never be read as a command or as an output.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

LARGEST_SUMMARY = 1024 * 1024
"""Bytes for all summaries of a step; a longer file is dropped as a whole."""
LONGEST = 4000
"""Characters of an annotation; the runner cuts longer ones in the middle of a word."""


class Level(StrEnum):
    """How an annotation is shown."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


def command(name: str, text: str = "", **properties: str) -> str:
    """One command of the log (`::error title=…::text`), on one line."""
    told = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name}{' ' if told else ''}{told}::{_data(text[:LONGEST])}"


def annotation(level: Level, title: str, text: str) -> str:
    """A message that is shown at the top of the job."""
    return command(str(level), text, title=title)


def harmless(text: str) -> str:
    """The text with no line in it that the runner would take for a command.

    `::name::` counts at the beginning of a line, `##[name]` anywhere in one.
    """
    lines = text.replace("##[", "# #[").split("\n")
    return "\n".join(f"| {line}" if line.lstrip().startswith("::") else line for line in lines)


def harmless_json(text: str) -> str:
    """The same for JSON, in which `[` within a text may be written by its number."""
    return text.replace("##[", "##\\u005b")


def output(file: Path, values: Mapping[str, str]) -> None:
    """Add outputs. Each ends at a word that nobody can know before, so that none adds another."""
    word = f"end-{secrets.token_hex(16)}"
    lines = [f"{name}<<{word}\n{value}\n{word}\n" for name, value in values.items()]
    with file.open("a", encoding="utf-8", newline="\n") as opened:
        opened.write("".join(lines))


def summary(file: Path, markdown: str) -> bool:
    """Add to the summary of the step; False where it would not fit, and all would be dropped."""
    there = file.stat().st_size if file.exists() else 0
    added = f"{markdown}\n".encode()
    if there + len(added) > LARGEST_SUMMARY:
        return False
    with file.open("ab") as opened:
        opened.write(added)
    return True


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
