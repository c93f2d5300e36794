"""The catalogue: one file, and every mistake in it with its line."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from rollback_manager.catalogue import Catalogue, SecurityLevel, json_schema
from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.errors import CatalogueError, PermanentError
from rollback_manager.platforms import EnvoyTarget, SupervisordTarget
from rollback_manager.policy import OnExpiry, Policy

EXAMPLE = Path(__file__).parents[2] / "demo" / "catalogue.example.yaml"
TEXT = """\
version: 1
environments:
  demo:
    policy:
      floor_fraction: 0.8
      approval:
        required: false
        deadline_s: 60
services:
  shop:
    owners: [shop-team]
    strategy: blue_green
    environments:
      demo:
        workloads: {kind: supervisord, socket: /run/s.sock, program: shop}
        traffic:
          kind: envoy
          admin: http://127.0.0.1:9901
          routes: /run/rds.json
          route: shop
        journeys:
          - name: checkout
            get: http://127.0.0.1:8080/checkout
        policy:
          approval:
            on_expiry: reject
"""


MEASURED = """\
        metrics:
          kind: prometheus
          url: http://127.0.0.1:9090
          requests: http_requests_total
          errors: {kind: label, label: code, matches: 5..}
          latency: http_request_duration_seconds
          where: {env: demo}
          token: env:PROMETHEUS_TOKEN
        business:
          - kind: http_json
            name: orders
            url: http://127.0.0.1:8080/numbers
            pointer: /orders/per_minute
            unit: orders per minute
            floor: 5
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(CatalogueError) as refusal:
        read_catalogue(text, "c.yaml")
    assert refusal.value.effect == "Nothing was started; production is unchanged."
    assert "catalogue check" in refusal.value.next_step
    return refusal.value.what.splitlines()


def with_line(old: str, new: str) -> str:
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


def test_a_catalogue_says_where_a_service_runs() -> None:
    placement = read_catalogue(TEXT).placement("demo", "shop")
    assert isinstance(placement.workloads, SupervisordTarget)
    assert placement.workloads.program == "shop"
    assert isinstance(placement.traffic, EnvoyTarget)
    assert placement.traffic.routes == "/run/rds.json"
    assert placement.journeys[0].status == 200


def test_a_service_may_be_counted_by_a_prometheus_and_by_its_business() -> None:
    assert read_catalogue(TEXT).placement("demo", "shop").metrics is None
    placement = read_catalogue(measured()).placement("demo", "shop")
    assert placement.metrics is not None
    assert placement.metrics.version_label == "version"
    assert (placement.metrics.range_s, placement.metrics.silence_s) == (90, 45)
    assert [(one.unit, one.better) for one in placement.business] == [
        ("orders per minute", "higher")
    ]


def test_what_the_example_shows_in_a_comment_may_be_written_so() -> None:
    text = re.sub(
        "^        #   ", "        ", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    placement = read_catalogue(text).placement("demo", "shop")
    assert placement.metrics is not None
    assert placement.business[0].floor == 10500
    assert placement.judges[0].name == "success-rate"


def measured(old: str = "", new: str = "") -> str:
    """The catalogue with a source of metrics and one of the business."""
    assert not old or MEASURED.count(old) == 1
    return with_line(
        "        policy:\n          approval:",
        f"{MEASURED.replace(old, new) if old else MEASURED}        policy:\n          approval:",
    )


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("kind: prometheus", "kind: influx", "c.yaml:25: services.shop."),
        ("requests: http_requests_total", "requests: up{}", "c.yaml:27: services.shop."),
        ("label: code", "lable: code", "c.yaml:28: services.shop."),
        ("where: {env: demo}", "where: {__name__: up}", "c.yaml:30: services.shop."),
        ("env:PROMETHEUS_TOKEN", "abcdef", "c.yaml:31: services.shop."),
        ("floor: 5", "floor: .inf", "c.yaml:38: services.shop."),
        ("floor: 5", "ceiling: 5", "c.yaml:38: services.shop."),
    ],
)
def test_a_mistake_in_a_source_is_named_with_its_line(old: str, new: str, line: str) -> None:
    found = mistakes(measured(old, new))
    assert any(mistake.startswith(line) for mistake in found), found


