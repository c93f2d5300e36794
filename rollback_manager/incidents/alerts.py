"""Alerts of monitoring systems: what the catalogue lets them mean. Pure.

Whatever an alert says is looked up, never put into anything: its label leads to a service of the
catalogue or to none, its name to a trigger or to none (security.md T07).
"""

from collections.abc import Mapping
from datetime import datetime

from rollback_manager.catalogue import Catalogue
from rollback_manager.contract import NAME
from rollback_manager.incidents.alarms import Alarm
from rollback_manager.incidents.alert_names import AlertNames, AlertSource
from rollback_manager.incidents.triggers import Evidence, Finding, Source, TriggerKind
from rollback_manager.rendering.layout import foreign
from rollback_manager.values import Value

MOST_WORDS = 300
"""Characters of what an alert says for people."""


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
