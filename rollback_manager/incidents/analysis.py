"""What is known about an incident: since when, who is hurt, and is it really the release? Pure."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from rollback_manager.incidents.deviation import Deviation, Metric, deviation
from rollback_manager.incidents.indicators import (
    Change,
    Changed,
    Found,
    Indicator,
    Scene,
    indicators,
)
from rollback_manager.policy import DecisionPolicy
from rollback_manager.values import Count, Ratio, Seconds, Value


class Impact(Value):
    """Who is hurt, and how much; None where it was not measured.

    failed_per_min: failed requests beyond what is normal. share_of_users: of all requests.
    """

    failed_per_min: float | None
    failed_so_far: float | None
    share_of_users: Ratio | None
    business_drop: Ratio | None
    affected_services: Annotated[int, Field(ge=1)]
    because: str


class Moment(Value):
    """One line of the timeline."""

    at: datetime
    what: str


class DeploymentType(StrEnum):
    """How the release went out, in the words of the seed's complexity table."""

    BLUE_GREEN = "blue_green"
    FEATURE_FLAG = "feature_flag"
    CANARY = "canary"
    ROLLING_UPDATE = "rolling_update"
    DATABASE_MIGRATION = "database_migration"
    UNKNOWN = "unknown"


class AnalysisFacts(Value):
    """What an incident is analysed from.

    changed: what differs between the restore point and now. burning_since: since when an alarm of
    the same kind was on before this release. dependencies: how many the service has. strategy: the
    catalogue's word for how the service goes out.
    """

    scene: Scene
    metrics: tuple[Metric, ...] = ()
    strategy: str
    changed: Changed = Changed()
    burning_since: datetime | None = None
    affected_services: Annotated[int, Field(ge=1)] = 1
    dependencies: Count = 0


class Analysis(Value):
    """What is known about an incident before anything is decided."""

    deviations: tuple[Deviation, ...]
    indicators: tuple[Found, ...]
    other_changes: tuple[Change, ...]
    burning_since: datetime | None
    common_mode: str
    outages: tuple[str, ...]
    impact: Impact
    timeline: tuple[Moment, ...]
    deployment_type: DeploymentType
    has_data_changes: bool
    open_contract: str
    dependencies: Count
    since_release_s: Seconds

    def says(self, *wanted: Indicator) -> bool:
        """Whether any of these indicators was found."""
        return any(one.indicator in wanted for one in self.indicators)


def analyse(facts: AnalysisFacts, policy: DecisionPolicy) -> Analysis:
    """Everything the seed's analysis phase answers, from the facts alone."""
    scene, changed = facts.scene, facts.changed
    deviations = tuple(deviation(metric) for metric in facts.metrics)
    return Analysis(
        deviations=deviations,
        indicators=indicators(scene, policy),
        other_changes=other_changes(scene),
        burning_since=burning_since(facts),
        common_mode=scene.common_mode,
        outages=tuple(f"{one.name} since {one.since:%H:%MZ}" for one in scene.outages),
        impact=impact(facts, deviations),
        timeline=timeline(facts),
        deployment_type=deployment_type(facts.strategy, changed),
        has_data_changes=bool(changed.schema_steps or changed.other_stores),
        open_contract=changed.contract,
        dependencies=facts.dependencies,
        since_release_s=max(0.0, (scene.now - scene.released_at).total_seconds()),
    )


def impact(facts: AnalysisFacts, deviations: tuple[Deviation, ...]) -> Impact:
    """What it costs users and the business, from the counted requests."""
    new, scene = facts.scene.new, facts.scene
    drops = [max(0.0, min(1.0, one.share)) for one in deviations if one.business and one.share]
    drop = max(drops, default=None)
    if new is None or not new.requests or not new.window_s:
        per_min = so_far = share = None
        words = "failed requests were not counted"
    else:
        beyond = max(0.0, new.error_ratio - scene.normal_error_ratio)
        per_min = beyond * new.requests / new.window_s * 60
        so_far = per_min * _minutes_of_trouble(scene)
        share = min(1.0, beyond * scene.traffic_share)
        words = f"{per_min:.0f} more requests fail per minute, {share:.1%} of all"
    lost = "" if drop is None else f"; business figures {drop:.0%} down"
    return Impact(
        failed_per_min=per_min,
        failed_so_far=so_far,
        share_of_users=share,
        business_drop=drop,
        affected_services=facts.affected_services,
        because=words + lost,
    )


def _minutes_of_trouble(scene: Scene) -> float:
    since = scene.onset_at or scene.detected_at
    return max(0.0, (scene.now - since).total_seconds() / 60)


def burning_since(facts: AnalysisFacts) -> datetime | None:
    """Since when it burnt before this release went out; None where it did not (field §5, 18)."""
    begun = (facts.burning_since, facts.scene.onset_at)
    before = [at for at in begun if at is not None and at < facts.scene.released_at]
    return min(before, default=None)


def other_changes(scene: Scene) -> tuple[Change, ...]:
    """Changes of others between the release and the trouble: is it really the release?

    Those nearest to the onset come first.
    """
    onset = scene.onset_at or scene.detected_at
    others = (one for one in scene.changes if one.service != scene.service)
    between = [one for one in others if scene.released_at <= one.at <= onset]
    return tuple(sorted(between, key=lambda one: one.at, reverse=True))


def timeline(facts: AnalysisFacts) -> tuple[Moment, ...]:
    """What happened when, in order."""
    scene = facts.scene
    known = [
        (scene.released_at, f"{scene.service} {scene.version} went out"),
        (scene.onset_at, "trouble began"),
        (scene.detected_at, "it was detected"),
        (facts.burning_since, "an alarm of the same kind was on before"),
        *((one.at, f"{one.service}: {one.kind}, {one.what}") for one in scene.changes),
        *((one.since, f"{one.name} is out ({one.source})") for one in scene.outages),
    ]
    moments = [Moment(at=at, what=what) for at, what in known if at is not None]
    return tuple(sorted(moments, key=lambda one: one.at))


def deployment_type(strategy: str, changed: Changed) -> DeploymentType:
    """What the restore point says that changed; where the image did, how the service goes out.

    A strategy that the seed's table does not name is unknown to it, and so to us.
    """
    if changed.schema_steps and not changed.image:
        return DeploymentType.DATABASE_MIGRATION
    if changed.flags and not (changed.image or changed.configuration):
        return DeploymentType.FEATURE_FLAG
    known = {str(kind): kind for kind in DeploymentType}
    return known.get(strategy, DeploymentType.UNKNOWN)
