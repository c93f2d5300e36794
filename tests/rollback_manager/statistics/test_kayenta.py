"""The judge: it agrees with Kayenta's own cases, and keeps what they do not show."""

import math
import statistics
from collections.abc import Callable, Sequence
from itertools import islice

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from benchmarks.vectors import Vector, vectors
from rollback_manager.statistics.kayenta import intervals
from rollback_manager.statistics.kayenta.intervals import (
    TOLERANCE,
    AllTied,
    find_root,
    ranked_wins,
    shift_between,
)
from rollback_manager.statistics.kayenta.judge import classify, compare_means, judge
from rollback_manager.statistics.kayenta.rules import (
    Bounds,
    Classification,
    Direction,
    Label,
    Measure,
    MetricRules,
    Missing,
)
from rollback_manager.statistics.kayenta.samples import (
    cles,
    cohens_d,
    mean,
    mean_ratio,
    percentile,
    population_variance,
    sample_variance,
    summary,
)
from rollback_manager.statistics.kayenta.scores import Grade, Judged, grade, score
from rollback_manager.statistics.kayenta.settings import (
    flag_at,
    is_muted,
    look_up,
    number_at,
    read_rules,
    text_at,
)
from rollback_manager.statistics.kayenta.transforms import (
    gaussians,
    missing_as,
    normal_sample,
    outside_iqr,
    outside_k_sigma,
    without_missing,
)

Test = Callable[[Sequence[float], Sequence[float], MetricRules], Classification]
RULES = MetricRules()
LOW_SAMPLE = [10.0, 11, 12, 13, 14, 15, 16, 17]
HIGH_SAMPLE = [30.0, 31, 32, 33, 34, 35, 36, 37]
JAVA_12345 = [-0.187808989658912, 0.5884363051154796, 0.9488047804400426]

values = st.floats(-1e6, 1e6, allow_subnormal=False)
samples = st.lists(values, min_size=2, max_size=30)
whole = st.lists(st.integers(-20, 20).map(float), min_size=3, max_size=20)


@pytest.mark.parametrize("vector", list(vectors(group="kayenta")), ids=lambda vector: vector.name)
def test_the_judge_agrees_with_kayenta(vector: Vector) -> None:
    assert vector.disagreement() == ""


@given(st.permutations(LOW_SAMPLE))
def test_the_same_values_pass_in_any_order(shuffled: list[float]) -> None:
    assert classify(LOW_SAMPLE, shuffled, RULES).label is Label.PASS


def test_one_value_all_over_passes_whatever_the_sizes() -> None:
    assert classify([4.0] * 3, [4.0] * 9, RULES).label is Label.PASS


@pytest.mark.parametrize(
    ("before", "after", "label"),
    [
        (10.0, 12.0, Label.HIGH),
        (12.0, 10.0, Label.LOW),
        (0.0, 1.0, Label.HIGH),
    ],
)
def test_two_constants_are_told_apart_by_a_little_noise(
    before: float, after: float, label: Label
) -> None:
    first, again = (classify([before] * 20, [after] * 20, RULES) for _ in range(2))
    assert first.label is label
    assert first == again  # noise and all: a verdict does not change when it is asked for twice


def test_below_zero_the_ratio_of_means_misleads_and_the_chance_of_being_higher_does_not() -> None:
    """Kayenta's default, kept: -4 ÷ -5 is below 1 and so no increase."""
    below, above = [value - 100 for value in LOW_SAMPLE], [value - 100 for value in HIGH_SAMPLE]
    assert classify(below, above, RULES).label is Label.PASS
    assert classify(below, above, MetricRules(measure=Measure.CLES)).label is Label.HIGH


@pytest.mark.parametrize(
    ("missing", "required", "critical", "label", "fails"),
    [
        (Missing.REMOVE, False, False, Label.NO_DATA, False),
        (Missing.REMOVE, False, True, Label.NO_DATA, True),
        (Missing.REMOVE, True, False, Label.NO_DATA_FAILS, False),
        (Missing.REMOVE, True, True, Label.NO_DATA, True),
        (Missing.REPLACE, True, True, Label.PASS, False),
    ],
)
@pytest.mark.parametrize("test", [classify, compare_means])
def test_no_data_is_said_to_be_none(
    test: Test,
    missing: Missing,
    required: bool,
    critical: bool,
    label: Label,
    fails: bool,
) -> None:
    rules = MetricRules(missing=missing, data_required=required, critical=critical)
    nothing: list[float] = []
    for baseline, candidate in ((nothing, LOW_SAMPLE), (LOW_SAMPLE, nothing), (nothing, nothing)):
        classified = test(baseline, candidate, rules)
        assert (classified.label, classified.critical) == (label, fails)


