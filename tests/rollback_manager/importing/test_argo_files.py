"""Analyses of Argo Rollouts: what is taken over, what differs, what is left out, what is wrong."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from rollback_manager.catalogue import Placement
from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.errors import Blocked
from rollback_manager.importing.argo import import_argo
from rollback_manager.importing.argo_conditions import brought
from rollback_manager.importing.promql import Unread
from rollback_manager.importing.report import Fate, Imported, ImportRefused
from rollback_manager.watch.argo_judge import ArgoJudge, ArgoMetric
from rollback_manager.watch.signals import Signal
from tests.imports import ANALYSIS, ANYTHING, analysis, change_somewhere, pasted

WELL = "successCondition: result[0] < 0.05"
MANY = "successCondition: result > 5"
EACH_MINUTE = "interval: 1m"
WEB = {"url": "http://n.example.com/", "jsonPath": "{$.n}"}
ERRORS_OF = "sum(rate({0}_errors[1m])) / sum(rate({0}_total[1m]))"


OWN = ANALYSIS.replace("{{args.service-name}}", "shop")
"""The same with the service's name where a Rollout would fill it in."""


def placed(done: Imported) -> Placement:
    return read_catalogue(pasted(done.fragment)).placement("demo", "shop")


def metric_of(text: str) -> ArgoMetric:
    (judge,) = placed(import_argo(text, "a.yaml")).judges
    assert isinstance(judge, ArgoJudge)
    (metric,) = judge.metrics
    return metric


def said(done: Imported, fate: Fate) -> str:
    return "\n".join(f"{line.where}: {line.says}" for line in done.lines if line.fate is fate)


def web(url: str = "http://n.example.com/", path: str = "{$.n}", more: str = "") -> str:
    return f'web: {{url: "{url}", jsonPath: "{path}"{more}}}'


def test_many_documents_become_judges_business_numbers_and_their_prometheus() -> None:
    placement = placed(import_argo(OWN, "a.yaml"))
    (judge,) = placement.judges
    assert isinstance(judge, ArgoJudge)
    success, slow = judge.metrics
    assert (success.signal, success.success, success.failures) == (
        Signal.SUCCESS_RATIO,
        "result >= 0.98",
        3,
    )
    assert (success.every_minutes, success.over_minutes, success.after_minutes) == (2, 2, 2)
    assert (slow.signal, slow.times, slow.failure) == (
        Signal.LATENCY_P95_MS,
        0.001,
        "result > 0.8",
    )
    assert (slow.every_minutes, slow.count, slow.failures) == (1, 10, 2)
    (orders,) = placement.business
    assert (orders.pointer, orders.floor, orders.better) == (
        "/orders/0/per~1minute",
        12.5,
        "higher",
    )
    assert (orders.token, orders.within_ms) == ("env:API_TOKEN", 5000)
    source = placement.metrics
    assert source is not None
    assert (source.requests, source.service_label, source.service_value) == (
        "http_requests_total",
        "service",
        "shop",
    )
    assert source.version_label == "version"


def test_every_line_says_what_became_of_it() -> None:
    done = import_argo(ANALYSIS, "a.yaml")
    taken, differs = said(done, Fate.TAKEN), said(done, Fate.APPROXIMATED)
    assert "line 20: golden-signals/success-rate: share of good requests" in taken
    assert "P99 there; here the P95, which is never above it" in differs
    assert "ends after 10 there; here the newest 10 are judged" in differs
    assert "no data never passes or fails" in differs
    ignored = said(done, Fate.IGNORED)
    assert "line 2: Rollout: only analyses are imported" in ignored
    assert "headers: name a token by reference" in ignored
    assert "business/smoke: a program of theirs; the nearest thing here are `journeys`" in ignored


def test_a_limit_below_our_own_is_shown_and_not_set_for_all_services() -> None:
    done = import_argo(ANALYSIS, "a.yaml")
    assert "#       error_ratio: 0.02" in done.fragment
    assert (
        "error_ratio: 0.3"
        not in import_argo(
            analysis("failureCondition: result[0] > 0.3", EACH_MINUTE), "a.yaml"
        ).fragment
    )


