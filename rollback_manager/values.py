"""How the domain's values are made: immutable, finite, and able to read what older builds wrote."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Value(BaseModel):
    """A frozen value that may stand in history: unknown fields are ignored, NaN is refused.

    What a person wrote is read with `extra="forbid"`, at the edge that reads it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


Ratio = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[int, Field(ge=0, le=100)]
Seconds = Annotated[float, Field(ge=0)]
Timeout = Annotated[float, Field(gt=0)]
"""Seconds again, and never 0: a step that may take no time at all can only fail."""
Count = Annotated[int, Field(ge=0)]


def _sums_to_100(shares: dict[str, int]) -> dict[str, int]:
    if sum(shares.values()) != 100:
        raise ValueError(f"shares must sum to 100, these sum to {sum(shares.values())}")
    return shares


Shares = Annotated[dict[str, Percent], AfterValidator(_sums_to_100)]
"""Version → percent of the traffic; sums to 100."""
