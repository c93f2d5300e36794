"""Alerts of monitoring systems: what the catalogue lets them mean. Pure.

Whatever an alert says is looked up, never put into anything: its label leads to a service of the
catalogue or to none, its name to a trigger or to none (security.md T07).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints, model_validator

from rollback_manager.contract import NAME
from rollback_manager.incidents.alarms import Alarm
from rollback_manager.incidents.triggers import Evidence, Finding, Source, TriggerKind
from rollback_manager.metrics.sources import LabelValue, TokenReference
from rollback_manager.platforms import Name
from rollback_manager.rendering.layout import foreign
from rollback_manager.values import Value

if TYPE_CHECKING:
    from rollback_manager.catalogue import Catalogue

TopicArn = Annotated[
    str,
    StringConstraints(
        pattern=r"^arn:aws:sns:[a-z]{2}-[a-z-]{2,20}-[0-9]:[0-9]{12}:[A-Za-z0-9_.-]{1,256}$"
    ),
]
"""A topic of Amazon SNS; its region is where its certificate is read."""
MOST_WORDS = 300
"""Characters of what an alert says for people."""


class AlertSource(StrEnum):
    """Who sends alerts."""

    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"
    CLOUDWATCH = "cloudwatch"
    GENERIC = "generic"


class AlertNames(Value):
    """How one source calls what we call by our names."""

    secrets: Annotated[tuple[TokenReference, ...], Field(max_length=2)] = ()
    """Where its secret is; two while it is replaced. Without one nothing is taken but by topic."""
    topics: Annotated[tuple[TopicArn, ...], Field(max_length=100)] = ()
    """Of CloudWatch: topics of Amazon SNS whose own signature counts."""
    service: LabelValue = "service"
    """Label that says which service."""
    environment: LabelValue = "environment"
    """Label that says which environment."""
    version: LabelValue = "version"
    """Label that says which version; an alert without it means the newest release."""
    services: dict[LabelValue, Name] = Field(default_factory=dict)
    """Values of that label → our services; others mean the service of the same name."""
    environments: dict[LabelValue, Name] = Field(default_factory=dict)
    """The same for environments."""
    triggers: Annotated[dict[LabelValue, TriggerKind], Field(min_length=1)]
    """Names of alerts → what is wrong. Others are refused: nobody has said what they mean."""

    @model_validator(mode="after")
    def _can_be_proven(self) -> AlertNames:
        if not self.secrets and not self.topics:
            raise ValueError("name its secrets: without one, nothing of it could ever count")
        return self


class Alerts(Value):
    """Which sources may tell of bad releases, and in which words."""

    alertmanager: AlertNames | None = None
    grafana: AlertNames | None = None
    cloudwatch: AlertNames | None = None
    generic: AlertNames | None = None

    @model_validator(mode="after")
    def _topics_are_cloudwatchs(self) -> Alerts:
        others = (self.alertmanager, self.grafana, self.generic)
        if any(one is not None and one.topics for one in others):
            raise ValueError("topics are Amazon SNS's: they belong to cloudwatch")
        return self

    @property
    def sources(self) -> dict[AlertSource, AlertNames]:
        """Those that are set up."""
        named = ((source, getattr(self, source)) for source in AlertSource)
        return {source: names for source, names in named if names is not None}


class Told(Value):
    """One alert as its source tells it. id: the same for the same alert told again."""

    id: str
    name: str
    labels: Mapping[str, str]
    words: str
    firing: bool
    at: datetime


class Meant(Value):
    """What an alert means here. version: empty where it does not say."""

    env: str
    service: str
    version: str
    trigger: TriggerKind


class Unknown(Value):
    """An alert that means nothing here; `because` repeats nothing of it."""

    because: str


def meant(told: Told, names: AlertNames, catalogue: Catalogue) -> Meant | Unknown:
    """The release that it is about, by the catalogue alone."""
    trigger = names.triggers.get(told.name)
    if trigger is None:
        return Unknown(because="no trigger of the catalogue belongs to an alert of that name")
    service = _named(told, names.service, names.services)
    if service not in catalogue.services:
        return Unknown(because=f"its label {names.service!r} names no service of the catalogue")
    env = _named(told, names.environment, names.environments)
    if env not in catalogue.services[service].environments:
        because = f"its label {names.environment!r} names no environment of {service}"
        return Unknown(because=because)
    version = told.labels.get(names.version, "")
    if version and not NAME.fullmatch(version):
        return Unknown(because=f"its label {names.version!r} is no name of a version")
    return Meant(env=env, service=service, version=version, trigger=trigger)


def _named(told: Told, label: str, ours: Mapping[str, str]) -> str:
    value = told.labels.get(label, "")
    return ours.get(value, value)


def alarm(told: Told, source: AlertSource, means: Meant, version: str) -> Alarm:
    """The alarm for the incident of that release; an alert that went out never brings it back.

    Nothing of it is measured by us, so that it has no size: the judgement reads its own numbers.
    """
    evidence = Evidence(
        trigger=means.trigger,
        finding=Finding.REGRESSED if told.firing else Finding.FINE,
        words=foreign(f"{source}: {told.name}: {told.words}", MOST_WORDS),
        source=Source.CLIENT,
        fired_at=told.at,
        test=f"{source}: {told.name}",
    )
    return Alarm(env=means.env, service=means.service, version=version, evidence=evidence)


def nameless(catalogue: Catalogue) -> list[tuple[tuple[str, ...], str]]:
    """Where in `alerts` a name is ours and is none, with what is wrong."""
    wrong: list[tuple[tuple[str, ...], str]] = []
    for source, names in catalogue.alerts.sources.items():
        for field, ours in (
            ("services", catalogue.services),
            ("environments", catalogue.environments),
        ):
            for theirs, name in getattr(names, field).items():
                if name not in ours:
                    place = ("alerts", str(source), field, theirs)
                    wrong.append((place, f"no such {field[:-1]}: {name}"))
    return wrong