def test_a_metric_without_interval_is_measured_each_minute() -> None:
    done = import_argo(analysis(WELL), "a.yaml")
    assert metric_of(analysis(WELL)).count == 1
    assert "measured once there; here each minute" in said(done, Fate.APPROXIMATED)


def test_what_takes_too_long_is_measured_more_often() -> None:
    text = analysis(WELL, "interval: 1h", "count: 24", "failureLimit: 3")
    metric = metric_of(text)
    assert (metric.count, metric.every_minutes) == (24, 15)
    assert "60 min: 24 measurements take longer" in said(import_argo(text, "a"), Fate.APPROXIMATED)


def test_limits_may_be_written_as_text_or_as_an_argument() -> None:
    lines = (WELL, "interval: 90s", 'count: "6"', 'failureLimit: "{{args.most}}"')
    text = analysis(*lines, "consecutiveErrorLimit: 9", "inconclusiveLimit: 1").replace(
        "spec:\n", "spec:\n  args: [{name: most, value: 2}]\n"
    )
    metric = metric_of(text)
    assert (metric.count, metric.failures, metric.errors_in_a_row) == (6, 2, 9)
    assert (metric.inconclusive, metric.every_minutes) == (1, 2)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("result[0] >= 0.95", "result >= 0.95"),
        ("(result[0] >= 0.95)", "result >= 0.95"),
        ("len(result) == 0 || result[0] >= 0.95", "result >= 0.95"),
        ("len(result) > 0 && result[0] >= 0.95", "result >= 0.95"),
        ("isNaN(result[0]) || result[0] >= 0.95", "result >= 0.95"),
        ("result[0] >= 0.95 || isNaN(result[0])", "result >= 0.95"),
        ("all(result, # < 1000)", "result < 1000"),
        ("all(result, {# < 1000})", "result < 1000"),
        ("default(result[0], 0) < 5", "result < 5"),
        ("asFloat(result) >= 0.9", "asFloat(result) >= 0.9"),
        ("result[0] > 1 && (result[0] < 5)", "result > 1 && result < 5"),
    ],
)
def test_a_condition_is_brought_to_one_number(text: str, made: str) -> None:
    assert brought(text).text == made


@pytest.mark.parametrize(
    "text",
    [
        "result.ok",
        "result[1] > 5",
        "any(result, # > 1)",
        "len(result) == 0",
        "result > up",
        "(" * 99,
    ],
)
def test_a_condition_of_something_else_is_said_to_be_so(text: str) -> None:
    with pytest.raises(Unread, match="not one of a single number"):
        brought(text)


P50 = "histogram_quantile(0.5, sum(rate(a_seconds_bucket[1m])) by (le))"
UNITLESS = "histogram_quantile(0.95, sum(rate(a_bucket[1m])) by (le))"


