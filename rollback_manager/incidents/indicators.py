"""Root-cause indicators: the seed's strong and weak ones, each from stated evidence. Pure."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from rollback_manager.metrics.reading import Reading
from rollback_manager.policy import DecisionPolicy
from rollback_manager.values import Ratio, Value
from rollback_manager.verification import wilson


class Indicator(StrEnum):
    """A sign of what the cause is."""

    DEPLOYMENT_TIMING = "deployment_timing_correlation"
    VERSION_SPECIFIC = "version_specific_error"
    CONFIGURATION = "configuration_change_related"
    NEW_FEATURE = "new_feature_related_error"
    LOAD = "increased_load_correlation"
    INFRASTRUCTURE = "infrastructure_issue"
    THIRD_PARTY = "third_party_dependency"
    DATA = "data_related_issue"


STRONG = (
    Indicator.DEPLOYMENT_TIMING,
    Indicator.VERSION_SPECIFIC,
    Indicator.CONFIGURATION,
    Indicator.NEW_FEATURE,
)
"""Signs that it is the release."""
WEAK = (Indicator.LOAD, Indicator.INFRASTRUCTURE, Indicator.THIRD_PARTY, Indicator.DATA)
"""Signs that it may be something else; the seed adds them up all the same."""


class Found(Value):
    """An indicator and the evidence it rests on."""

    indicator: Indicator
    because: str


class ChangeKind(StrEnum):
    """What was changed."""

    DEPLOYMENT = "deployment"
    CONFIGURATION = "configuration"
    FLAG = "flag"
    SCHEMA = "schema"
    INFRASTRUCTURE = "infrastructure"


class Change(Value):
    """One change of anything, by anybody."""

    kind: ChangeKind
    service: str
    what: str
    at: datetime


class Changed(Value):
    """What differs between the restore point of the release before and what runs now.

    schema_steps: migrations since. contract: the one among them that the old version cannot live
    with, such as "0042 drops orders.note"; empty where there is none. other_stores: further
    stores that the release wrote in a new form.
    """

    image: bool = True
    configuration: bool = False
    flags: tuple[str, ...] = ()
    schema_steps: tuple[str, ...] = ()
    contract: str = ""
    other_stores: tuple[str, ...] = ()


class Outage(Value):
    """Something that others run is out. source: who says so."""

    name: str
    since: datetime
    source: str


class Scene(Value):
    """All that was seen around the release.

    new, old: readings of both versions over the same window; old is None where nothing else runs.
    traffic_share: of the release. requests_per_s and usual_per_s: of the whole service. outages: of
    what the service depends on. Failing routes, infrastructure and stores are statements of those
    who watch them. common_mode: what says that the old version is hit as well; empty where nothing
    does. worse_than_old: the words of a detector that compared both versions at the same time and
    found the new one worse.
    """

    service: str
    version: str
    released_at: datetime
    onset_at: datetime | None
    detected_at: datetime
    now: datetime
    new: Reading | None = None
    old: Reading | None = None
    normal_error_ratio: Ratio = 0.0
    traffic_share: Ratio = 1.0
    requests_per_s: float | None = None
    usual_per_s: float | None = None
    changes: tuple[Change, ...] = ()
    outages: tuple[Outage, ...] = ()
    new_routes_failing: tuple[str, ...] = ()
    infrastructure: tuple[str, ...] = ()
    stores_failing: tuple[str, ...] = ()
    common_mode: str = ""
    worse_than_old: str = ""


def indicators(scene: Scene, policy: DecisionPolicy) -> tuple[Found, ...]:
    """Every indicator that evidence supports, the strong ones first."""
    asked: tuple[tuple[Indicator, Callable[[Scene, DecisionPolicy], str]], ...] = (
        (Indicator.DEPLOYMENT_TIMING, _timing),
        (Indicator.VERSION_SPECIFIC, _version_specific),
        (Indicator.CONFIGURATION, _configuration),
        (Indicator.NEW_FEATURE, _new_feature),
        (Indicator.LOAD, _load),
        (Indicator.INFRASTRUCTURE, _infrastructure),
        (Indicator.THIRD_PARTY, _third_party),
        (Indicator.DATA, _stores),
    )
    answers = ((indicator, ask(scene, policy)) for indicator, ask in asked)
    return tuple(Found(indicator=one, because=said) for one, said in answers if said)


def _timing(scene: Scene, policy: DecisionPolicy) -> str:
    """Trouble from before the release is not correlated with it, however near it is."""
    if scene.onset_at is None:
        return ""
    after_s = (scene.onset_at - scene.released_at).total_seconds()
    if not 0 <= after_s <= policy.timing_window_s:
        return ""
    limit = f"at most {policy.timing_window_s:.0f} s count"
    return f"trouble began {after_s:.0f} s after {scene.version} went out ({limit})"


def _version_specific(scene: Scene, policy: DecisionPolicy) -> str:
    """The new version is worse than the old one in the same window: at 99 % each, or by a test."""
    if scene.worse_than_old or scene.new is None or scene.old is None or scene.common_mode:
        return "" if scene.common_mode else scene.worse_than_old
    least, _ = wilson(scene.new.errors, scene.new.requests)
    _, most = wilson(scene.old.errors, scene.old.requests)
    if least <= most:
        return ""
    return (
        f"{scene.new.version} fails {scene.new.error_ratio:.1%} (at least {least:.1%}) and"
        f" {scene.old.version} {scene.old.error_ratio:.1%} (at most {most:.1%}) at the same time"
    )


def _configuration(scene: Scene, policy: DecisionPolicy) -> str:
    return _changed(scene, policy, ChangeKind.CONFIGURATION)


def _new_feature(scene: Scene, policy: DecisionPolicy) -> str:
    if scene.new_routes_failing:
        return f"new in {scene.version} and failing: {', '.join(scene.new_routes_failing)}"
    return _changed(scene, policy, ChangeKind.FLAG)


def _changed(scene: Scene, policy: DecisionPolicy, kind: ChangeKind) -> str:
    """The service's own changes of that kind, shortly before the trouble began."""
    if scene.onset_at is None:
        return ""
    own = [one for one in scene.changes if one.kind is kind and one.service == scene.service]
    ages = {one.what: (scene.onset_at - one.at).total_seconds() for one in own}
    near = [
        f"{what} {age:.0f} s before" for what, age in ages.items()
        if 0 <= age <= policy.timing_window_s
    ]  # fmt: skip
    return f"{kind} changed: {'; '.join(near)}" if near else ""


def _load(scene: Scene, policy: DecisionPolicy) -> str:
    now, usual = scene.requests_per_s, scene.usual_per_s
    if now is None or not usual or now < policy.load_factor * usual:
        return ""
    return f"{now:.0f} requests/s, usual {usual:.0f} (from {policy.load_factor:g} times on)"


def _infrastructure(scene: Scene, policy: DecisionPolicy) -> str:
    told = (*scene.infrastructure, *((scene.common_mode,) if scene.common_mode else ()))
    return "; ".join(told)


def _third_party(scene: Scene, policy: DecisionPolicy) -> str:
    return "; ".join(f"{one.name} is out ({one.source})" for one in scene.outages)


def _stores(scene: Scene, policy: DecisionPolicy) -> str:
    return "; ".join(scene.stores_failing)
