"""What Slack's way in needs beside what all doors share, and who may come in by it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from starters.gateway.slack.reading import Sender


class Answers(Protocol):
    """How one person alone is told something. Both may block for seconds, and may raise ours."""

    def explain(self, channel: str, user: str, text: str, link: str = "") -> None:
        """Below the message that was clicked, for that person alone."""

    def respond(self, response_url: str, text: str, link: str = "") -> None:
        """To a command that was answered already."""


class Connection(Protocol):
    """A Socket Mode connection that is kept open, and opened anew whenever it ends."""

    def listen(self, hear: Callable[[str, str, Any], dict[str, Any] | None]) -> None:
        """Call `hear` (kind, envelope, payload) for each; what it returns goes back with the ack.

        Returns once it is connected; `hear` is called in threads of the connection. Raises
        Unreachable while Slack does not answer.
        """

    def close(self) -> None:
        """Hang up."""


@dataclass(frozen=True)
class SlackDoor:
    """secrets: all signing secrets that are live now, read anew for each request.

    teams, apps: ids that may come in; enterprises: the same for Enterprise Grid, empty for none.
    pages: address of the gateway's pages, empty where there are none. connection: Socket Mode.
    """

    teams: frozenset[str]
    apps: frozenset[str]
    answers: Answers
    secrets: Callable[[], tuple[str, ...]] | None = None
    enterprises: frozenset[str] = frozenset()
    pages: str = ""
    connection: Connection | None = None

    def lets_in(self, sender: Sender) -> bool:
        """Whether workspace, app and enterprise are ours."""
        fits = sender.team in self.teams and sender.app in self.apps
        return fits and (not sender.enterprise or sender.enterprise in self.enterprises)

    def page(self, rollback: str) -> str:
        """The address of a rollback's page; empty where there is none."""
        return f"{self.pages}/{rollback}" if self.pages else ""


class Said(Exception):
    """The end of a request in words for the person who sent it; link: where to go instead."""

    def __init__(self, text: str, link: str = "") -> None:
        super().__init__(text)
        self.text, self.link = text, link
