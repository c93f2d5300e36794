"""Verification: figures that claim no more than they show."""

import math
import statistics
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager import verification
from rollback_manager.metrics.reading import NoReading, Reading, Slow
from rollback_manager.policy import VerificationPolicy
from rollback_manager.release import Baseline
from rollback_manager.verification import (
    Answer,
    Verdict,
    error_limit,
    judge_errors,
    judge_latency,
    judge_readiness,
    judge_throughput,
    latency_limit_ms,
    requests_needed,
    wilson,
    worst,
    worth_judging,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
POLICY = VerificationPolicy()
NOTHING = NoReading(version="v1", because="the counters started again from zero")
PASSED, INCONCLUSIVE, ERROR, FAILED = Answer


def reading(requests: int, errors: int = 0, seconds: float = 60) -> Reading:
    return Reading(
        version="v1",
        requests=requests,
        errors=errors,
        latency_p95_ms=12,
        window_s=seconds,
        taken_at=NOW,
    )


def baseline(error_ratio: float = 0.0, latency_p95_ms: float = 9) -> Baseline:
    return Baseline(
        requests=6000,
        error_ratio=error_ratio,
        latency_p95_ms=latency_p95_ms,
        requests_per_s=80,
        window_s=75,
        taken_at=NOW,
    )


def verdict(answer: Answer) -> Verdict:
    return Verdict(check="x", answer=answer, because="")


@pytest.mark.parametrize(
    ("hits", "tries", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # codegolf.stackexchange.com/questions/105389
        (1, 1, 0.20654329147389294, 1.0),
        (1, 11, 0.016231752262825982, 0.3773646254862038),
        (10, 100, 0.05522854161313612, 0.1743673043676654),
        (0, 100, 0.0, 0.03699480747600191),
        (100, 100, 0.9630051925239981, 1.0),
    ],
)
def test_wilson_agrees_with_published_values(
    monkeypatch: pytest.MonkeyPatch, hits: int, tries: int, low: float, high: float
) -> None:
    monkeypatch.setattr(verification, "Z_99", 1.96)  # they are two-sided 95 %
    assert wilson(hits, tries) == pytest.approx((low, high), abs=5e-5)


def test_z_is_the_99th_percentile_of_the_normal_distribution() -> None:
    assert pytest.approx(statistics.NormalDist().inv_cdf(0.99), abs=5e-4) == verification.Z_99


def by_bisection(hits: int, tries: int, side: int) -> float:
    """The bound where the score test just rejects, sought instead of solved for."""
    seen = hits / tries
    inside, outside = seen, float(side > 0)
    for _ in range(100):
        p = (inside + outside) / 2
        z = abs(seen - p) / math.sqrt(p * (1 - p) / tries) if 0 < p < 1 else math.inf
        inside, outside = (p, outside) if z < verification.Z_99 else (inside, p)
    return inside


proportions = st.integers(1, 100_000).flatmap(
    lambda tries: st.tuples(st.integers(0, tries), st.just(tries))
)


@given(proportions)
def test_wilson_is_where_the_score_test_turns(counted: tuple[int, int]) -> None:
    bounds = by_bisection(*counted, -1), by_bisection(*counted, 1)
    assert wilson(*counted) == pytest.approx(bounds, abs=1e-9)


@given(proportions)
def test_the_bounds_hold_what_was_seen(counted: tuple[int, int]) -> None:
    low, high = wilson(*counted)
    assert 0 <= low <= counted[0] / counted[1] + 1e-12
    assert counted[0] / counted[1] - 1e-12 <= high <= 1


@given(proportions)
def test_another_failure_never_makes_it_look_better(counted: tuple[int, int]) -> None:
    hits, tries = counted
    if hits < tries:
        assert wilson(hits + 1, tries)[0] >= wilson(hits, tries)[0]
        assert wilson(hits + 1, tries)[1] >= wilson(hits, tries)[1]


@given(st.integers(1, 100_000))
def test_what_never_or_always_happened_has_an_exact_bound(tries: int) -> None:
    assert wilson(0, tries)[0] == 0  # not 1e-18, which would be "worse than a baseline of 0"
    assert wilson(tries, tries)[1] == 1


def test_no_error_is_no_failure_even_where_none_is_allowed() -> None:
    assert judge_errors(reading(200), 0.0).answer is INCONCLUSIVE


def test_without_requests_anything_is_possible() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("limit", "needed"), [(0.001, 5405), (0.01, 536), (0.05, 103), (0.5, 6), (1.0, 0), (0.0, 0)]
)
def test_a_small_limit_needs_many_requests(limit: float, needed: int) -> None:
    assert requests_needed(limit) == needed