def test_missing_values_are_left_out_or_taken_as_zero() -> None:
    gaps: list[float | None] = [None, math.nan, *LOW_SAMPLE]
    assert judge([None, math.nan], gaps, RULES).label is Label.NO_DATA
    zero = MetricRules(missing=Missing.REPLACE)
    assert judge([None] * 8, HIGH_SAMPLE, zero).label is Label.HIGH
    assert judge([None] * 8, [math.nan] * 5, zero).label is Label.PASS


def test_a_metric_that_cannot_be_judged_is_an_error_and_raises_nothing() -> None:
    assert judge([0.0], [0.0, 1.0], RULES).label is Label.PASS
    assert judge([0.0], [1.0], RULES).label is Label.ERROR
    with pytest.raises(AllTied):
        shift_between([3.0], [5.0], 0.98)


@pytest.mark.parametrize(
    ("direction", "high", "low"),
    [
        (Direction.EITHER, Label.HIGH, Label.LOW),
        (Direction.INCREASE, Label.HIGH, Label.PASS),
        (Direction.DECREASE, Label.PASS, Label.LOW),
    ],
)
@pytest.mark.parametrize("test", [classify, compare_means])
def test_only_the_asked_direction_counts(
    test: Test,
    direction: Direction,
    high: Label,
    low: Label,
) -> None:
    rules = MetricRules(direction=direction)
    assert test(LOW_SAMPLE, HIGH_SAMPLE, rules).label is high
    assert test(HIGH_SAMPLE, LOW_SAMPLE, rules).label is low


@pytest.mark.parametrize(
    ("measure", "at_least", "label"),
    [
        (Measure.MEAN_RATIO, 2.4, Label.HIGH),
        (Measure.MEAN_RATIO, 2.6, Label.PASS),
        (Measure.CLES, 1.0, Label.HIGH),
        (Measure.CLES, 1.1, Label.PASS),
    ],
)
def test_a_small_effect_is_no_failure(measure: Measure, at_least: float, label: Label) -> None:
    rules = MetricRules(measure=measure, effect=Bounds(low=0, high=at_least))
    assert classify(LOW_SAMPLE, HIGH_SAMPLE, rules).label is label


def test_an_effect_that_does_not_exist_excuses_nothing() -> None:
    centred = [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5]
    rules = MetricRules(effect=Bounds(low=0, high=99), critical=True)
    classified = classify(centred, HIGH_SAMPLE, rules)
    assert (classified.label, classified.critical, classified.ratio) == (Label.HIGH, True, None)


@pytest.mark.parametrize(("at_least", "critical"), [(None, True), (2.4, True), (2.6, False)])
def test_a_critical_metric_fails_alone_from_its_own_bound_on(
    at_least: float | None, critical: bool
) -> None:
    bound = None if at_least is None else Bounds(low=0, high=at_least)
    rules = MetricRules(critical=True, critical_effect=bound)
    classified = classify(LOW_SAMPLE, HIGH_SAMPLE, rules)
    assert (classified.label, classified.critical) == (Label.HIGH, critical)
    assert not classify(LOW_SAMPLE, LOW_SAMPLE[1:], rules).critical


def test_equal_means_are_no_difference_of_means() -> None:
    assert compare_means([1.0, 3.0], [2.0], RULES).label is Label.PASS
    assert compare_means([0.0], [2.0], RULES).ratio is None


def test_outliers_go_only_if_asked() -> None:
    spiked = [*LOW_SAMPLE * 20, 1e6]
    assert judge(spiked, LOW_SAMPLE, RULES).ratio != 1
    assert judge(spiked, LOW_SAMPLE, MetricRules(outlier_factor=3)).ratio == pytest.approx(1)


@given(whole, whole, st.sampled_from([0.8, 0.95, 0.98]))
def test_the_interval_holds_its_estimate(
    baseline: list[float], candidate: list[float], confidence: float
) -> None:
    try:
        shift = shift_between(baseline, candidate, confidence)
    except AllTied:
        assume(False)
    assert shift.low - TOLERANCE <= shift.estimate <= shift.high + TOLERANCE


