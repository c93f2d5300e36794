"""What becomes of the release in the demo: how v2, or both versions, break, or do not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from demo.envoy_config import ROUTE_TIMEOUT_S

ERRORS = {"error_ratio": 0.15}
OUTAGE = {"error_ratio": 0.15, "slow_ratio": 0.2, "slow_ms": 250}
"""What a dependency that is out does: some requests fail at once, some at last, some are slow."""


@dataclass(frozen=True)
class Scenario:
    """words: said when v2 goes out. good, bad: options of the shop for v1 and v2.

    rolls_back: what the product should do about it. asks: it does so on a person's word alone.
    patience_s: how long the front door waits for an answer.
    """

    words: str
    rolls_back: bool
    good: Mapping[str, float] = field(default_factory=dict)
    bad: Mapping[str, float] = field(default_factory=dict)
    asks: bool = False
    patience_s: float = ROUTE_TIMEOUT_S


SCENARIOS = {
    "error_rate": Scenario(
        "at a moment that nobody knows it begins to fail 15 % of its requests", True, bad=ERRORS
    ),
    "latency": Scenario(
        "at a moment that nobody knows 40 % of its answers become slow",
        True,
        bad={"slow_ratio": 0.4, "slow_ms": 250},
    ),
    "unhealthy": Scenario(
        "at a moment that nobody knows two of its four instances say that they are not ready",
        True,
        bad={"unready_ratio": 0.5},
    ),
    "silence": Scenario(
        "at a moment that nobody knows it answers nothing any more, and says that it is ready",
        True,
        bad={"hang_ratio": 1},
        asks=True,
        patience_s=30,  # longer than users have: the proxy never sees an answer, nor an error
    ),
    "business_drop": Scenario(
        "at a moment that nobody knows 90 % of its checkouts become no order, and all look well",
        True,
        bad={"lost_ratio": 0.9},
    ),
    "healthy": Scenario("it is as good as v1", False),
    "common_mode": Scenario(
        "at a moment that nobody knows both versions begin to fail: what they depend on is out",
        False,
        good=OUTAGE,
        bad=OUTAGE,
    ),
}
