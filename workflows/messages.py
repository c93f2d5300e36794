"""What is sent may be anything, and a handler that fails stops its workflow for ever."""

from typing import TypeVar

from temporalio import workflow

T = TypeVar("T")


def readable(words: object, kind: type[T]) -> T | None:
    """The message, or None where there is none: no input at all, or raw bytes.

    Temporal drops JSON that does not fit; these two reach a handler whatever its type hint says.
    """
    if isinstance(words, kind):
        return words
    workflow.logger.warning("a message that cannot be read was ignored")
    return None
