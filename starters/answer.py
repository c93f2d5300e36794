"""What a verb of the command line answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """What a verb says: text for people, a document for programs, and the exit code."""

    text: str
    document: Mapping[str, object] = field(default_factory=dict)
    code: int = 0
    summary: str = ""
    """Markdown for the page of a CI job; empty: nothing to add to its log."""
