"""What a release did in its first minutes, as it is kept for the ones after it."""

from typing import Annotated

from pydantic import Field

from rollback_manager.values import Value

BINS = 12
"""Of seconds since its first user; their edges are the statistics'."""
Counts = Annotated[tuple[float, ...], Field(min_length=BINS, max_length=BINS)]
"""One number per bin."""


class Compared(Value):
    """One counter's hits and tries, of the release and of the old version beside it."""

    hits: Counts
    tries: Counts
    control_hits: Counts
    control_tries: Counts


class WarmedUp(Value):
    """Failed and slow requests of one release that was watched from its first user on."""

    service: str
    version: str
    errors: Compared
    slow: Compared
