"""The mixture as an e-process, and the envelope that is learnt."""

import math

import numpy as np
import pytest

from rollback_manager.statistics.envelope import EDGES_S, Envelope, WarmUp, learn
from rollback_manager.statistics.errors import KNOBS
from rollback_manager.statistics.sequential import MOST_CREDIT_NATS, SIZES, Mixture, gains

WEIGHTS = np.array(KNOBS.weights)


def test_weights_belong_to_the_sizes_and_sum_to_one() -> None:
    assert len(KNOBS.weights) == len(SIZES)
    assert math.isclose(sum(KNOBS.weights), 1)


def test_a_rate_at_the_very_bound_is_hardly_ever_blamed() -> None:
    """Ville: at most e^-3 of 4,000 releases ever exceed 3 nats, however often one looks."""
    chance = np.random.default_rng(6)
    mixture, worst = Mixture.fresh(4000), np.zeros(4000)
    for _ in range(300):
        hits = chance.binomial(10, 0.02, 4000).astype(float)
        gained = gains(hits, np.full(4000, 10.0), np.full(4000, 0.02))
        mixture = mixture.with_more(gained, np.array(False))
        worst = np.maximum(worst, mixture.nats(WEIGHTS))
    assert (worst >= 3).mean() <= math.exp(-3)


@pytest.mark.parametrize("bound", [0.0, 0.02, 0.5, 0.99])
def test_gains_are_finite_and_of_the_right_sign(bound: float) -> None:
    none, ten = np.zeros(1), np.full(1, 10.0)
    assert (gains(none, ten, np.array([bound])) < 0).all()
    assert (gains(ten, ten, np.array([bound])) > 0).all()
    assert (gains(none, none, np.array([bound])) == 0).all()


def test_a_warm_up_that_is_forgiven_earns_no_credit() -> None:
    none, full, bound = np.zeros(1), np.full(1, 100.0), np.full(1, 0.5)
    forgiven = Mixture.fresh(1).with_more(gains(none, full, bound), np.array(True))
    earned = Mixture.fresh(1).with_more(gains(none, full, bound), np.array(False))
    assert forgiven.nats(WEIGHTS)[0] == pytest.approx(-MOST_CREDIT_NATS, abs=0.01)
    assert earned.sums.max() < -MOST_CREDIT_NATS
    assert np.isnan(forgiven.fine_up_to()[0])


def test_a_size_is_ruled_out_only_with_all_larger_ones() -> None:
    sums = np.array([-9.0, -1.0, -9.0, -9.0, -9.0, -9.0, -9.0])[:, None]
    assert Mixture(sums).fine_up_to()[0] == SIZES[2]
    assert np.isnan(Mixture.fresh(1).fine_up_to()[0])


def warm_up(releases: int, per_bin: float, excess: list[float]) -> WarmUp:
    tries = np.full(len(EDGES_S) - 1, per_bin)
    rates = np.array(excess)
    return WarmUp(releases, tries * (0.01 + rates), tries, tries * 0.09, tries * 9)


def test_an_envelope_falls_though_what_was_seen_did_not() -> None:
    rough = [0.03, 0.04, 0.01, 0.02, *[0.0] * (len(EDGES_S) - 5)]
    learnt = learn(warm_up(1000, 1e6, rough), WarmUp.none(), spread=1.0)
    assert list(learnt.excess) == sorted(learnt.excess, reverse=True)
    assert learnt.excess[0] == pytest.approx(0.035, rel=0.15)


def test_a_service_without_releases_gets_the_fleets_envelope() -> None:
    fleet = warm_up(100, 1e6, [0.03] * (len(EDGES_S) - 1))
    assert learn(WarmUp.none(), fleet, 2.0).excess[0] == pytest.approx(0.06)


def test_a_few_requests_hardly_move_the_envelope() -> None:
    bins = len(EDGES_S) - 1
    fleet, own = warm_up(100, 1e6, [0.03] * bins), warm_up(2, 10, [0.5] * bins)
    assert learn(own, fleet, 1.0).excess[0] == pytest.approx(0.03, abs=0.001)


def test_an_envelope_is_constant_outside_what_was_seen() -> None:
    envelope = Envelope((5.0, 10.0), (0.2, 0.1))
    assert list(envelope(np.array([0.0, 7.5, 99.0]))) == pytest.approx([0.2, 0.15, 0.1])
