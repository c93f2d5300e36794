"""Each mistake in a catalogue is one plain sentence: where, what is wrong, what to write."""

import copy
import json
import re
from typing import Any

import pytest

from rollback_manager.catalogue import Catalogue
from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.errors import CatalogueError
from rollback_manager.mistake_words import FORMS

GONE = object()
HERE = "services.shop.environments.demo"
ENV = "environments.demo"
PROMETHEUS = {
    "kind": "prometheus",
    "url": "http://127.0.0.1:9090",
    "requests": "http_requests_total",
    "errors": {"kind": "label", "label": "code", "matches": "5.."},
}
ORDERS = {
    "kind": "http_json",
    "name": "orders",
    "url": "http://127.0.0.1/n",
    "pointer": "/n",
    "unit": "per minute",
}
KAYENTA = {
    "kind": "kayenta",
    "name": "judge",
    "metrics": [{"name": "errors", "signal": "error_ratio", "groups": ["g"]}],
}
ARGO = {
    "kind": "argo",
    "name": "judge",
    "metrics": [{"name": "errors", "signal": "error_ratio", "success": "result < 0.1"}],
}
SLACK = {"kind": "slack", "channel": "C0123ABCD", "token": "env:SLACK"}
CHECK = {"name": "totals", "database": "env:DATABASE", "sql": "select 1"}
GOOD: dict[str, Any] = {
    "version": 1,
    "clusters": {"main": {}},
    "people": {"anna": {}},
    "environments": {
        "demo": {
            "policy": {},
            "decisions": {},
            "fleet": {},
            "roles": {},
            "notifications": [SLACK],
            "freezes": [
                {
                    "from": "2026-01-01T08:00:00Z",
                    "until": "2026-01-02T08:00:00Z",
                    "reason": "holidays",
                }
            ],
        }
    },
    "alerts": {"alertmanager": {"secrets": ["env:A"], "triggers": {"x": "critical_error_rate"}}},
    "services": {
        "shop": {
            "owners": ["shop-team"],
            "strategy": "canary",
            "environments": {
                "demo": {
                    "workloads": {"kind": "supervisord", "socket": "/run/s", "program": "shop"},
                    "traffic": {
                        "kind": "envoy",
                        "admin": "http://127.0.0.1:9901",
                        "routes": "/run/rds.json",
                        "route": "shop",
                    },
                    "journeys": [{"name": "checkout", "get": "http://127.0.0.1/checkout"}],
                    "metrics": PROMETHEUS,
                    "business": [ORDERS],
                    "judges": [KAYENTA, ARGO],
                    "data_checks": [CHECK],
                    "policy": {},
                }
            },
        }
    },
}
WRONG: list[tuple[str, Any, str, str]] = [
    ("version", 2, "version", "expected 1, not 2"),
    ("version", "one", "version", "expected 1, not 'one'"),
    ("services", [], "services", "expected a mapping of names, not a list"),
    ("environments", GONE, "environments", "is missing: write a mapping of fields"),
    ("enviroments", {}, "enviroments", "there is no such field: did you mean environments?"),
    ("services.Shop Eins", {}, "services.Shop Eins", "expected small letters, digits, '-'"),
    ("services.shop.strategy", GONE, "services.shop.strategy", "is missing: write a text"),
    ("services.shop.owners", "me", "services.shop.owners", "expected a list, not 'me'"),
    (
        "services.shop.owners",
        [7],
        "services.shop.owners.0",
        "expected a text, not 7: write it in quotes",
    ),
    (
        "services.shop.pair_tested",
        "perhaps",
        "services.shop.pair_tested",
        "expected true or false, not 'perhaps'",
    ),
    (
        "services.shop.ci",
        [{"gitlab": {"project_id": 1}}],
        "services.shop.ci.0.gitlab.environment",
        "is missing: write a text",
    ),
    (
        f"{HERE}.workloads.kind",
        "systemd",
        f"{HERE}.workloads.kind",
        "expected 'supervisord', 'kubernetes', 'argo_rollout', not 'systemd'",
    ),
    (
        f"{HERE}.workloads.kind",
        GONE,
        f"{HERE}.workloads.kind",
        "is missing: write supervisord, kubernetes or argo_rollout",
    ),
    (f"{HERE}.workloads.program", GONE, f"{HERE}.workloads.program", "is missing: write a text"),
    (f"{HERE}.workloads.socket", "run/s", f"{HERE}.workloads.socket", "expected an absolute path"),
    (
        f"{HERE}.workloads",
        "supervisord",
        f"{HERE}.workloads",
        "expected a mapping of fields, not 'supervisord'",
    ),
    (
        f"{HERE}.traffic.adress",
        "x",
        f"{HERE}.traffic.adress",
        "there is no such field; known: kind, admin, routes, route, stat_prefix",
    ),
    (
        f"{HERE}.traffic.admin",
        "127.0.0.1:9901",
        f"{HERE}.traffic.admin",
        "expected an absolute http or https URL",
    ),
    (
        f"{HERE}.traffic.admin",
        "http://me:secret@host",
        f"{HERE}.traffic.admin",
        "no credentials in a URL",
    ),
    (
        f"{HERE}.journeys.0.status",
        1000,
        f"{HERE}.journeys.0.status",
        "must be at most 599, not 1000",
    ),
    (
        f"{HERE}.journeys.0.within_ms",
        0,
        f"{HERE}.journeys.0.within_ms",
        "must be more than 0, not 0",
    ),
    (
        f"{HERE}.journeys.0.within_ms",
        "fast",
        f"{HERE}.journeys.0.within_ms",
        "expected a number, not 'fast'",
    ),
    (
        f"{HERE}.metrics.kind",
        "influx",
        f"{HERE}.metrics.kind",
        "expected 'prometheus', not 'influx'",
    ),
    (
        f"{HERE}.metrics.requests",
        "up{}",
        f"{HERE}.metrics.requests",
        "expected a metric's bare name, such as http_requests_total",
    ),
    (
        f"{HERE}.metrics.latency_unit",
        "us",
        f"{HERE}.metrics.latency_unit",
        "expected 's' or 'ms', not 'us'",
    ),
    (
        f"{HERE}.metrics.scrape_interval_s",
        600,
        f"{HERE}.metrics.scrape_interval_s",
        "must be at most 300, not 600",
    ),
    (
        f"{HERE}.metrics.errors.kind",
        "ratio",
        f"{HERE}.metrics.errors.kind",
        "expected 'label', 'metric', not 'ratio'",
    ),
    (
        f"{HERE}.metrics.errors.matches",
        "5..{",
        f"{HERE}.metrics.errors.matches",
        "expected values of a label, such as 5.. or 5..|error",
    ),
    (
        f"{HERE}.metrics.version_label",
        "__name__",
        f"{HERE}.metrics.version_label",
        "expected a label as Prometheus has them",
    ),
    (
        f"{HERE}.metrics.token",
        "abcdef",
        f"{HERE}.metrics.token",
        "expected where the secret is, never the secret: env:NAME or file:/PATH",
    ),
    (
        f"{HERE}.business.0.better",
        "up",
        f"{HERE}.business.0.better",
        "expected 'higher' or 'lower', not 'up'",
    ),
    (
        f"{HERE}.business.0.floor",
        ".inf",
        f"{HERE}.business.0.floor",
        "expected a finite number, not inf",
    ),
    (f"{HERE}.business.0.unit", "", f"{HERE}.business.0.unit", "must not be empty"),
    (
        f"{HERE}.business.0.pointer",
        "orders",
        f"{HERE}.business.0.pointer",
        "expected a JSON pointer, such as /orders/per_minute",
    ),
    (f"{HERE}.business", ORDERS, f"{HERE}.business", "expected a list, not a mapping"),
    (
        f"{HERE}.judges.0.metrics.0.signal",
        "cpu",
        f"{HERE}.judges.0.metrics.0.signal",
        "expected 'error_ratio', 'success_ratio' or 'latency_p95_ms', not 'cpu'",
    ),
    (f"{HERE}.judges.0.metrics", [], f"{HERE}.judges.0.metrics", "needs at least one entry"),
    (f"{HERE}.judges.0.pass_at", 120, f"{HERE}.judges.0.pass_at", "must be at most 100, not 120"),
    (f"{HERE}.judges.0.marginal_at", 99, f"{HERE}.judges.0", "marginal_at lies above pass_at"),
    (
        f"{HERE}.judges.1.metrics.0.success",
        "result < 2",
        f"{HERE}.judges.1.metrics.0",
        "the worst value there can be, 1, would not fail it",
    ),
    (
        f"{HERE}.judges.1.metrics.0.count",
        1.5,
        f"{HERE}.judges.1.metrics.0.count",
        "expected a whole number, not 1.5",
    ),
    (
        f"{HERE}.data_checks.0.expect",
        "none",
        f"{HERE}.data_checks.0.expect",
        "expected 'no rows' or a number, not 'none'",
    ),
    (
        f"{HERE}.data_checks.0.sql",
        "delete from x",
        f"{HERE}.data_checks.0.sql",
        "a query: it begins with SELECT, WITH, VALUES or TABLE",
    ),
    (
        f"{HERE}.policy.floor_fraction",
        80,
        f"{HERE}.policy.floor_fraction",
        "must be at most 1, not 80; a share: 80 % is 0.8",
    ),
    (
        f"{HERE}.policy.aproval",
        {},
        f"{HERE}.policy.aproval",
        "there is no such field: did you mean approval?",
    ),
    (
        f"{ENV}.policy.approval",
        {"on_expiry": "approve"},
        f"{ENV}.policy.approval.on_expiry",
        "expected 'hold' or 'reject', not 'approve'",
    ),
    (
        f"{ENV}.policy.further_attempts",
        -1,
        f"{ENV}.policy.further_attempts",
        "must be at least 0, not -1",
    ),
    (
        f"{ENV}.decisions.limits",
        {"latency_factor": 1},
        f"{ENV}.decisions.limits.latency_factor",
        "must be more than 1, not 1",
    ),
    (f"{ENV}.fleet.width", "wide", f"{ENV}.fleet.width", "expected a whole number, not 'wide'"),
    (f"{ENV}.security", "high", f"{ENV}.security", "expected 'local' or 'secured', not 'high'"),
    (
        f"{ENV}.roles",
        {"oncall": ["anna"]},
        f"{ENV}.roles.oncall",
        "there is no such field: did you mean on_call?",
    ),
    (
        f"{ENV}.roles",
        {"on_call": ["anna bell"]},
        f"{ENV}.roles.on_call.0",
        "expected a name without spaces",
    ),
    (
        f"{ENV}.notifications.0.channel",
        "#ops",
        f"{ENV}.notifications.0.channel",
        "expected Slack's id of a channel",
    ),
    (
        f"{ENV}.notifications.0.kind",
        "pager",
        f"{ENV}.notifications.0.kind",
        "expected 'slack', 'webhook', 'email', 'pagerduty', 'status_page', not 'pager'",
    ),
    (
        f"{ENV}.notifications.0.token",
        "xoxb-1",
        f"{ENV}.notifications.0.token",
        "expected where the secret is, never the secret",
    ),
    (
        f"{ENV}.freezes.0.until",
        "tomorrow",
        f"{ENV}.freezes.0.until",
        "write day, time and zone, as in 2026-12-24T18:00:00Z",
    ),
    (f"{ENV}.freezes.0.from", GONE, f"{ENV}.freezes.0.from", "is missing: write a text"),
    ("clusters.main.kubeconfig", "config", "clusters.main.kubeconfig", "expected an absolute path"),
    (
        "alerts.alertmanager.triggers",
        {"x": "slow"},
        "alerts.alertmanager.triggers.x",
        "expected 'critical_error_rate'",
    ),
    (
        "alerts.alertmanager.triggers",
        {},
        "alerts.alertmanager.triggers",
        "needs at least one entry",
    ),
    ("people.anna.slack", "anna", "people.anna.slack", "expected Slack's team and member"),
]
OF_PROGRAMMERS = re.compile(
    r"Input|Field required|Extra inputs|valid|pattern|discriminator|literal|dictionary|tuple"
    r"|Value error|instance|<|\[key\]|model|union|parse"
)


