"""The model: plain Newton steps, coefficients as JSON, and no answer without labels."""

import json
import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_manager.decision import regression
from rollback_manager.decision.factors import Complexity, Factors, History, RootCause
from rollback_manager.decision.model import (
    FEATURES,
    DecisionModel,
    Labelled,
    NotTrained,
    foretell,
    train,
)
from rollback_manager.decision.regression import RIDGE, Fit, chance, fit
from rollback_manager.incidents.analysis import Impact
from rollback_manager.incidents.triggers import Severity
from rollback_manager.strategies import RiskLevel
from tests.incidents import POLICY


def factors(cause: float = 0.9, share: float = 0.2, hour: int = 14) -> Factors:
    easy = Complexity(
        score=20, factors=(), risk_level=RiskLevel.LOW, estimated_duration="< 5 minutes"
    )
    return Factors(
        severity=Severity.CRITICAL,
        impact=Impact(
            failed_per_min=None,
            failed_so_far=None,
            share_of_users=share,
            business_drop=None,
            affected_services=1,
            because="",
        ),
        root_cause=RootCause(confidence=cause, because=""),
        time_since_deployment_s=600,
        rollback_complexity=easy,
        fix_forward_complexity=easy,
        business_context="",
        historical_patterns=History(),
        time_of_day=hour,
        day_of_week=2,
        metrics=(),
    )


def labelled(count: int, seed: int = 1) -> list[Labelled]:
    """Bad with probability 1 ÷ (1 + e^-(6 × cause - 3)), whatever the hour."""
    chance_of = Random(seed)  # noqa: S311
    made: list[Labelled] = []
    for _ in range(count):
        cause, hour = chance_of.random() * 0.95, chance_of.randrange(24)
        bad = chance_of.random() < 1 / (1 + math.exp(3 - 6 * cause))
        made.append((factors(cause, chance_of.random(), hour), bad))
    return made


def trained(count: int = 600) -> DecisionModel:
    model = train(labelled(count), POLICY)
    assert isinstance(model, DecisionModel)
    return model


def test_one_feature_is_fitted_to_the_known_answer() -> None:
    # x = -1 for 4 rows, 1 of them yes; x = 1 for 4 rows, 3 of them yes; mean 0, scale 1.
    # At the maximum 8 p(w) - 4 - ... : derivative 2 × (3 - 4 p) - w = 0 with p = 1 ÷ (1 + e^-w)
    rows = [[-1.0]] * 4 + [[1.0]] * 4
    found = fit(rows, [True, False, False, False, True, True, True, False])
    (weight,) = found.weights
    assert found.intercept == pytest.approx(0, abs=1e-9)
    assert 2 * (3 - 4 / (1 + math.exp(-weight))) - RIDGE * weight == pytest.approx(0, abs=1e-9)


def test_without_features_that_differ_the_chance_is_the_share() -> None:
    found = fit([[1.0]] * 10, [True] * 3 + [False] * 7)
    assert chance(found, [1.0]) == pytest.approx(0.3)
    assert found.weights == (0.0,)


def test_labels_that_one_feature_separates_do_not_drive_the_weight_to_infinity() -> None:
    found = fit([[float(n)] for n in range(20)], [n >= 10 for n in range(20)])
    assert 0 < found.weights[0] < 10
    assert chance(found, [0.0]) < 0.1 < 0.9 < chance(found, [19.0])


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.floats(-1e3, 1e3), st.floats(-1, 1), st.booleans()), min_size=4, max_size=25
    ).filter(lambda rows: len({yes for *_, yes in rows}) == 2)
)
def test_where_it_ends_the_gradient_is_zero(rows: list[tuple[float, float, bool]]) -> None:
    table, answers = [[a, b] for a, b, _ in rows], [yes for *_, yes in rows]
    found = fit(table, answers)
    off = [yes - chance(found, row) for row, yes in zip(table, answers, strict=True)]
    assert math.fsum(off) == pytest.approx(0, abs=1e-6)
    for column, weight in enumerate(found.weights):
        mean, scale = found.means[column], found.scales[column]
        slope = math.fsum(
            o * (row[column] - mean) / scale for o, row in zip(off, table, strict=True)
        )
        assert slope - RIDGE * weight == pytest.approx(0, abs=1e-6)


def test_a_step_that_improves_nothing_is_not_taken() -> None:
    table, answers = [[1.0, -1.0], [1.0, 1.0]] * 2, [False, True, True, False]
    best = [0.0, 0.0]  # each value has one yes and one no
    assert regression._improved(table, answers, best, [3.0, -2.0]) == best


def test_it_ends_even_where_it_has_not_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, answers = [[-1.0], [1.0], [2.0]], [False, True, True]
    arrived = fit(rows, answers)
    monkeypatch.setattr(regression, "STEPS", 1)
    assert fit(rows, answers).weights != arrived.weights


@given(st.floats(-1e6, 1e6))
def test_a_chance_is_always_one(score: float) -> None:
    assert 0 <= chance(Fit(score, (), (), ()), []) <= 1


@pytest.mark.parametrize(
    ("count", "bad", "because"),
    [
        (0, 0, "not trained: 0 labels of 50"),
        (49, 25, "not trained: 49 labels of 50, 25 bad and 24 not, of each 10 are needed"),
        (60, 9, "9 bad and 51 not"),
        (60, 51, "51 bad and 9 not"),
    ],
)
def test_with_too_few_labels_it_is_not_trained(count: int, bad: int, because: str) -> None:
    answer = train([(factors(), n < bad) for n in range(count)], POLICY)
    assert isinstance(answer, NotTrained)
    assert because in answer.because


def test_it_learns_what_matters_and_not_what_does_not() -> None:
    model = trained()
    weights = {one.feature: one.weight for one in model.coefficients}
    assert weights["root_cause_confidence"] > 1
    assert abs(weights["at_night"]) < 0.4
    assert weights["severity"] == 0  # the same in every label
    assert foretell(model, factors(0.95)).bad > 0.8
    assert foretell(model, factors(0.0)).bad < 0.2


def test_it_says_how_well_it_foretold_labels_that_it_had_not_seen() -> None:
    model = trained()
    assert model.report.count == model.labels == 600
    assert model.report.expected_error < 0.08
    told = foretell(model, factors())
    assert told.because.startswith("600 labels, calibration error ")
    assert "weighs most: root_cause_confidence +" in told.because


def test_noise_is_not_foretold() -> None:
    chance_of = Random(3)  # noqa: S311
    noise = [(one, chance_of.random() < 0.5) for one, _ in labelled(400, seed=2)]
    model = train(noise, POLICY)
    assert isinstance(model, DecisionModel)
    stated = [one.stated for one in model.report.bins if one.count > 20]
    assert all(0.3 < one < 0.7 for one in stated)


def test_the_model_is_json_and_reads_back_as_the_same() -> None:
    model = trained(100)
    text = model.model_dump_json()
    assert {one["feature"] for one in json.loads(text)["coefficients"]} == set(FEATURES)
    again = DecisionModel.model_validate_json(text)
    assert foretell(again, factors()) == foretell(model, factors())


def test_training_has_no_chance_in_it() -> None:
    assert train(labelled(100), POLICY) == train(labelled(100), POLICY)


def test_a_feature_that_this_build_does_not_know_adds_nothing() -> None:
    model = trained(100)
    newer = model.coefficients[0].model_copy(update={"feature": "of_a_newer_build", "weight": 9.0})
    more = model.model_copy(update={"coefficients": (*model.coefficients, newer)})
    assert foretell(more, factors()) == foretell(model, factors())
