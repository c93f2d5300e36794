"""What becomes of the release in the demo: how v2, or both versions, break, or do not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ERRORS = {"error_ratio": 0.15}
OUTAGE = {"error_ratio": 0.15, "slow_ratio": 0.2, "slow_ms": 250}
"""What a dependency that is out does: some requests fail at once, some at last, some are slow."""


@dataclass(frozen=True)
class Scenario:
    """words: said when v2 goes out. good, bad: options of the shop for v1 and v2.

    rolls_back: what the product should do about it.
    """

    words: str
    rolls_back: bool
    good: Mapping[str, float] = field(default_factory=dict)
    bad: Mapping[str, float] = field(default_factory=dict)


SCENARIOS = {
    "error_rate": Scenario(
        "at a moment that nobody knows it begins to fail 15 % of its requests", True, bad=ERRORS
    ),
    "latency": Scenario(
        "at a moment that nobody knows 40 % of its answers become slow",
        True,
        bad={"slow_ratio": 0.4, "slow_ms": 250},
    ),
    "healthy": Scenario("it is as good as v1", False),
    "common_mode": Scenario(
        "at a moment that nobody knows both versions begin to fail: what they depend on is out",
        False,
        good=OUTAGE,
        bad=OUTAGE,
    ),
}
"""Not yet: unhealthy, silence, business_drop."""
