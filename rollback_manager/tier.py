"""How much authority a way back needs: tiers T0 to T3 (security §3). Pure."""

from enum import StrEnum

from rollback_manager.incidents.analysis import DeploymentType
from rollback_manager.values import Value


class Tier(StrEnum):
    """The least authority first."""

    T0 = "T0"
    T1 = "T1"
    T2 = "T2"
    T3 = "T3"


class TierFacts(Value):
    """What a tier follows from. rehearsed, pair_tested: a fresh rehearsal, and N/N-1 evidence.

    configuration_only: no image changes on the way back. several: more than one service goes back.
    """

    deployment_type: DeploymentType
    configuration_only: bool = False
    several: bool = False
    touches_data: bool = False
    security_incident: bool = False
    rehearsed: bool
    pair_tested: bool


class Tiered(Value):
    """A tier and what led to it."""

    tier: Tier
    because: str


_OF_TYPE = {
    DeploymentType.FEATURE_FLAG: Tier.T0,
    DeploymentType.CANARY: Tier.T0,
    DeploymentType.BLUE_GREEN: Tier.T1,
    DeploymentType.ROLLING_UPDATE: Tier.T2,
    DeploymentType.DATABASE_MIGRATION: Tier.T3,
    DeploymentType.UNKNOWN: Tier.T2,
}
"""An unknown kind of deployment is trusted no more than a rolling update (ours)."""


def tier_of(facts: TierFacts) -> Tiered:
    """The tier of the deployment, raised by what is touched; then by one where evidence is missing.

    A missing rehearsal and missing N/N-1 evidence raise it once, not twice: "or" in security §3.
    """
    if facts.touches_data or facts.security_incident:
        touched = "data is touched" if facts.touches_data else "it is a security incident"
        return Tiered(tier=Tier.T3, because=touched)
    tier, reasons = _OF_TYPE[facts.deployment_type], [f"{facts.deployment_type}"]
    if facts.configuration_only:
        tier, reasons = Tier.T0, ["only configuration goes back"]
    if facts.several and tier < Tier.T2:
        tier, reasons = Tier.T2, [*reasons, "several services"]
    missing = _missing(facts)
    order = list(Tier)
    if missing and tier is not Tier.T3:
        tier = order[order.index(tier) + 1]
    return Tiered(tier=tier, because="; ".join([*reasons, *missing]))


def _missing(facts: TierFacts) -> list[str]:
    rehearsed = [] if facts.rehearsed else ["no fresh rehearsal: one tier up"]
    tested = [] if facts.pair_tested else ["no N/N-1 evidence: one tier up"]
    return (rehearsed + tested)[:1]