def said(path: str, value: Any) -> list[str]:
    """All that is told of the good catalogue with this at that place."""
    tree = copy.deepcopy(GOOD)
    *above, last = path.split(".")
    node: Any = tree
    for part in above:
        node = node[int(part) if isinstance(node, list) else part]
    if value is GONE:
        del node[last]
    else:
        node[last] = value
    with pytest.raises(CatalogueError) as refused:
        read_catalogue(json.dumps(tree, indent=1).replace('".inf"', ".inf"), "c.yaml")
    return refused.value.what.splitlines()


def test_the_catalogue_without_a_mistake_is_read() -> None:
    read_catalogue(json.dumps(GOOD))


@pytest.mark.parametrize(("path", "value", "where", "sentence"), WRONG)
def test_a_mistake_is_one_sentence_in_plain_words(
    path: str, value: Any, where: str, sentence: str
) -> None:
    found = said(path, value)
    assert len(found) == 1 or "Shop Eins" in path, found
    line, place, what = found[0].split(": ", 2)
    assert re.fullmatch(r"c\.yaml:[0-9]+", line)
    assert place == where
    assert what.startswith(sentence), what
    assert not OF_PROGRAMMERS.search(what), what


def test_every_pattern_of_the_catalogue_is_told_in_words() -> None:
    text = json.dumps(Catalogue.model_json_schema())
    patterns = {
        json.loads(f'"{one}"') for one in re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', text)
    }
    assert patterns <= FORMS.keys()


def test_a_text_that_may_be_a_password_is_not_repeated() -> None:
    assert "hunter2" not in said(f"{HERE}.metrics.latency_unit", "p4ss!hunter2")[0]
    assert "abcdef" not in said(f"{HERE}.metrics.token", "abcdef")[0]


@pytest.mark.parametrize("path", [f"{ENV}.fleet.width", "services.shop.owners"])
def test_a_number_of_hundreds_of_digits_is_a_mistake_like_others(path: str) -> None:
    assert said(path, -(10**400))[0].endswith("not a number of hundreds of digits")