@given(st.floats(1e-5, 0.99))
def test_the_needed_requests_are_where_the_bound_meets_the_limit(limit: float) -> None:
    needed = requests_needed(limit)
    assert wilson(0, needed)[1] <= limit * (1 + 1e-9)
    assert needed == 1 or wilson(0, needed - 1)[1] > limit * (1 - 1e-9)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((), INCONCLUSIVE),
        ((PASSED, PASSED), PASSED),
        ((PASSED, INCONCLUSIVE), INCONCLUSIVE),
        ((ERROR, INCONCLUSIVE), ERROR),
        ((PASSED, FAILED, ERROR, INCONCLUSIVE), FAILED),
    ],
)
def test_the_worst_verdict_decides(answers: tuple[Answer, ...], expected: Answer) -> None:
    assert worst(verdict(answer) for answer in answers) is expected


@given(st.lists(st.sampled_from(Answer)))
def test_all_is_well_only_if_every_check_passed(answers: list[Answer]) -> None:
    well = bool(answers) and set(answers) == {PASSED}
    assert (worst(map(verdict, answers)) is PASSED) == well


@pytest.mark.parametrize(
    ("normal", "limit"), [(None, 0.001), (0.0, 0.001), (0.001, 0.002), (0.02, 0.03), (0.9, 1.0)]
)
def test_the_limit_leaves_room_above_the_baseline(normal: float | None, limit: float) -> None:
    known = None if normal is None else baseline(normal)
    assert error_limit(known, POLICY) == pytest.approx(limit)


def test_latency_is_limited_by_the_baseline_alone() -> None:
    assert latency_limit_ms(baseline(latency_p95_ms=9), POLICY) == 18
    assert latency_limit_ms(None, POLICY) is None


@pytest.mark.parametrize(
    ("errors", "requests", "answer"),
    [
        (0, 5405, PASSED),
        (0, 5404, INCONCLUSIVE),
        (0, 0, INCONCLUSIVE),
        (1, 5405, INCONCLUSIVE),
        (5, 5000, INCONCLUSIVE),  # exactly the limit, and no more than that is known
        (9, 20_000, PASSED),
        (12, 4000, FAILED),
        (4000, 4000, FAILED),
    ],
)
def test_errors_are_judged_by_bounds_and_not_by_luck(
    errors: int, requests: int, answer: Answer
) -> None:
    assert judge_errors(reading(requests, errors), 0.001).answer is answer


def test_failures_that_no_version_gave_count_against_the_good_one() -> None:
    assert judge_errors(reading(6000), 0.001).answer is PASSED
    refused = judge_errors(reading(6000), 0.001, own_errors=60)
    assert refused.answer is FAILED
    assert refused.because.startswith("60 of 6060 requests failed")
    assert judge_errors(reading(0), 0.001, own_errors=50).answer is FAILED


def test_a_thin_sample_says_how_many_requests_it_needs() -> None:
    said = judge_errors(reading(100), 0.001).because
    assert "0 of 100 requests failed in 60 s" in said
    assert said.endswith("too few: this claim needs at least 5405")
    assert "too few" not in judge_errors(reading(6000, 4), 0.001).because


@given(proportions, st.floats(1e-4, 1))
def test_no_verdict_contradicts_what_was_seen(counted: tuple[int, int], limit: float) -> None:
    errors, requests = counted
    answer = judge_errors(reading(requests, errors), limit).answer
    if errors / requests > limit:
        assert answer is not PASSED
    if errors / requests <= limit:
        assert answer is not FAILED


