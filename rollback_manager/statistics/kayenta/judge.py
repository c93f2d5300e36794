"""Netflix's Kayenta judge: one metric of a candidate against the same metric of a baseline.

NetflixACAJudge, restated from spinnaker/spinnaker f8b98eb (Apache-2.0) and held to test rows of
spinnaker/kayenta a69573b. The two samples should be of the same minutes. It is a test of fixed
size: asked again and again while values come in, it errs more often than its confidence says.
"""

from collections.abc import Sequence
from typing import assert_never

from rollback_manager.statistics.kayenta.intervals import AllTied, Shift, shift_between
from rollback_manager.statistics.kayenta.rules import (
    Bounds,
    Classification,
    Direction,
    Label,
    Measure,
    MetricRules,
    Missing,
)
from rollback_manager.statistics.kayenta.samples import cles, constant, mean, mean_ratio
from rollback_manager.statistics.kayenta.transforms import (
    gaussians,
    missing_as,
    outside_iqr,
    with_noise,
    without_missing,
    without_outliers,
)

NOISE = 1e-5
"""Spread of the noise that parts two constant samples, as a share of the constant; Kayenta's."""
SEED = 20170101
"""Kayenta draws its noise anew at each run. A verdict in history must come out the same again."""


def judge(
    baseline: Sequence[float | None], candidate: Sequence[float | None], rules: MetricRules
) -> Classification:
    """The whole way: missing values, outliers, then the test. Never raises for lack of data."""
    try:
        return classify(prepare(baseline, rules), prepare(candidate, rules), rules)
    except AllTied as tied:
        return Classification(label=Label.ERROR, ratio=None, because=tied.what)


def prepare(values: Sequence[float | None], rules: MetricRules) -> list[float]:
    """The sample as it is judged. Outliers stay in unless the rules give a factor."""
    present = without_missing if rules.missing is Missing.REMOVE else missing_as
    factor = rules.outlier_factor
    if factor is None:
        return present(values)
    return without_outliers(present(values), lambda kept: outside_iqr(kept, factor, True))


def classify(
    baseline: Sequence[float], candidate: Sequence[float], rules: MetricRules
) -> Classification:
    """Compare two samples by the Mann-Whitney test. Raises AllTied."""
    if not baseline or not candidate:
        return _without_data(rules)
    if sorted(baseline) == sorted(candidate) or constant(baseline, candidate):
        return Classification(label=Label.PASS, because="both samples are the same")
    if constant(baseline) and constant(candidate):
        draws = gaussians(SEED)
        candidate = with_noise(candidate, draws, std=NOISE * candidate[0])
        baseline = with_noise(baseline, draws, std=NOISE * baseline[0])
    shift = shift_between(baseline, candidate, rules.confidence)
    effect = _effect(baseline, candidate, rules.measure)
    label = _label(shift, effect, rules)
    bounds = rules.bounds(rules.critical_effect)
    return Classification(
        label=label,
        critical=rules.critical and label is not Label.PASS and _large(label, effect, bounds),
        ratio=mean_ratio(baseline, candidate),
        because=f"shift between {shift.low:.4g} and {shift.high:.4g} at {rules.confidence:.0%}",
    )


def compare_means(
    baseline: Sequence[float], candidate: Sequence[float], rules: MetricRules
) -> Classification:
    """Compare two samples by their means alone, with no regard to chance.

    Kayenta has it to measure its judge against; nothing should be rolled back by it.
    """
    if not baseline or not candidate:
        return _without_data(rules)
    before, after = mean(baseline), mean(candidate)
    label = Label.HIGH if after > before else Label.LOW
    if after == before or not _counts(label, rules.direction):
        return Classification(label=Label.PASS)
    ratio = after / before if before else None
    because = f"mean {after:.4g}, the baseline's {before:.4g}"
    return Classification(label=label, critical=rules.critical, ratio=ratio, because=because)


def _without_data(rules: MetricRules) -> Classification:
    """No value in one sample or both. Values taken as 0 were said not to matter: a pass."""
    if rules.missing is Missing.REPLACE:
        return Classification(label=Label.PASS)
    if rules.data_required and not rules.critical:
        return Classification(label=Label.NO_DATA_FAILS, because="it must have data and has none")
    return Classification(label=Label.NO_DATA, critical=rules.critical, because="no data")


def _label(shift: Shift, effect: float | None, rules: MetricRules) -> Label:
    tolerated, bounds = rules.tolerance * abs(shift.estimate), rules.bounds(rules.effect)
    if shift.low > tolerated:
        label = Label.HIGH
    elif shift.high < -tolerated:
        label = Label.LOW
    else:
        return Label.PASS
    counts = _counts(label, rules.direction) and _large(label, effect, bounds)
    return label if counts else Label.PASS


def _counts(label: Label, direction: Direction) -> bool:
    match direction:
        case Direction.INCREASE:
            return label is Label.HIGH
        case Direction.DECREASE:
            return label is Label.LOW
        case Direction.EITHER:
            return True
        case _:
            assert_never(direction)


def _large(label: Label, effect: float | None, bounds: Bounds) -> bool:
    """Whether the effect reaches its bound; one that does not exist cannot excuse anything."""
    if effect is None:
        return True
    return effect >= bounds.high if label is Label.HIGH else effect <= bounds.low


def _effect(
    baseline: Sequence[float], candidate: Sequence[float], measure: Measure
) -> float | None:
    match measure:
        case Measure.MEAN_RATIO:
            return mean_ratio(baseline, candidate)
        case Measure.CLES:
            return cles(baseline, candidate)
        case _:
            assert_never(measure)
