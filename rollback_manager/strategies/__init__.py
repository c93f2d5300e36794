"""Strategies: one file each, found by folder. A strategy returns phases as data, nothing else."""

import importlib
import pkgutil
from collections.abc import Callable
from enum import StrEnum
from functools import cache

from rollback_manager.errors import PermanentError
from rollback_manager.moves import Moves
from rollback_manager.plan import Phase, Risk
from rollback_manager.policy import Policy
from rollback_manager.values import Value


class RiskLevel(StrEnum):
    """The seed's risk of a strategy."""

    VERY_LOW = "very low"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class ServiceFacts(Value):
    """What a strategy builds its phases from: names, numbers and the policy; never a connection."""

    good: str
    bad: str
    desired: int
    good_instances: int
    bad_instances: int = 0
    shares: dict[str, int]
    policy: Policy
    moves: Moves = Moves.SHARES


class Strategy(Value):
    """How one kind of deployment is undone."""

    name: str
    phases: Callable[[ServiceFacts], tuple[Phase, ...]]
    risk: RiskLevel
    automation: str
    traffic_back_s: float
    """Seconds until the traffic is back, by the seed's table, while nothing was measured yet."""
    risks: tuple[Risk, ...] = ()
    not_undone: tuple[str, ...] = ()
    touches_data: bool = False
    moves: frozenset[Moves] = frozenset({Moves.SHARES, Moves.SWITCH})
    """What may move the traffic of a service that goes back in this way."""


@cache
def all_strategies() -> dict[str, Strategy]:
    """Name → strategy, sorted by name. Two of one name stop the start."""
    found: dict[str, Strategy] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        strategy: Strategy = importlib.import_module(f"{__name__}.{module.name}").STRATEGY
        if strategy.name in found:
            raise PermanentError(f"two strategies are called {strategy.name}")
        found[strategy.name] = strategy
    return found


def strategy_named(name: str) -> Strategy:
    """The strategy of that name; there is no default one."""
    strategies = all_strategies()
    if name not in strategies:
        raise PermanentError(f"unknown strategy {name!r}; known: {', '.join(strategies)}")
    return strategies[name]
