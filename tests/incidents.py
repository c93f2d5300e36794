"""One incident that the rules would roll back by themselves, to be changed by each test."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rollback_manager.decision.facts import DecisionFacts, WayBack
from rollback_manager.incidents.analysis import Analysis, AnalysisFacts, analyse
from rollback_manager.incidents.incident import Incident, join
from rollback_manager.incidents.indicators import Scene
from rollback_manager.incidents.triggers import Evidence, Finding, Source, TriggerKind
from rollback_manager.metrics.reading import Reading
from rollback_manager.policy import DecisionPolicy
from rollback_manager.tier import Tier

RELEASED = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)  # a Monday
POLICY = DecisionPolicy()


def after(seconds: float) -> datetime:
    """So many seconds after v2 went out."""
    return RELEASED + timedelta(seconds=seconds)


NOW = after(420)


def evidence(
    trigger: TriggerKind = TriggerKind.CRITICAL_ERROR_RATE, size: float | None = 0.25, **more: Any
) -> Evidence:
    """A detector that has just found 25 % errors, unless told otherwise."""
    fields: dict[str, Any] = {
        "trigger": trigger,
        "finding": Finding.REGRESSED,
        "words": "v2 fails 25 of 100 requests",
        "source": Source.DETECTOR,
        "fired_at": after(400),
        "size": size,
        "nats": 8.0,
    }
    return Evidence(**(fields | more))


def incident(*joined: Evidence) -> Incident:
    """With this evidence, or the usual one."""
    made = Incident(env="prod", service="shop", version="v2", detected_at=after(400))
    for one in joined or (evidence(),):
        made = join(made, one)
    return made


def reading(version: str, errors: int, requests: int = 1000) -> Reading:
    """One minute of a version."""
    return Reading(
        version=version,
        requests=requests,
        errors=errors,
        latency_p95_ms=None,
        window_s=60,
        taken_at=NOW,
    )


def scene(**changes: Any) -> Scene:
    """Trouble begins six minutes after v2 went out, and v2 alone fails."""
    seen: dict[str, Any] = {
        "service": "shop",
        "version": "v2",
        "released_at": RELEASED,
        "onset_at": after(360),
        "detected_at": after(400),
        "now": NOW,
        "new": reading("v2", 250),
        "old": reading("v1", 10),
        "normal_error_ratio": 0.01,
    }
    return Scene(**(seen | changes))


def analysis_facts(scene_now: Scene | None = None, **changes: Any) -> AnalysisFacts:
    known: dict[str, Any] = {"scene": scene_now or scene(), "strategy": "blue_green"}
    return AnalysisFacts(**(known | changes))


def analysis(scene_now: Scene | None = None, **changes: Any) -> Analysis:
    return analyse(analysis_facts(scene_now, **changes), POLICY)


def way_back(**changes: Any) -> WayBack:
    known: dict[str, Any] = {"target": "v1", "tier": Tier.T1, "tier_because": "blue_green"}
    return WayBack(**(known | changes))


def facts(**changes: Any) -> DecisionFacts:
    """Decided as a rollback that nobody has to agree to."""
    known: dict[str, Any] = {
        "incident": incident(),
        "analysis": analysis(),
        "way_back": way_back(),
        "budget_left": 3,
        "approvers": ("ann", "bob"),
        "requested_by": "watch",
        "now": NOW,
    }
    return DecisionFacts(**(known | changes))