def test_the_example_of_the_demo_is_a_catalogue() -> None:
    catalogue = read_catalogue(EXAMPLE.read_text(encoding="utf-8"))
    assert catalogue.policy("demo", "shop").verification.min_window_s == 10


def test_a_services_own_policy_lies_on_top_of_its_environments() -> None:
    policy = read_catalogue(TEXT).policy("demo", "shop")
    assert policy.floor_fraction == 0.8
    assert policy.approval.on_expiry is OnExpiry.REJECT
    assert not policy.approval.required
    assert policy.approval.deadline_s == 60
    assert policy.timeouts == Policy().timeouts


def test_an_environment_says_nothing_and_gets_the_defaults() -> None:
    bare = read_catalogue("version: 1\nenvironments: {demo: {}}\nservices: {}\n")
    assert bare.environments["demo"].policy == Policy()
    assert bare.environments["demo"].security is SecurityLevel.LOCAL


@pytest.mark.parametrize(
    ("env", "service", "said"),
    [
        ("demo", "cart", "no service 'cart' in the catalogue; known: shop"),
        ("prod", "shop", "shop does not run in 'prod'; known: demo"),
        ("prod", "cart", "no service 'cart' in the catalogue; known: shop"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(env: str, service: str, said: str) -> None:
    catalogue = read_catalogue(TEXT)
    for asked in (catalogue.placement, catalogue.policy):
        with pytest.raises(PermanentError) as refusal:
            asked(env, service)
        assert refusal.value.what == said


def test_an_empty_catalogue_knows_none() -> None:
    empty = Catalogue(version=1, environments={}, services={})
    with pytest.raises(PermanentError, match="known: none"):
        empty.placement("demo", "shop")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (with_line("version: 1", "version: 2"), "c.yaml:1: version: "),
        (with_line("strategy: blue_green", "strategi: x"), "c.yaml:12: services.shop.strategi: "),
        (with_line("floor_fraction: 0.8", "floor_fraction: 80"), "c.yaml:5: environments.demo."),
        (with_line("floor_fraction: 0.8", "floor_fraction: .nan"), "c.yaml:5: environments.demo."),
        (with_line("deadline_s: 60", "deadline_s: 15m"), "c.yaml:8: environments.demo.policy."),
        (with_line("route: shop", "route: Shop"), "c.yaml:20: services.shop.environments.demo."),
        (with_line("kind: envoy", "kind: nginx"), "c.yaml:17: "),
        (with_line("- name: checkout", "- nam: checkout"), "c.yaml:22: services.shop."),
        (with_line("on_expiry: reject", "on_expiry: approve"), "c.yaml:26: services.shop."),
        (with_line("socket: /run/s.sock", "socket: run/s.sock"), "c.yaml:15: services.shop."),
        (with_line("program: shop}", "program: shop, ready_path: up}"), "c.yaml:15: services."),
        (with_line("http://127.0.0.1:9901", "127.0.0.1:9901"), "c.yaml:18: services.shop."),
        (with_line("http://127.0.0.1:9901", "http://u:p@h:9901"), "c.yaml:18: services.shop."),
        (with_line("http://127.0.0.1:8080/checkout", "/checkout"), "c.yaml:23: services.shop."),
        (
            with_line("8080/checkout", "8080/checkout\n            status: 20"),
            "c.yaml:24: services.",
        ),
        (with_line("8080/checkout", "8080/x\n            within_ms: 0"), "c.yaml:24: services."),
        (with_line("on_expiry: reject", "deadline: 5"), "c.yaml:26: services.shop.environments."),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, line: str) -> None:
    assert any(mistake.startswith(line) for mistake in mistakes(text)), mistakes(text)


def test_what_a_draft_leaves_open_is_filled_in_first() -> None:
    text = measured("latency: http_request_duration_seconds", "version_label: FILL_IN")
    text = text.replace("url: http://127.0.0.1:9090", "url: FILL_IN")
    where = "services.shop.environments.demo.metrics"
    assert mistakes(text) == [
        f"c.yaml:26: {where}.url: fill this in first",
        f"c.yaml:29: {where}.version_label: fill this in first",
    ]


def test_a_mistake_beside_what_is_to_fill_in_is_named_too() -> None:
    text = measured("errors: {kind: label, label: code, matches: 5..}", "errors: FILL_IN")
    found = mistakes(text.replace("owners: [shop-team]", "owners: [FILL_IN]\n    pair: 1"))
    assert [line.split(": ")[2].partition(";")[0] for line in found] == [
        "fill this in first",
        "fill this in first",
        "there is no such field",
    ]


def test_a_strategy_that_does_not_exist_is_a_mistake() -> None:
    assert mistakes(with_line("strategy: blue_green", "strategy: bluegreen")) == [
        "c.yaml:12: services.shop.strategy: no such strategy: bluegreen;"
        " known: blue_green, canary, generic, rolling_update"
    ]


def test_two_journeys_of_one_name_are_a_mistake() -> None:
    twice = with_line(
        "          - name: checkout",
        "          - {name: checkout, get: http://h/}\n          - name: checkout",
    )
    assert mistakes(twice) == [
        "c.yaml:21: services.shop.environments.demo.journeys: two journeys have one name: checkout"
    ]


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("confirmed_share: 0", "without any traffic it would count as shifted"),
        ("time_limit_s: 0", "no rollback could meet it"),
        ("plan_valid_s: 0", "no plan could be agreed to"),
        ("approval: {deadline_s: 0}", "nobody could answer in time"),
        ("verification: {min_window_s: 0, max_window_s: 0}", "nothing could be verified"),
        ("verification: {latency_factor: 1}", "a P95 as good as the baseline would not pass"),
        ("verification: {min_window_s: 601}", "no window could ever be long enough"),
    ],
)
def test_a_policy_that_nothing_could_meet_is_a_mistake(field: str, said: str) -> None:
    start = TEXT.index("      floor_fraction")
    end = TEXT.index("services:")
    (found,) = mistakes(f"{TEXT[:start]}      {field}\n{TEXT[end:]}")
    assert found.startswith("c.yaml:5: environments.demo.policy."), found
    assert found.endswith(said)
    (own,) = mistakes(with_line("approval:\n            on_expiry: reject", field))
    assert own.startswith("c.yaml:25: services.shop.environments.demo.policy."), own