@pytest.mark.parametrize(
    ("text", "because"),
    [
        (analysis(EACH_MINUTE), "no condition: every value passes"),
        (analysis(WELL, EACH_MINUTE, "failureLimit: -1"), "no number of failures fails it"),
        (analysis(WELL, EACH_MINUTE, "count: 3", "failureLimit: 3"), "it can never fail"),
        (analysis(WELL, EACH_MINUTE, "failureLimit: 400"), "needs more than 360"),
        (analysis("successCondition: result[0] > 0.5"), "the best value there can be, 0, would"),
        (analysis("failureCondition: result[0] > 5"), "the worst value there can be, 1, would not"),
        (analysis("successCondition: result.ok"), "not one of a single number"),
        (analysis(WELL, query="up"), "a series as it stands"),
        (analysis(WELL, query=P50), "a limit of the P50 latency of a_seconds: the P95 is above"),
        (analysis(WELL, query=UNITLESS), "does not say whether it is seconds"),
        (analysis(WELL, provider="job: {spec: {}}"), "`journeys`"),
        (analysis(WELL, provider="datadog: {query: x}"), "datadog is not read here"),
        (analysis(WELL, provider="kayenta: {}"), "catalogue import kayenta FILE"),
        (analysis("successCondition: result == true", provider=web()), "not one of a single"),
        (analysis("successCondition: result == 5", provider=web()), "is no limit of a number"),
        (analysis(MANY, provider=web(path="{$.a[*]}")), "the path"),
        (analysis(MANY, provider=web(url="{{args.u}}")), "without a value"),
        (analysis(MANY, provider=web(more=", method: POST")), "only GET"),
        (analysis(MANY, provider=web(url="http://a:b@c/")), "credentials"),
        (analysis(WELL, EACH_MINUTE) + "  dryRun: [{metricName: .*}]\n", "a dry run"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_named_and_told_why(text: str, because: str) -> None:
    with pytest.raises(Blocked) as refusal:
        import_argo(text, "a.yaml")
    assert "nothing in it can be judged here" in refusal.value.what
    assert "t/m: " in refusal.value.what
    assert because in refusal.value.what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the file is empty"),
        ("---\n---\n", "the file is empty"),
        ("a: [", "line 1: no YAML: "),
        ("a: 1\na: 2\n", "no YAML: "),
        ("spec: {{ .Values.analysis }}\nx: [", "helm template CHART"),
        ("kind: Rollout\n", "no AnalysisTemplate or ClusterAnalysisTemplate in it, only Rollout"),
        ('{"metrics": []}', "catalogue import kayenta FILE"),
        ("- 1\n", "only text"),
        ("kind: AnalysisTemplate\n", "AnalysisTemplate has no spec"),
        ("kind: AnalysisTemplate\nspec: {}\n", "has no metrics"),
        ("kind: AnalysisTemplate\nspec: {metrics: [1]}\n", "metrics[0] is no mapping"),
        ("kind: AnalysisTemplate\nspec: {metrics: [{name: a}]}\n", "one provider is wanted, not 0"),
        (analysis(WELL, provider="zabbix: {}"), "unknown provider 'zabbix'; Argo Rollouts has app"),
        (analysis(WELL, "interval: 5 minutes"), "interval: '5 minutes' is no duration such as 30s"),
        (analysis(WELL, "count: 5"), "count needs an interval"),
        (analysis(WELL, EACH_MINUTE, "count: .nan"), "count: nan is no count"),
        (analysis(WELL, EACH_MINUTE, "failureLimit: few"), "failureLimit: 'few' is no count"),
        (analysis(WELL, EACH_MINUTE, "inconclusiveLimit: -1"), "inconclusiveLimit: -1 is no count"),
        (analysis(WELL, EACH_MINUTE) + "  dryRun: [{metricName: '['}]\n", "is no pattern"),
        ("kind: AnalysisTemplate\nspec: *a\n", "no YAML: "),
        (analysis(f"successCondition: result[0] < 0.{'0' * 200}1"), "at most 200 characters"),
        ("a: \x00", "it cannot be read as YAML"),
        (
            analysis(MANY, provider=web(more=", timeoutSeconds: soon")),
            "timeoutSeconds is no number",
        ),
    ],
)
def test_a_file_that_cannot_be_meant_has_one_clear_error(text: str, what: str) -> None:
    with pytest.raises(ImportRefused) as refusal:
        import_argo(text, "a.yaml")
    assert refusal.value.what.startswith("a.yaml: ")
    assert what in f"{refusal.value.what} | {refusal.value.next_step}"


def test_the_items_of_a_list_are_read_one_by_one() -> None:
    item = "\n".join(f"    {line}" for line in analysis(WELL, EACH_MINUTE).splitlines())
    text = f"kind: List\nitems:\n  -\n{item}\n  -\n{item}\n"
    judges = placed(import_argo(text, "a.yaml")).judges
    assert [one.name for one in judges] == ["t", "t (2)"]


def test_credentials_and_values_of_arguments_are_never_repeated() -> None:
    text = analysis(WELL, EACH_MINUTE).replace("p.example.com", "me:s3cr3t@p.example.com")
    text = text.replace("spec:\n", "spec:\n  args: [{name: token, value: s3cr3t}]\n")
    done = import_argo(text, "a.yaml")
    told = done.model_dump_json()
    assert "s3cr3t" not in told
    assert "its address carries credentials" in said(done, Fate.IGNORED)


@pytest.mark.parametrize("said", ["[]", "{}", "1.5", "true", "many"])
def test_a_count_that_is_none_is_refused(said: str) -> None:
    with pytest.raises(ImportRefused, match="is no count"):
        import_argo(analysis(WELL, EACH_MINUTE, f"count: {said}"), "a.yaml")


def test_a_key_that_stands_twice_shows_no_value() -> None:
    text = analysis(WELL, "url: http://u:s3cr3t@p", "url: 1")
    with pytest.raises(ImportRefused) as refusal:
        import_argo(text, "a.yaml")
    assert refusal.value.what == 'a.yaml: line 9: no YAML: "url" stands twice; first at line 8'


def test_a_source_that_counts_no_version_is_a_comment_only() -> None:
    """Pasted live it would blind the watch where the proxy's own counters do well."""
    bare = OWN.replace(', version="{{args.version}}"', "")
    assert placed(import_argo(bare, "a.yaml")).metrics is not None, "the other query says it"
    done = import_argo(bare.replace(',version="{{args.version}}"', ""), "a.yaml")
    assert placed(done).metrics is None
    assert "the file does not say version_label" in said(done, Fate.IGNORED)


def test_a_source_whose_service_a_rollout_fills_in_is_a_comment_only() -> None:
    """The name in our catalogue need not be what their label says, and then nothing is counted."""
    done = import_argo(ANALYSIS, "a.yaml")
    assert placed(done).metrics is None
    assert "#   service_value: FILL_IN" in done.fragment
    assert "the file does not say service_value;" in said(done, Fate.IGNORED)


@pytest.mark.parametrize("text", [ANALYSIS, OWN])
def test_a_source_says_which_versions_its_label_has(text: str) -> None:
    """Taken over or a comment: a label with other words than ours would count no version."""
    fragment = import_argo(text, "a.yaml").fragment
    assert "The label of versions has the version as `releases record` names it." in fragment


def test_labels_with_one_value_say_which_series_are_meant() -> None:
    only = OWN.replace('version="{{args.version}}"', 'version="{{args.version}}",env="prod"')
    done = import_argo(only, "a.yaml")
    source = placed(done).metrics
    assert source is not None
    assert source.where == {"env": "prod"}


def test_a_hash_of_pods_is_no_version() -> None:
    text = OWN.replace("version=", "rollouts_pod_template_hash=")
    assert placed(import_argo(text, "a.yaml")).metrics is None


def test_nothing_of_a_query_reaches_the_catalogue_but_names_of_its_grammar() -> None:
    evil = 'sum(rate(a_errors_total{app="x\\"} or up"}[1m])) / sum(rate(a_total{app="y"}[1m]))'
    done = import_argo(analysis(WELL, EACH_MINUTE, query=evil), "a.yaml")
    assert placed(done).metrics is None
    assert placed(done).judges


@pytest.mark.parametrize("kind", ["AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun"])
def test_all_kinds_of_an_analysis_are_read(kind: str) -> None:
    text = analysis(WELL, EACH_MINUTE).replace("AnalysisTemplate", kind)
    assert placed(import_argo(text, "a.yaml")).judges


@settings(deadline=None, max_examples=60)  # a YAML parser in pure Python
@given(data=st.data(), value=ANYTHING)
def test_whatever_stands_in_the_file_is_imported_or_refused(
    data: st.DataObject, value: Any
) -> None:
    document = YAML(typ="safe").load(analysis(WELL, EACH_MINUTE, "count: 5"))
    document["spec"]["metrics"] += [
        {"name": "n", "successCondition": "result > 5", "provider": {"web": dict(WEB)}}
    ]
    change_somewhere(document, data, value)
    with suppress(ImportRefused, Blocked):
        placement = placed(import_argo(json.dumps(document), "a.yaml"))
        assert placement.judges or placement.business


def test_what_is_not_known_or_stands_elsewhere_is_named() -> None:
    text = analysis(WELL, EACH_MINUTE, "colour: red", "initialDelay: 9h")
    spec = "spec:\n  colour: red\n  templates: [{templateName: b}]\n  measurementRetention: [{}]\n"
    text = text.replace("spec:\n", spec + "  args: [name, {value: 1}]\n")
    done = import_argo(text, "a.yaml")
    ignored = said(done, Fate.IGNORED)
    for words in ("t/colour: not known", "t/templates: import each", "t/m: colour: not known"):
        assert words in ignored
    assert "after_minutes 540; here 360" in said(done, Fate.APPROXIMATED)
    only = import_argo(f"{analysis(WELL)}---\n{analysis(WELL).split('  metrics')[0]}"
                       "  templates: [{templateName: t}]\n", "a.yaml")  # fmt: skip
    assert only.judges == 1


def test_signals_that_are_no_ratio_are_judged_as_they_are() -> None:
    count = "sum(increase(http_errors_total[5m]))"
    done = import_argo(analysis("failureCondition: result[0] >= 10", query=count), "a.yaml")
    assert "failed requests per second of http_errors_total" in said(done, Fate.TAKEN)
    metric = metric_of(analysis("failureCondition: result[0] >= 10", query=count))
    assert (metric.signal, metric.times, metric.over_minutes) == (Signal.ERRORS_PER_S, 300, 5)
    rate = "sum(rate(http_requests_total[1m]))"
    done = import_argo(analysis("failureCondition: result[0] < 1", query=rate), "a.yaml")
    assert "it advises only, whatever its role" in said(done, Fate.APPROXIMATED)


def test_points_of_a_range_query_are_taken_together() -> None:
    provider = (
        "prometheus: {address: http://p, rangeQuery: {step: 1m}, query: 'sum(rate(a_errors[1m]))'}"
    )
    text = analysis('successCondition: "all(result, # < 5)"', provider=provider)
    differs = said(import_argo(text, "a.yaml"), Fate.APPROXIMATED)
    assert "rangeQuery: here the newest minutes" in differs
    assert "all points of an answer are judged there" in differs


@pytest.mark.parametrize(
    ("picks", "told"),
    [
        ('code=~"[45].."', "failed there: code 4..|5..; at the proxy 5xx"),
        ('code!="200"', "failed there: code not written as a pattern of failed answers"),
        ('status!="success"', "failed there: status not written as a pattern of failed answers"),
    ],
)
def test_what_counts_as_failed_there_is_told(picks: str, told: str) -> None:
    query = f"sum(rate(a_total{{{picks}}}[1m]) or vector(0)) / sum(rate(a_total[1m]))"
    differs = said(import_argo(analysis(WELL, query=query), "a.yaml"), Fate.APPROXIMATED)
    assert told in differs


def test_a_business_number_may_be_good_when_it_is_low() -> None:
    text = analysis(
        "failureCondition: result >= 30",
        "interval: 1m",
        provider=web(more=', headers: [{key: X-Team, value: shop}], timeoutSeconds: "2"'),
    )
    done = import_argo(text, "a.yaml")
    (number,) = placed(done).business
    assert (number.better, number.floor, number.token, number.within_ms) == (
        "lower",
        30,
        None,
        2000,
    )
    assert "the headers X-Team are not sent" in said(done, Fate.IGNORED)
    assert "30 itself is bad there" in said(done, Fate.APPROXIMATED)
    assert "judges:" not in done.fragment
    both = text.replace("failureC", "successCondition: result < 20\n      failureC")
    assert "failureCondition is not carried over" in said(
        import_argo(both, "a.yaml"), Fate.APPROXIMATED
    )


def test_two_metrics_that_are_counted_differently_are_told() -> None:
    other = analysis(WELL, query=ERRORS_OF.format("grpc")).replace("name: t", "name: u")
    done = import_argo(f"{analysis(WELL, query=ERRORS_OF.format('http'))}---\n{other}", "a.yaml")
    assert "http_total and grpc_total are both counted" in said(done, Fate.IGNORED)
