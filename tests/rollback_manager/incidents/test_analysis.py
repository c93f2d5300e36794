"""What is known about an incident: how far off, since when, who is hurt, is it really us?"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.incidents.analysis import DeploymentType, deployment_type
from rollback_manager.incidents.deviation import Metric, Trend, Worse, deviation
from rollback_manager.incidents.indicators import (
    STRONG,
    WEAK,
    Change,
    Changed,
    ChangeKind,
    Indicator,
    Outage,
    indicators,
)
from tests.incidents import POLICY, after, analysis, analysis_facts, reading, scene

UP, DOWN = Worse.UP, Worse.DOWN


def metric(**changes: Any) -> Metric:
    known: dict[str, Any] = {"name": "error ratio", "worse": UP, "matters_from": 0.001}
    return Metric(**(known | changes))


@pytest.mark.parametrize(
    ("value", "baseline", "worse", "share", "severity"),
    [
        pytest.param(0.11, 0.01, UP, 10.0, "critical", id="(0.11 - 0.01) ÷ 0.01"),
        pytest.param(0.02, 0.01, UP, 1.0, "high", id="0.01 ÷ 0.01 is not above 1"),
        pytest.param(0.016, 0.01, UP, 0.6, "high", id="0.006 ÷ 0.01"),
        pytest.param(0.013, 0.01, UP, 0.3, "medium", id="0.003 ÷ 0.01"),
        pytest.param(0.011, 0.01, UP, 0.1, "low", id="0.001 ÷ 0.01"),
        pytest.param(0.01, 0.01, UP, 0.0, None, id="as normal"),
        pytest.param(0.005, 0.01, UP, -0.5, None, id="better"),
        pytest.param(40, 100, DOWN, 0.6, "high", id="(100 - 40) ÷ 100"),
        pytest.param(79, 100, DOWN, 0.21, "medium", id="(100 - 79) ÷ 100"),
        pytest.param(150, 100, DOWN, -0.5, None, id="more orders are no incident"),
        pytest.param(0.05, 0.0, UP, 50.0, "critical", id="0.05 ÷ 0.001, baseline 0"),
        pytest.param(0.0, 0.0, UP, 0.0, None, id="baseline 0 and still 0"),
        pytest.param(0.0003, 0.0, UP, 0.3, "medium", id="0.0003 ÷ 0.001, baseline 0"),
        pytest.param(5.0, None, UP, None, None, id="nothing says what is normal"),
    ],
)
def test_a_deviation_counts_towards_worse(
    value: float, baseline: float | None, worse: Worse, share: float | None, severity: str | None
) -> None:
    found = deviation(metric(value=value, baseline=baseline, worse=worse))
    assert found.share == (None if share is None else pytest.approx(share))
    assert found.severity == severity


@pytest.mark.parametrize(
    ("recent", "worse", "trend"),
    [
        ((), UP, Trend.UNKNOWN),
        ((1.0, 2.0), UP, Trend.UNKNOWN),
        ((1.0, 1.5, 2.0), UP, Trend.WORSENING),
        ((2.0, 1.5, 1.0), UP, Trend.IMPROVING),
        ((2.0, 1.5, 1.0), DOWN, Trend.WORSENING),
        ((1.0, 9.0, 1.05), UP, Trend.STEADY),
        ((0.0, 0.0, 0.0), UP, Trend.STEADY),
        ((0.0, 0.0, 0.5), UP, Trend.WORSENING),
    ],
)
def test_a_trend_has_a_direction(recent: tuple[float, ...], worse: Worse, trend: Trend) -> None:
    assert deviation(metric(value=1, baseline=1, worse=worse, recent=recent)).trend is trend


def test_a_deviation_reads_as_a_sentence() -> None:
    told = deviation(metric(value=0.11, baseline=0.01, recent=(0.01, 0.05, 0.11)))
    assert str(told) == "error ratio 0.11, normal 0.01: 1000% worse, worsening"
    unknown = deviation(metric(value=5, baseline=None))
    assert str(unknown) == "error ratio 5, nothing says what is normal, unknown"


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from(Worse))
def test_only_what_is_worse_is_severe(value: float, baseline: float, worse: Worse) -> None:
    found = deviation(metric(value=value, baseline=baseline, worse=worse))
    assert found.share is not None
    assert (found.severity is not None) == (found.share > 0)


def change(kind: ChangeKind, at_s: float, service: str = "shop", what: str = "x") -> Change:
    return Change(kind=kind, service=service, what=what, at=after(at_s))


QUIET: dict[str, Any] = {"onset_at": None, "new": None, "old": None}
OUTAGE = Outage(name="payments", since=after(300), source="its status page")


@pytest.mark.parametrize(
    ("changes", "indicator", "because"),
    [
        ({"onset_at": after(0)}, Indicator.DEPLOYMENT_TIMING, "0 s after v2"),
        ({"onset_at": after(1800)}, Indicator.DEPLOYMENT_TIMING, "1800 s after v2"),
        (
            {"new": reading("v2", 250), "old": reading("v1", 10)},
            Indicator.VERSION_SPECIFIC,
            "v2 fails 25.0% (at least 22.0%) and v1 1.0%",
        ),
        ({"worse_than_old": "P95 of v2 is 2.4 × v1's"}, Indicator.VERSION_SPECIFIC, "2.4 ×"),
        (
            {"onset_at": after(9000), "changes": (change(ChangeKind.CONFIGURATION, 8700),)},
            Indicator.CONFIGURATION,
            "configuration changed: x 300 s before",
        ),
        (
            {"onset_at": after(9000), "changes": (change(ChangeKind.FLAG, 7200),)},
            Indicator.NEW_FEATURE,
            "flag changed: x 1800 s before",
        ),
        ({"new_routes_failing": ("/gift",)}, Indicator.NEW_FEATURE, "new in v2 and failing: /gift"),
        ({"requests_per_s": 150, "usual_per_s": 100}, Indicator.LOAD, "150 requests/s, usual 100"),
        ({"infrastructure": ("node-3 is not ready",)}, Indicator.INFRASTRUCTURE, "node-3"),
        ({"common_mode": "v1 fails 24 % as well"}, Indicator.INFRASTRUCTURE, "as well"),
        ({"outages": (OUTAGE,)}, Indicator.THIRD_PARTY, "payments is out (its status page)"),
        ({"stores_failing": ("orders without lines: 12",)}, Indicator.DATA, "12"),
    ],
)
def test_an_indicator_is_found_by_its_evidence_alone(
    changes: dict[str, Any], indicator: Indicator, because: str
) -> None:
    (found,) = indicators(scene(**(QUIET | changes)), POLICY)
    assert found.indicator is indicator
    assert because in found.because


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"onset_at": after(-1)},
        {"onset_at": after(1801)},
        {"new": reading("v2", 250)},
        {"new": reading("v2", 12), "old": reading("v1", 10)},
        {"new": reading("v2", 3, requests=10), "old": reading("v1", 1, requests=10)},
        {"onset_at": after(9000), "changes": (change(ChangeKind.CONFIGURATION, 7199),)},
        {"onset_at": after(9000), "changes": (change(ChangeKind.CONFIGURATION, 9001),)},
        {"onset_at": after(9000), "changes": (change(ChangeKind.FLAG, 8900, "cart"),)},
        {"requests_per_s": 149, "usual_per_s": 100},
        {"requests_per_s": 149, "usual_per_s": 0},
        {"requests_per_s": 149},
    ],
    ids=str,
)
def test_without_evidence_there_is_no_indicator(changes: dict[str, Any]) -> None:
    assert indicators(scene(**(QUIET | changes)), POLICY) == ()


def test_what_hits_the_old_version_too_is_not_specific_to_the_new_one() -> None:
    hit = scene(worse_than_old="P95 is worse", common_mode="v1 fails as well")
    found = {one.indicator for one in indicators(hit, POLICY)}
    assert found == {Indicator.DEPLOYMENT_TIMING, Indicator.INFRASTRUCTURE}


def test_every_indicator_is_strong_or_weak() -> None:
    assert {*STRONG, *WEAK} == set(Indicator)
    assert [str(one) for one in (*STRONG, *WEAK)] == [
        "deployment_timing_correlation",
        "version_specific_error",
        "configuration_change_related",
        "new_feature_related_error",
        "increased_load_correlation",
        "infrastructure_issue",
        "third_party_dependency",
        "data_related_issue",
    ]


def test_impact_counts_what_fails_beyond_normal() -> None:
    # 250 of 1000 in 60 s, 1 % normal: 0.24 × 1000 a minute; trouble for (420 - 360) s = 1 minute
    found = analysis(scene(traffic_share=0.5)).impact
    assert found.failed_per_min == pytest.approx(240)
    assert found.failed_so_far == pytest.approx(240)
    assert found.share_of_users == pytest.approx(0.12)
    assert found.because == "240 more requests fail per minute, 12.0% of all"


def test_impact_on_the_business_is_the_worst_of_its_figures() -> None:
    orders = metric(name="orders", value=70, baseline=100, worse=DOWN, business=True)
    revenue = metric(name="revenue", value=95, baseline=100, worse=DOWN, business=True)
    found = analysis(scene(new=None), metrics=(orders, revenue)).impact
    assert found.business_drop == pytest.approx(0.3)
    assert found.because == "failed requests were not counted; business figures 30% down"


def test_more_revenue_is_no_drop() -> None:
    more = metric(name="revenue", value=120, baseline=100, worse=DOWN, business=True)
    assert analysis(metrics=(more,)).impact.business_drop == 0


def test_changes_of_others_between_release_and_onset_are_listed_nearest_first() -> None:
    changes = (
        change(ChangeKind.DEPLOYMENT, -5, "early"),
        change(ChangeKind.DEPLOYMENT, 10, "cart"),
        change(ChangeKind.INFRASTRUCTURE, 300, "mesh"),
        change(ChangeKind.DEPLOYMENT, 361, "late"),
        change(ChangeKind.FLAG, 20),
    )
    assert [one.service for one in analysis(scene(changes=changes)).other_changes] == [
        "mesh",
        "cart",
    ]


@pytest.mark.parametrize(
    ("changes", "onset_s", "since_s"),
    [
        ({"burning_since": after(-60)}, 360, -60),
        ({"burning_since": after(-60)}, -90, -90),
        ({}, -90, -90),
        ({"burning_since": after(60)}, 360, None),
        ({}, 0, None),
    ],
)
def test_it_burnt_before_only_if_that_was_before_the_release(
    changes: dict[str, Any], onset_s: float, since_s: float | None
) -> None:
    found = analysis(scene(onset_at=after(onset_s)), **changes).burning_since
    assert found == (None if since_s is None else after(since_s))


def test_the_timeline_is_in_order_and_leaves_out_what_is_not_known() -> None:
    told = analysis(scene(changes=(change(ChangeKind.FLAG, 20),), outages=(OUTAGE,))).timeline
    assert [moment.what for moment in told] == [
        "shop v2 went out",
        "shop: flag, x",
        "payments is out (its status page)",
        "trouble began",
        "it was detected",
    ]
    assert len(analysis(scene(onset_at=None)).timeline) == 2


@pytest.mark.parametrize(
    ("strategy", "changed", "kind"),
    [
        ("blue_green", Changed(), DeploymentType.BLUE_GREEN),
        ("canary", Changed(flags=("gift",)), DeploymentType.CANARY),
        ("rolling_update", Changed(schema_steps=("0042",)), DeploymentType.ROLLING_UPDATE),
        ("generic", Changed(), DeploymentType.UNKNOWN),
        ("canary", Changed(image=False, flags=("gift",)), DeploymentType.FEATURE_FLAG),
        (
            "canary",
            Changed(image=False, flags=("gift",), configuration=True),
            DeploymentType.CANARY,
        ),
        (
            "rolling_update",
            Changed(image=False, schema_steps=("0042",)),
            DeploymentType.DATABASE_MIGRATION,
        ),
    ],
)
def test_the_restore_point_says_what_kind_of_deployment_it_was(
    strategy: str, changed: Changed, kind: DeploymentType
) -> None:
    assert deployment_type(strategy, changed) is kind


def test_data_changes_and_the_open_contract_come_from_the_restore_point() -> None:
    contract = "0042 drops orders.note"
    found = analysis(changed=Changed(schema_steps=("0042",), contract=contract))
    assert (found.has_data_changes, found.open_contract) == (True, contract)
    assert analysis(changed=Changed(other_stores=("search",))).has_data_changes
    assert not analysis().has_data_changes


def test_a_release_from_a_clock_ahead_of_ours_is_just_out() -> None:
    ahead = analysis_facts(scene(now=after(-5)))
    assert analysis(ahead.scene).since_release_s == 0
