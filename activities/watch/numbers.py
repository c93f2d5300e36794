"""The role of kept numbers: what a service's business and traffic came to in each past minute."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol


class Numbers(Protocol):
    """A reading a minute, of each number of each service."""

    def keep_numbers(
        self, env: str, service: str, name: str, readings: Mapping[datetime, float], since: datetime
    ) -> None:
        """Keep them by their minutes, and forget what is older than `since`. Raises Unreachable."""

    def numbers(self, env: str, service: str, name: str, since: datetime) -> dict[datetime, float]:
        """Minute → reading, the oldest first. Raises Unreachable."""
