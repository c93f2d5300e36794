"""What an alert means is the catalogue's to say, whatever stands in it."""

from datetime import UTC, datetime

import pytest

from rollback_manager.catalogue import Catalogue
from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.errors import CatalogueError
from rollback_manager.incidents.alert_names import AlertNames, AlertSource
from rollback_manager.incidents.alerts import (
    Meant,
    Told,
    Unknown,
    alarm,
    meant,
)
from rollback_manager.incidents.triggers import Finding, TriggerKind
from tests import rig

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
NAMES = AlertNames(
    secrets=("env:ALERTS",),
    service="job",
    services={"checkout-api": "checkout"},
    environments={"staging": "test"},
    triggers={"HighErrorRate": TriggerKind.CRITICAL_ERROR_RATE},
)
INJECTIONS = (
    "checkout\n",
    "checkout/../../x",
    "${jndi:ldap://x}",
    '"} or vector(0) #',
    "{x.__init__.__globals__}",
    "\x1b[31mcheckout",
    "checkout' OR '1'='1",
    "http://169.254.169.254/",
    "CHECKOUT",
    "",
    "checkout\u202e",
    "x" * 1000,
)


@pytest.fixture
def catalogue() -> Catalogue:
    return rig.catalogue("checkout", {})


def _told(name: str = "HighErrorRate", **labels: str) -> Told:
    known = {"job": "checkout", "environment": "test", "version": "v2", **labels}
    return Told(id="1", name=name, labels=known, words="5xx", firing=True, at=NOW)


def test_labels_lead_to_our_own_names(catalogue: Catalogue) -> None:
    told = _told(job="checkout-api", environment="staging")
    assert meant(told, NAMES, catalogue) == Meant(
        env="test", service="checkout", version="v2", trigger=TriggerKind.CRITICAL_ERROR_RATE
    )


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("label", ["job", "environment", "version"])
def test_nothing_else_is_known_and_nothing_of_it_repeated(
    catalogue: Catalogue, label: str, text: str
) -> None:
    found = meant(_told(**{label: text}), NAMES, catalogue)
    if label == "version" and not text:
        assert isinstance(found, Meant)
        return
    assert isinstance(found, Unknown)
    assert not text or text not in found.because


def test_an_alert_that_nobody_has_named_means_nothing(catalogue: Catalogue) -> None:
    found = meant(_told("Watchdog"), NAMES, catalogue)
    assert found == Unknown(because="no trigger of the catalogue belongs to an alert of that name")


def test_its_words_are_clean_and_short(catalogue: Catalogue) -> None:
    told = _told().model_copy(update={"words": "\x1b[2Jbad\n@here\u202e" + "x" * 1000})
    means = meant(told, NAMES, catalogue)
    assert isinstance(means, Meant)
    words = alarm(told, AlertSource.GRAFANA, means, "v2").evidence.words
    assert words.startswith("grafana: HighErrorRate: bad @here")
    assert len(words) == 300
    assert words.isprintable()


def test_an_alert_that_went_out_is_no_alarm(catalogue: Catalogue) -> None:
    told = _told().model_copy(update={"firing": False})
    means = meant(told, NAMES, catalogue)
    assert isinstance(means, Meant)
    assert alarm(told, AlertSource.GRAFANA, means, "v2").evidence.finding is Finding.FINE


def test_a_mapping_to_nobody_is_a_mistake_with_its_line() -> None:
    text = """version: 1
environments: {test: {}}
services:
  checkout:
    strategy: blue_green
    environments:
      test:
        workloads: {kind: supervisord, socket: /x, program: x}
        traffic: {kind: envoy, admin: "http://127.0.0.1:1", routes: /x, route: x}
alerts:
  grafana:
    secrets: ["env:X"]
    triggers: {HighErrorRate: critical_error_rate}
    services:
      checkout-api: chekout
"""
    with pytest.raises(
        CatalogueError, match=r"catalogue.yaml:15: alerts.grafana.*: no such service: chekout"
    ):
        read_catalogue(text)