@pytest.mark.parametrize("field", ["stale_after_s", "watched_s", "cannot_tell_s", "fresh_s"])
def test_decisions_that_could_never_be_made_are_a_mistake(field: str) -> None:
    (found,) = mistakes(
        with_line(
            "    policy:\n      floor", f"    decisions: {{{field}: 0}}\n    policy:\n      floor"
        )
    )
    assert found.startswith(f"c.yaml:4: environments.demo.decisions.{field}: must be more than 0")


def test_a_service_is_held_to_its_environments_windows() -> None:
    text = with_line("floor_fraction: 0.8", "verification: {max_window_s: 30, min_window_s: 5}")
    (found,) = mistakes(
        text.replace(
            "on_expiry: reject", "on_expiry: reject\n          verification: {min_window_s: 40}"
        )
    )
    assert "policy.verification.min_window_s: must be at most max_window_s, which is 30" in found
    assert found.startswith("c.yaml:27: services.shop")


def test_all_mistakes_are_named_at_once() -> None:
    twice = with_line("floor_fraction: 0.8", "floor_fraction: 80").replace("15", "x")
    assert len(mistakes(twice.replace("deadline_s: 60", "deadline_s: -1"))) == 2


def test_a_service_in_an_unknown_environment_is_a_mistake() -> None:
    text = TEXT.replace("      demo:\n        workloads", "      prod:\n        workloads")
    assert any("services.shop.environments.prod: no such" in line for line in mistakes(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "c.yaml:1: expected a mapping"),
        ("- a\n", "c.yaml:1: expected a mapping"),
        ("a: 1\na: 2\n", 'c.yaml:2: "a" stands twice; first at line 1'),
        (
            "a:\n  - b: 1\n    c:\n      d: 1\n    b: 2",
            'c.yaml:5: "b" stands twice; first at line 2',
        ),
        ("a: 1\n? a\n: 3\n", 'c.yaml:2: "a" stands twice; first at line 1'),
        ("a: &x\n  b: *x\n  c: 1\n  c: 2\n", 'c.yaml:4: "c" stands twice; first at line 3'),
        ("1: 1\n0x1: 2\n", "c.yaml:2: a key stands twice"),
        ("a: [\n", "c.yaml:2: "),
        ("a: 1\n---\nb: 2\n", "c.yaml:2: "),
        ("a: &x 1\nb: *x\n", "c.yaml:1: aliases, anchors and merge keys are not allowed"),
        ("a:\n  b: &x {c: 1}\n", "c.yaml:2: aliases, anchors and merge keys are not allowed"),
        ("a:\n  - &x [1]\n", "c.yaml:2: aliases, anchors and merge keys are not allowed"),
        ("a:\n  <<: {b: 1}\n", "c.yaml:2: aliases, anchors and merge keys are not allowed"),
        ("a: \x00", "c.yaml:1: this cannot be read as YAML: "),
        ("a: 2024-13-45", "c.yaml:1: this cannot be read as YAML: month"),
        ("a: !!int x", "c.yaml:1: this cannot be read as YAML: "),
        ("a: !!bool x", "c.yaml:1: this cannot be read as YAML: "),
        ("[" * 600, "c.yaml:1: this cannot be read as YAML: "),
    ],
)
def test_what_is_no_plain_yaml_is_refused(text: str, said: str) -> None:
    assert mistakes(text)[0].startswith(said)


