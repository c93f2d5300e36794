"""Releases with states and histories of their own, judged side by side."""

import numpy as np
import pytest

from rollback_manager.statistics import errors, slow_requests
from rollback_manager.statistics.envelope import Envelope
from rollback_manager.statistics.evidence import Arm, Interval
from rollback_manager.statistics.release_watch import History, ReleaseWatch
from rollback_manager.statistics.rows import row, stacked

SECONDS = 150


def history(number: int) -> History:
    """Each another; some have the same envelopes."""
    wide = Envelope.decaying(0.1 + 0.05 * (number % 3), 30.0)
    return History(0.005 * (number + 1), wide, slow_requests.UNSEEN)


def interval(number: int, second: int) -> Interval:
    """Each release starts at another moment, and every second one breaks after a while."""
    generator = np.random.default_rng([number, second])
    rate = 0.3 if number % 2 and second > 100 else 0.01
    failed, slow, control = generator.binomial([50, 50, 450], [rate, 0.05, 0.01])
    new, old = Arm.of(50, failed, slow), Arm.of(450, control, 22)
    return Interval.of(second + 7.0 * number, 1.0 + number % 2, new, old)


def test_each_gets_the_answers_that_it_gets_alone() -> None:
    alone = [ReleaseWatch.begin(history(n), 0.1 + 0.1 * n) for n in range(6)]
    watches = list(alone)
    for second in range(SECONDS):
        intervals = [interval(n, second) for n in range(6)]
        alone = [one.with_more(seen) for one, seen in zip(alone, intervals, strict=True)]
        together = stacked(watches).with_more(stacked(intervals))
        watches = [row(together, n) for n in range(6)]
        for number, one in enumerate(alone):
            for ours, own in zip(together.findings(number), one.findings(), strict=True):
                # The sums are the same up to the order in which they are added.
                assert ours.model_dump() == pytest.approx(own.model_dump())
    assert [bool(one.regressed[0]) for one in watches] == [False, True] * 3


def test_other_knobs_are_no_neighbours() -> None:
    other = ReleaseWatch.begin(history(0), 0.1, knobs=(slow_requests.KNOBS, errors.KNOBS))
    with pytest.raises(ValueError, match="knobs of error_ratio differ"):
        stacked([ReleaseWatch.begin(history(0), 0.1), other])
