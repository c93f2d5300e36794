"""What a door remembers so that nothing signed counts twice. Shared by Slack and alerts."""

from typing import Protocol


class Replays(Protocol):
    """A record that outlives the process and is one for all gateways."""

    def first_time(self, key: str, ttl_s: int) -> bool:
        """Whether `key` was not seen in the last `ttl_s` seconds; from now on it was.

        Of two that ask at once one is the first. Raises Unreachable while the records are down.
        """

    def is_known(self, key: str) -> bool:
        """Whether `key` was seen; nothing is remembered by this question.

        Raises Unreachable while the records are down.
        """
