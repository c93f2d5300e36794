"""What a decision can be, and everything that it rests on. Pure."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from rollback_manager.authority.level import SecurityLevel
from rollback_manager.decision.calibration import Calibration
from rollback_manager.decision.factors import Fix, History
from rollback_manager.decision.model import DecisionModel, NotTrained
from rollback_manager.incidents.analysis import Analysis
from rollback_manager.incidents.incident import Incident
from rollback_manager.tier import Tier
from rollback_manager.values import Count, Value


class Action(StrEnum):
    """What a decision can be. What outweighs the others in a conflict of caps comes last."""

    ROLLBACK = "rollback"
    MANUAL_REVIEW = "manual_review"
    FIX_FORWARD = "fix_forward"
    MONITOR = "monitor"


class WayBack(Value):
    """What there is to go back to, or forward to. target: a verified release; empty if none is."""

    target: str
    tier: Tier
    tier_because: str
    fix: Fix = Fix.UNKNOWN


class DecisionFacts(Value):
    """Everything that a decision rests on, so that it can be made again from the record.

    budget_left: rollbacks that may still begin by themselves in this environment; None where that
    is not known. approvers, level: of the environment, from the catalogue. requested_by: empty
    where nobody asked.
    """

    incident: Incident
    analysis: Analysis
    way_back: WayBack
    budget_left: Count | None = None
    history: History = History()
    calibration: Calibration = Calibration()
    model: Annotated[DecisionModel | NotTrained, Field(discriminator="kind")] = NotTrained()
    approvers: tuple[str, ...] = ()
    level: SecurityLevel = SecurityLevel.LOCAL
    requested_by: str = ""
    business_context: str = ""
    now: datetime