def test_a_key_that_stands_twice_shows_no_value() -> None:
    text = measured("url: http://127.0.0.1:9090", "url: http://u:hunter2@p")
    first = text.splitlines().index("        metrics:") + 1
    line = text.count("\n", 0, text.index("        business:")) + 1
    twice = text.replace(
        "        business:", "        metrics: {token: hunter3}\n        business:"
    )
    assert mistakes(twice) == [f'c.yaml:{line}: "metrics" stands twice; first at line {first}']


@given(st.text(st.sampled_from("abv1: -[]{},&*!?|>'\"#%@`<~.\n\t\\\x00é0"), max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(CatalogueError):
        read_catalogue(text)


def test_a_program_that_looks_like_a_number_is_not_one() -> None:
    text = with_line("program: shop", "program: 1.10")
    assert any(mistake.startswith("c.yaml:15: ") for mistake in mistakes(text))


def test_nothing_at_all_is_null_and_not_a_word() -> None:
    assert any("policy" in line for line in mistakes("version: 1\nenvironments: {a: {policy: }}\n"))


def test_the_schema_accepts_what_the_reader_accepts() -> None:
    schema = json.loads(json_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    yaml = YAML(typ="safe", pure=True)
    for text in (TEXT, measured(), EXAMPLE.read_text(encoding="utf-8")):
        jsonschema.validate(yaml.load(text), schema)


@pytest.mark.parametrize(
    "text",
    [
        with_line("strategy: blue_green", "strategi: x"),
        with_line("floor_fraction: 0.8", "floor_fraction: 80"),
        with_line("on_expiry: reject", "on_expiry: approve"),
        with_line("route: shop", "route: Shop"),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(text: str) -> None:
    mistakes(text)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(YAML(typ="safe", pure=True).load(text), json.loads(json_schema()))
