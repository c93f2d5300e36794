"""The terminal itself: words of state get a colour on top, and a running rollback is redrawn."""

from typing import TextIO

from rich.console import Console
from rich.highlighter import RegexHighlighter
from rich.theme import Theme

THEME = Theme(
    {
        "state.good": "green",
        "state.open": "yellow",
        "state.bad": "bold red",
    }
)


class StateWords(RegexHighlighter):
    """Colours words that already say what they mean; without colour nothing is lost."""

    base_style = "state."
    highlights = [  # noqa: RUF012 -- as Rich declares it
        r"\b(?P<good>pass|ok|VERIFIED|ROLLED BACK|RESTORED|UNTOUCHED)\b",
        r"\b(?P<open>unclear|warn|PAUSED|WAITING FOR APPROVAL|NEEDS A PERSON|RESTORING)\b",
        r"\b(?P<open>NOT VERIFIED|BLOCKED|REJECTED|ABORTED|EXPIRED|STALE PLAN)\b",
        r"\b(?P<bad>fail|FAIL|MIXED|UNKNOWN|error:)",
    ]


def console(stream: TextIO) -> Console:
    """A console that never reads markup or emoji out of what it prints. Honours NO_COLOR."""
    return Console(
        file=stream,
        markup=False,
        emoji=False,
        highlighter=StateWords(),
        theme=THEME,
        soft_wrap=True,
    )
