"""What a door remembers so that nothing signed counts twice. Shared by Slack and alerts."""

from typing import Protocol


class Replays(Protocol):
    """A record that outlives the process and is one for all gateways."""

    def first_time(self, key: str, ttl_s: int) -> bool:
        """Whether `key` was not seen in the last `ttl_s` seconds; from now on it was.

        Of two that ask at once one is the first. Raises Unreachable while the records are down.
        """

    def forget(self, key: str) -> None:
        """It was not taken after all: whoever sends the same again is the first.

        Raises Unreachable while the records are down.
        """