@given(whole, whole)
def test_more_confidence_never_narrows_the_interval(
    baseline: list[float], candidate: list[float]
) -> None:
    try:
        narrow, wide = (shift_between(baseline, candidate, each) for each in (0.9, 0.99))
    except AllTied:
        assume(False)
    assert wide.low <= narrow.low + TOLERANCE
    assert wide.high >= narrow.high - TOLERANCE


@given(samples, st.floats(10, 1000))
def test_the_estimate_follows_a_plain_shift(baseline: list[float], by: float) -> None:
    assume(len(set(baseline)) > 1)
    try:
        estimate = shift_between(baseline, [value + by for value in baseline], 0.98).estimate
    except AllTied:
        assume(False)
    spread = max(baseline) - min(baseline)
    assert by - spread - TOLERANCE <= estimate <= by + spread + TOLERANCE


def by_counting(first: Sequence[float], second: Sequence[float]) -> float:
    return sum((x > y) + (x == y) / 2 for x in first for y in second)


@given(whole, whole)
def test_wins_are_what_counting_pairs_gives(first: list[float], second: list[float]) -> None:
    assert ranked_wins(sorted(first), sorted(second)) == by_counting(first, second)
    assert cles(second, first) == by_counting(first, second) / (len(first) * len(second))


@given(st.floats(-9, 9), st.floats(0.1, 5), st.floats(0.1, 5))
def test_the_root_is_found_to_the_tolerance(root: float, below: float, above: float) -> None:
    found = find_root(lambda x: math.atan(root - x) ** 3, root - below, root + above)
    assert abs(found - root) <= TOLERANCE


def test_a_search_that_does_not_end_gives_the_best_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "MOST_STEPS", 3)
    assert 0 < find_root(lambda x: 0.3 - x**9, 0, 1) < 1


@given(samples)
def test_figures_are_those_of_the_standard_library(sample: list[float]) -> None:
    scale = max(1.0, max(map(abs, sample)))
    assert mean(sample) == pytest.approx(statistics.fmean(sample), abs=1e-9 * scale)
    spread = statistics.variance(sample)
    assert sample_variance(sample) == pytest.approx(spread, rel=1e-6, abs=1e-6)
    spread = statistics.pvariance(sample)
    assert population_variance(sample) == pytest.approx(spread, rel=1e-6, abs=1e-6)
    quartiles = statistics.quantiles(sample, n=4, method="inclusive")
    ours = [percentile(sample, percent) for percent in (25, 50, 75)]
    assert ours == pytest.approx(quartiles, abs=1e-9 * scale)


def test_figures_of_nothing_are_not_made_up() -> None:
    assert summary([]) == summary(()).model_copy()
    assert all(map(math.isnan, (mean([]), percentile([], 50), population_variance([]))))
    assert math.isnan(sample_variance([]))
    assert mean_ratio([0.0], [1.0]) is mean_ratio([1.0], [0.0]) is mean_ratio([], [1.0]) is None
    assert cles([], [1.0]) is None
    assert cohens_d([1.0, 1.0], [1.0, 1.0]) is cohens_d([], [1.0]) is cohens_d([1.0], [2.0]) is None
    assert cohens_d([1.0, 3.0], [3.0, 5.0]) == pytest.approx(math.sqrt(2))


def test_a_seed_gives_the_draws_that_java_gives() -> None:
    """`new Random(12345).nextGaussian()`, as OpenJDK prints it."""
    assert list(islice(gaussians(12345), 3)) == pytest.approx(JAVA_12345, abs=1e-15)
    assert list(islice(gaussians(7), 9)) == list(islice(gaussians(7), 9))
    many = normal_sample(20_000, 10, 3, seed=1)
    assert statistics.fmean(many) == pytest.approx(10, abs=0.1)
    assert statistics.stdev(many) == pytest.approx(3, abs=0.1)


@given(st.lists(st.none() | st.just(math.nan) | values))
def test_what_is_measured_stays_in_place(sample: list[float | None]) -> None:
    present = [value for value in sample if value is not None and value == value]
    assert without_missing(sample) == present
    filled = missing_as(sample, 7.0)
    assert len(filled) == len(sample)
    assert [
        new for new, old in zip(filled, sample, strict=True) if old == old and old is not None
    ] == (present)


