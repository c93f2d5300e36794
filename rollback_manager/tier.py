"""How much authority a way back needs: tiers T0 to T3 (security §3). Pure."""

from collections.abc import Mapping
from enum import StrEnum

from rollback_manager.incidents.analysis import DeploymentType
from rollback_manager.values import Count, Seconds, Value


class Tier(StrEnum):
    """The least authority first."""

    T0 = "T0"
    T1 = "T1"
    T2 = "T2"
    T3 = "T3"


class TierFacts(Value):
    """What a tier follows from. rehearsed, pair_tested: a fresh rehearsal, and N/N-1 evidence.

    configuration_only: no image changes on the way back. several: more than one service goes back.
    rehearsal_d: days since the newest one; None where none is known. since_last_s: since the last
    rollback of the service ended; None where there was none.
    """

    deployment_type: DeploymentType
    configuration_only: bool = False
    several: bool = False
    touches_data: bool = False
    security_incident: bool = False
    rehearsed: bool
    pair_tested: bool
    rehearsal_d: Count | None = None
    rehearsal_limit_d: Count = 30
    since_last_s: Seconds | None = None
    cool_down_s: Seconds = 0


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
    So does a rollback shortly before, up to T2: it asks for a look, not for a commander.
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
    if missing and tier is not Tier.T3:
        tier = _one_up(tier)
    recent = _recent(facts) if tier < Tier.T2 else []
    if recent:
        tier = _one_up(tier)
    return Tiered(tier=tier, because="; ".join([*reasons, *missing, *recent]))


def highest(given: Mapping[str, Tiered]) -> Tiered:
    """The tier of all services together, by name; the ones that have it say why."""
    top = max(one.tier for one in given.values())
    whose: dict[str, list[str]] = {}
    for service, one in given.items():
        if one.tier is top:
            whose.setdefault(one.because, []).append(service)
    if len(whose) == 1:
        return Tiered(tier=top, because=next(iter(whose)))
    said = "; ".join(f"{', '.join(names)}: {because}" for because, names in whose.items())
    return Tiered(tier=top, because=said)


def _one_up(tier: Tier) -> Tier:
    order = list(Tier)
    return order[order.index(tier) + 1]


def _missing(facts: TierFacts) -> list[str]:
    rehearsed = [] if facts.rehearsed else [f"{_rehearsal(facts)}: one tier up"]
    tested = [] if facts.pair_tested else ["no N/N-1 evidence: one tier up"]
    return (rehearsed + tested)[:1]


def _rehearsal(facts: TierFacts) -> str:
    if facts.rehearsal_d is None:
        return "no fresh rehearsal"
    return f"the rehearsal is {facts.rehearsal_d} d old (limit {facts.rehearsal_limit_d})"


def _recent(facts: TierFacts) -> list[str]:
    since = facts.since_last_s
    if since is None or since >= facts.cool_down_s:
        return []
    limit = facts.cool_down_s / 60
    return [f"rolled back {since / 60:.0f} min ago (limit {limit:.0f}): one tier up"]
