"""How monitoring systems call what the catalogue calls by our names. Pure."""

from collections.abc import Collection
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.metrics.sources import LabelValue, TokenReference
from rollback_manager.platforms import Name
from rollback_manager.values import Value

TopicArn = Annotated[
    str,
    StringConstraints(
        pattern=r"^arn:aws:sns:[a-z]{2}-[a-z-]{2,20}-[0-9]:[0-9]{12}:[A-Za-z0-9_.-]{1,256}$"
    ),
]
"""A topic of Amazon SNS; its region is where its certificate is read."""


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
    def _can_be_proven(self) -> "AlertNames":
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
    def _topics_are_cloudwatchs(self) -> "Alerts":
        others = (self.alertmanager, self.grafana, self.generic)
        if any(one is not None and one.topics for one in others):
            raise ValueError("topics are Amazon SNS's: they belong to cloudwatch")
        return self

    @property
    def sources(self) -> dict[AlertSource, AlertNames]:
        """Those that are set up."""
        named = ((source, getattr(self, source)) for source in AlertSource)
        return {source: names for source, names in named if names is not None}


def nameless(
    alerts: Alerts, services: Collection[str], environments: Collection[str]
) -> list[tuple[tuple[str, ...], str]]:
    """Where in `alerts` a name is ours and is none, with what is wrong."""
    wrong: list[tuple[tuple[str, ...], str]] = []
    for source, names in alerts.sources.items():
        for field, ours in (
            ("services", services),
            ("environments", environments),
        ):
            for theirs, name in getattr(names, field).items():
                if name not in ours:
                    place = ("alerts", str(source), field, theirs)
                    wrong.append((place, f"no such {field[:-1]}: {name}"))
    return wrong
