"""Rules on one number without a control: the seed's, and ours as they are shipped."""

from collections.abc import Callable

import numpy as np

from benchmarks.score.series import Watch
from rollback_manager.statistics.business import (
    BUSINESS,
    MINUTES,
    THROUGHPUT,
    Floor,
    judge_floor,
    judge_season,
)
from rollback_manager.statistics.evidence import Amounts, Answer
from rollback_manager.statistics.seasonal import drop, seasonal

Rule = Callable[[Watch], int | None]
"""Watch → number of steps after which the rule first says "regressed"; None if it never does."""


def first_of(alarms: np.ndarray) -> int | None:
    """Steps until the first yes."""
    return int(alarms.argmax()) + 1 if alarms.any() else None


def rises(factor: float) -> Rule:
    """The seed's: one step above `factor` times the mean of the last hour."""
    return lambda watch: first_of(watch.watched > factor * watch.hour.mean())


def rises_3_of_5(factor: float) -> Rule:
    """The same in three of the last five steps."""

    def rule(watch: Watch) -> int | None:
        over = np.cumsum(watch.watched > factor * watch.hour.mean())
        five_ago = np.concatenate([np.zeros(5), over])[: over.size]
        return first_of(over - five_ago >= 3)

    return rule


def falls(share: float) -> Rule:
    """The seed's: one step more than `share` below the mean of the last hour."""
    return lambda watch: first_of(watch.watched < (1 - share) * watch.hour.mean())


def below_floor(floor: Floor) -> Rule:
    """Ours: `business.judge_floor`, asked at every step."""

    def rule(watch: Watch) -> int | None:
        model = seasonal(watch.days, watch.before)
        for steps in range(MINUTES, watch.watched.size + 1 if model else 0):
            finding = judge_season(floor, model, len(watch.days), watch.watched[:steps])
            if finding.answer is Answer.REGRESSED:
                return steps
        return None

    return rule


def can_be_judged(watch: Watch) -> bool:
    """Whether our floors have anything to say of this watch once it is over."""
    finding = judge_floor(THROUGHPUT, watch.days, watch.before, watch.watched)
    return finding.answer is not Answer.CANNOT_TELL


def fall_by_step(watch: Watch) -> Amounts:
    """How far each step is below the mean of the last hour: what `falls` compares."""
    return np.asarray(1 - watch.watched / watch.hour.mean())


def fall_by_season(watch: Watch) -> Amounts:
    """How far the median of the last three steps is below the seasonal shape, for each step.

    What `judge_floor` holds against the floor; nothing before the third step.
    """
    model = seasonal(watch.days, watch.before)
    fallen = np.full(watch.watched.size, -np.inf)
    for steps in range(MINUTES, fallen.size + 1 if model else 0):
        relative = drop(model, watch.watched[:steps], MINUTES)[0] if model else np.nan
        fallen[steps - 1] = relative if np.isfinite(relative) else -np.inf
    return fallen


SEED_RULES: dict[str, Rule] = {
    "seed: rise above 200 %": rises(2.0),
    "seed: the same, 3 of 5": rises_3_of_5(2.0),
    "seed: fall of 50 %": falls(0.5),
    "seed: fall of 20 %": falls(0.2),
}
OUR_RULES: dict[str, Rule] = {
    "shipped: throughput floor, 50 %": below_floor(THROUGHPUT),
    "shipped: business floor, 20 %": below_floor(BUSINESS),
}