@given(samples)
def test_sparing_the_extremes_never_finds_more_outliers(sample: list[float]) -> None:
    spared = outside_iqr(sample, 1.5, spare_extremes=True)
    assert not any(s and not p for s, p in zip(spared, outside_iqr(sample, 1.5), strict=True))


def test_a_detector_without_reach_is_refused() -> None:
    for detector in (outside_iqr, outside_k_sigma):
        with pytest.raises(ValueError, match="must be above 0"):
            detector(LOW_SAMPLE, 0.0)


def judged(*labels: Label, groups: tuple[str, ...] = ("all",)) -> list[Judged]:
    return [Judged(metric=f"m{n}", label=label, groups=groups) for n, label in enumerate(labels)]


def test_half_without_data_is_too_much() -> None:
    half = score(judged(Label.PASS, Label.NO_DATA), {})
    assert (half.summary, half.groups) == (0, {"all": 100})
    assert half.because == "1 of 2 metrics have no data"
    assert score(judged(Label.PASS, Label.PASS, Label.NO_DATA), {}).summary == 100


def test_a_metric_that_must_have_data_fails_without_it() -> None:
    assert score(judged(Label.PASS, Label.NO_DATA_FAILS), {}).summary == 50


def test_a_group_without_data_loses_nothing() -> None:
    metrics = judged(Label.PASS, Label.HIGH) + judged(Label.NO_DATA, groups=("empty",))
    assert score(metrics, {"all": 60.0}).summary == 70
    assert score(metrics, {"all": 60.0}).groups["empty"] == 0


def test_muted_metrics_do_not_count() -> None:
    muted = Judged(metric="m", label=Label.HIGH, critical=True, groups=("all",), muted=True)
    assert score([*judged(Label.PASS), muted], {}).summary == 100


def test_a_critical_metric_that_did_not_pass_decides() -> None:
    critical = Judged(metric="latency", label=Label.NO_DATA, critical=True, groups=("all",))
    failed = score([*judged(Label.PASS, Label.PASS), critical], {})
    assert (failed.summary, failed.because) == (0, "the critical metric latency is Nodata")


def test_a_score_is_rounded_half_up() -> None:
    labels = [Label.PASS] + [Label.HIGH] * 799  # 0.125
    assert score(judged(*labels), {}).summary == 0.13


@given(st.lists(st.sampled_from(Label), min_size=1))
def test_a_score_is_within_its_scale(labels: list[Label]) -> None:
    assert 0 <= score(judged(*labels), {}).summary <= 100


@pytest.mark.parametrize(
    ("summary", "expected"),
    [(95, Grade.PASS), (94.99, Grade.MARGINAL), (75, Grade.MARGINAL), (74.99, Grade.FAIL)],
)
def test_a_threshold_is_reached_when_equalled(summary: float, expected: Grade) -> None:
    assert grade(summary, pass_at=95, marginal_at=75) is expected


def test_a_configuration_is_read_as_kayenta_reads_it() -> None:
    rules = read_rules(
        {
            "canary": {
                "direction": "increase",
                "nanStrategy": "replace",
                "critical": True,
                "mustHaveData": "true",
                "outliers": {"strategy": "remove", "outlierFactor": 2},
                "effectSize": {"measure": "cles", "allowedIncrease": 0.7, "criticalDecrease": 0.1},
            }
        }
    )
    assert rules == MetricRules(
        direction=Direction.INCREASE,
        missing=Missing.REPLACE,
        critical=True,
        data_required=True,
        outlier_factor=2,
        measure=Measure.CLES,
        effect=Bounds(low=0.5, high=0.7),
        critical_effect=Bounds(low=0.1, high=0.5),
    )


@pytest.mark.parametrize("settings", [None, {}, {"canary": {"direction": "up"}}, 7])
def test_what_is_not_set_has_the_judges_default(settings: object) -> None:
    rules = read_rules(settings)
    assert rules == MetricRules(effect=Bounds(), critical_effect=Bounds())
    assert not is_muted(settings)
    assert rules.bounds(None) == Bounds()


def test_a_value_of_the_wrong_kind_is_refused() -> None:
    assert look_up({"a": None}, ["a"]) == (None,)
    assert text_at({}, ["a"], "b") == "b"
    with pytest.raises(ValueError, match="could not convert"):
        number_at({"a": "much"}, ["a"], 1.0)
    with pytest.raises(ValueError, match="neither true nor false"):
        flag_at({"a": "perhaps"}, ["a"], False)
