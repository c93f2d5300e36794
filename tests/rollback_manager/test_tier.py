"""How much authority a way back needs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.incidents.analysis import DeploymentType
from rollback_manager.tier import Tier, Tiered, TierFacts, highest, tier_of


def facts(**changes: Any) -> TierFacts:
    known: dict[str, Any] = {
        "deployment_type": DeploymentType.BLUE_GREEN,
        "rehearsed": True,
        "pair_tested": True,
    }
    return TierFacts(**(known | changes))


@pytest.mark.parametrize(
    ("changes", "tier", "because"),
    [
        ({}, Tier.T1, "blue_green"),
        ({"deployment_type": DeploymentType.FEATURE_FLAG}, Tier.T0, "feature_flag"),
        ({"deployment_type": DeploymentType.CANARY}, Tier.T0, "canary"),
        ({"deployment_type": DeploymentType.ROLLING_UPDATE}, Tier.T2, "rolling_update"),
        ({"deployment_type": DeploymentType.UNKNOWN}, Tier.T2, "unknown"),
        ({"deployment_type": DeploymentType.DATABASE_MIGRATION}, Tier.T3, "database_migration"),
        ({"configuration_only": True}, Tier.T0, "only configuration"),
        ({"several": True}, Tier.T2, "several services"),
        ({"touches_data": True}, Tier.T3, "data is touched"),
        ({"security_incident": True}, Tier.T3, "security incident"),
        ({"rehearsed": False}, Tier.T2, "no fresh rehearsal"),
        ({"pair_tested": False}, Tier.T2, "no N/N-1 evidence"),
        ({"rehearsed": False, "pair_tested": False}, Tier.T2, "one tier up"),
        ({"several": True, "pair_tested": False}, Tier.T3, "no N/N-1 evidence"),
        ({"rehearsed": False, "rehearsal_d": 41}, Tier.T2, "the rehearsal is 41 d old (limit 30)"),
        ({"since_last_s": 720, "cool_down_s": 1800}, Tier.T2, "rolled back 12 min ago (limit 30)"),
        ({"since_last_s": 1800, "cool_down_s": 1800}, Tier.T1, "blue_green"),
        (
            {"since_last_s": 0, "cool_down_s": 1800, "rehearsed": False},
            Tier.T2,
            "no fresh rehearsal",
        ),
    ],
)
def test_the_tier_and_its_reason(changes: dict[str, Any], tier: Tier, because: str) -> None:
    found = tier_of(facts(**changes))
    assert found.tier is tier
    assert because in found.because


def test_the_tier_of_several_is_the_highest_and_names_whose_it_is() -> None:
    low, high = Tiered(tier=Tier.T1, because="blue_green"), Tiered(tier=Tier.T2, because="rolling")
    assert highest({"a": high}) == high
    assert highest({"a": low, "b": high}) == high
    other = Tiered(tier=Tier.T2, because="several services")
    both = highest({"a": high, "b": other, "c": low})
    assert (both.tier, both.because) == (Tier.T2, "a: rolling; b: several services")


@given(
    st.sampled_from(DeploymentType),
    st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_less_evidence_never_needs_less_authority(kind: DeploymentType, flags: list[bool]) -> None:
    names = ("several", "touches_data", "security_incident", "rehearsed", "pair_tested")
    known = facts(deployment_type=kind, **dict(zip(names, flags, strict=True)))
    less = known.model_copy(update={"rehearsed": False, "pair_tested": False, "several": True})
    assert tier_of(less).tier >= tier_of(known).tier