@pytest.mark.parametrize(
    ("slow", "requests", "limit_ms", "answer", "because"),
    [
        (0, 103, 18.0, PASSED, "P95 12 ms; 0 of 103 requests slower than 18 ms"),
        (0, 102, 18.0, INCONCLUSIVE, "too few: this claim needs at least 103"),
        (50, 100, 18.0, FAILED, "50 of 100"),
        (50, 1000, 18.0, INCONCLUSIVE, "50 of 1000"),
        (None, 1000, 18.0, INCONCLUSIVE, "no latencies counted"),
        (0, 1000, None, INCONCLUSIVE, "no baseline says what is normal"),
    ],
)
def test_p95_is_within_its_limit_if_few_are_slower(
    slow: int | None, requests: int, limit_ms: float | None, answer: Answer, because: str
) -> None:
    timed = None if slow is None else Slow(slower=slow, timed=requests)
    judged = judge_latency(timed, reading(requests), limit_ms)
    assert judged.answer is answer
    assert because in judged.because


def test_an_unknown_p95_is_said_to_be_unknown() -> None:
    unknown = reading(500).model_copy(update={"latency_p95_ms": None})
    assert judge_latency(Slow(slower=0, timed=500), unknown, 18).because.startswith("P95 unknown")


@pytest.mark.parametrize(
    ("requests", "before_per_s", "answer"),
    [(2400, 80, PASSED), (2399, 80, FAILED), (0, 80, FAILED), (0, 0, PASSED)],
)
def test_throughput_is_judged_against_before_the_shift(
    requests: int, before_per_s: float, answer: Answer
) -> None:
    judged = judge_throughput(reading(requests), before_per_s, 0.5)
    assert judged.answer is answer
    assert judged.because.endswith("floor 50%")


@pytest.mark.parametrize(
    ("ready", "desired", "answer"),
    [(2, 2, PASSED), (3, 2, PASSED), (1, 2, FAILED), (0, 0, FAILED)],
)
def test_every_wanted_instance_must_be_ready(ready: int, desired: int, answer: Answer) -> None:
    assert judge_readiness(ready, desired).answer is answer


def test_no_data_is_never_a_pass() -> None:
    for judged in (
        judge_errors(NOTHING, 0.5),
        judge_latency(Slow(slower=0, timed=9), NOTHING, 18),
        judge_throughput(NOTHING, 80, 0.5),
    ):
        assert judged.answer is INCONCLUSIVE
        assert judged.because == NOTHING.because


class Ladder:
    """The very ladder that the activity climbs, fed with a version of a known error ratio."""

    def __init__(self, limit: float, per_s: float, chance: Any) -> None:
        self.limit, self.per_s, self.chance = limit, per_s, chance

    def climb(self, error_ratio: float) -> Answer:
        """The first verdict that tells, or the last one, after 10 minutes of looks."""
        failures = self._failures(error_ratio)
        failed, next_failure, judged_at = 0, next(failures), 0
        for second in range(5, 601, 5):
            requests = int(second * self.per_s)
            while next_failure < requests:
                failed, next_failure = failed + 1, next(failures)
            seen = reading(requests, failed, second)
            if worth_judging(seen, 0, self.limit, judged_at) or second == 600:
                judged_at = requests
                answer = judge_errors(seen, self.limit).answer
                if answer in {PASSED, FAILED}:
                    return answer
        return INCONCLUSIVE

    def _failures(self, error_ratio: float) -> Any:
        place = -1.0
        while True:
            place += 1 + math.floor(self.chance.expovariate(-math.log1p(-error_ratio)))
            yield place


def answers(limit: float, ratio: float, per_s: float, runs: int = 500) -> dict[Answer, float]:
    from random import Random

    chance = Random(20260301)  # noqa: S311  # a simulation, repeatable
    came_out = [Ladder(limit, per_s, chance).climb(ratio) for _ in range(runs)]
    return {answer: came_out.count(answer) / runs for answer in Answer}


@pytest.mark.parametrize("per_s", [2, 10, 80])
@pytest.mark.parametrize("limit", [0.001, 0.01, 0.2])
def test_a_truly_bad_version_hardly_ever_passes(limit: float, per_s: float) -> None:
    assert answers(limit, 2 * limit, per_s, runs=150)[PASSED] < 0.02


@pytest.mark.parametrize("limit", [0.001, 0.01, 0.2])
def test_a_truly_good_version_hardly_ever_fails(limit: float) -> None:
    assert answers(limit, limit / 2, 80, runs=300)[FAILED] < 0.02


def test_a_version_without_faults_passes_at_the_first_look() -> None:
    assert answers(0.001, 1e-9, 95, runs=20)[PASSED] == 1
