"""Kayenta's configurations: what is taken over, what differs, what is left out, what is wrong."""

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.errors import Blocked, PermanentError
from rollback_manager.importing.kayenta import import_kayenta
from rollback_manager.importing.report import Fate, Imported, ImportRefused
from rollback_manager.watch.kayenta_judge import KayentaJudge
from rollback_manager.watch.signals import Role, Signal
from tests.imports import (
    ANYTHING,
    FAILED,
    SLOW,
    canary_config,
    change_somewhere,
    metric,
    pasted,
    text,
)


def imported(document: Any) -> Imported:
    return import_kayenta(text(document), "c.json")


def judge_in(done: Imported) -> KayentaJudge:
    """As it stands in the catalogue that the fragment was pasted into."""
    (judge,) = read_catalogue(pasted(done.fragment)).placement("demo", "shop").judges
    assert isinstance(judge, KayentaJudge)
    return judge


def said(done: Imported, fate: Fate) -> str:
    return "\n".join(f"{line.where}: {line.says}" for line in done.lines if line.fate is fate)


def why_refused(document: Any) -> str:
    with pytest.raises(ImportRefused) as refusal:
        import_kayenta(document if isinstance(document, str) else text(document), "c.json")
    assert refusal.value.effect == "Nothing was written; production is unchanged."
    assert refusal.value.next_step
    assert refusal.value.what.startswith("c.json: ")
    return f"{refusal.value.what} | {refusal.value.next_step}"


def test_what_is_pasted_is_the_judge_that_was_exported() -> None:
    judge = judge_in(imported(canary_config()))
    assert (judge.name, judge.role) == ("shop golden signals", Role.ADVISES)
    assert [(one.name, one.signal, one.groups) for one in judge.metrics] == [
        ("5xx", Signal.ERROR_RATIO, ("Errors",)),
        ("p99", Signal.LATENCY_P95_MS, ("Latency",)),
    ]
    assert judge.weights == {"Errors": 60, "Latency": 40}
    assert (judge.pass_at, judge.marginal_at, judge.minutes) == (90, 70, 60)


@pytest.mark.parametrize("wrapper", ["canaryConfig", "canary"])
def test_a_configuration_may_stand_in_a_request(wrapper: str) -> None:
    request = {
        "thresholds": {"pass": 80, "marginal": 50},
        "lifetimeDurationMins": 90,
        "beginAfterMins": 5,
    }
    judge = judge_in(imported({wrapper: canary_config(), "executionRequest": request}))
    assert (judge.pass_at, judge.marginal_at) == (80, 50)
    assert (judge.minutes, judge.after_minutes) == (90, 5)
    long = imported({wrapper: canary_config(), "executionRequest": {"lifetimeDurationMins": 1440}})
    assert judge_in(long).minutes == 360
    assert "1440 minutes; here 360" in said(long, Fate.APPROXIMATED)


def test_settings_of_a_metric_are_taken_over() -> None:
    settings: dict[str, Any] = {
        "critical": True,
        "mustHaveData": True,
        "effectSize": {"allowedIncrease": 1.1, "criticalIncrease": 3},
        "outliers": {"strategy": "remove", "outlierFactor": 2.5},
    }
    (errors,) = judge_in(imported(canary_config(metric("5xx", FAILED, **settings)))).metrics
    assert (errors.critical, errors.effect, errors.critical_effect) == (True, 1.1, 3)
    assert errors.outlier_factor == 2.5


def test_a_success_ratio_keeps_the_bound_on_its_bad_side() -> None:
    good = FAILED.replace("status=~", "status!~")
    effect = {"measure": "cles", "allowedDecrease": 0.4}
    kept = metric("ok", good, direction="decrease", effectSize=effect)
    (judged,) = judge_in(imported(canary_config(kept))).metrics
    assert (judged.signal, judged.measure, judged.effect) == ("success_ratio", "cles", 0.4)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"direction": "either"}, "direction either: here only worse counts (increase)"),
        ({"direction": "upwards"}, "direction 'upwards' is unknown, which means either"),
        ({"nanStrategy": "replace"}, "nanStrategy replace: no errors are counted as 0 here"),
        ({"effectSize": {"allowedIncrease": 0.9}}, "effect 0.9 forgives nothing"),
    ],
)
def test_what_differs_is_told(changes: dict[str, Any], where: str) -> None:
    done = imported(canary_config(metric("5xx", FAILED, **changes)))
    assert where in said(done, Fate.APPROXIMATED)
    assert judge_in(done).metrics[0].effect is None


@pytest.mark.parametrize(
    ("odd", "because"),
    [
        (metric("rps", "sum(rate(http_requests_total[1m]))"), "set by the split of the traffic"),
        (metric("cpu", "avg(container_cpu)"), "avg(…) is none of the functions"),
        (metric("fewer", FAILED, direction="decrease"), "getting better is no reason"),
        (metric("muted", FAILED, muted=True), "muted: shown there and never counted"),
        (
            {**metric("dd", FAILED), "query": {"type": "datadog", "metricName": "trace.errors"}},
            "datadog is not read here",
        ),
        (
            {**metric("raw", FAILED), "query": {"type": "prometheus", "metricName": "load1"}},
            "the average of load1 as it stands, not how fast a counter grows",
        ),
    ],
)
def test_what_has_no_counterpart_is_named_and_told_why(odd: dict[str, Any], because: str) -> None:
    done = imported(canary_config(metric("5xx", FAILED), odd))
    ignored = said(done, Fate.IGNORED)
    assert f'metrics[1] "{odd["name"]}": ' in ignored
    assert because in ignored
    assert because in done.fragment, "and beside what was imported, for the next reader"
    assert len(judge_in(done).metrics) == 1


def test_nothing_with_a_counterpart_is_no_success() -> None:
    with pytest.raises(Blocked) as refusal:
        imported(canary_config(metric("cpu", "container_cpu")))
    assert "nothing in it can be judged here" in refusal.value.what
    assert 'metrics[0] "cpu"' in refusal.value.what


def test_counts_of_both_versions_are_compared_per_request() -> None:
    count = 'sum(rate(http_errors_total{version="${scope}"}[1m]))'
    done = imported(canary_config(metric("errors", count)))
    assert judge_in(done).metrics[0].signal is Signal.ERROR_RATIO
    assert "differ with the split of the traffic alone" in said(done, Fate.APPROXIMATED)


def test_weights_of_lost_groups_are_shared_by_the_others() -> None:
    """With 40 points gone for good no release could ever pass."""
    lost = metric("cpu", "container_cpu", "System")
    classifier = {"groupWeights": {"Errors": 30, "Latency": 30, "System": 40}}
    kept = (metric("5xx", FAILED), metric("p99", SLOW, "Latency"), lost)
    done = imported(canary_config(*kept, classifier=classifier))
    assert judge_in(done).weights == {"Errors": 50, "Latency": 50}
    assert "without System 40" in said(done, Fate.APPROXIMATED)
    assert "pass 95, marginal 75 here" in said(done, Fate.APPROXIMATED)


@pytest.mark.parametrize(
    ("weights", "scaled"),
    [
        ({}, {"Errors": 50, "Latency": 50}),
        ({"Errors": 70}, {"Errors": 70, "Latency": 30}),
        ({"Errors": 0, "Latency": 0}, {}),
        ({"Errors": 1, "Latency": 2}, {"Errors": 33.33, "Latency": 66.67}),
    ],
)
def test_weights_always_sum_to_100(weights: dict[str, float], scaled: dict[str, float]) -> None:
    assert judge_in(imported(canary_config(classifier={"groupWeights": weights}))).weights == scaled


def test_what_the_queries_say_of_the_prometheus_is_a_comment_to_fill_in() -> None:
    """A source without its address would be no catalogue; a guessed one would blind the watch."""
    done = imported(canary_config())
    assert read_catalogue(pasted(done.fragment)).placement("demo", "shop").metrics is None
    assert "#   version_label: app_version" in done.fragment
    assert "metrics: a comment only: the file does not say url" in said(done, Fate.IGNORED)
    filled = done.fragment.replace("# metrics:", "metrics:").replace("#   kind: p", "  kind: p")
    lines = [
        line.replace("# ", "", 1) if "#   " in line and "Not imported" not in line else line
        for line in filled.replace("FILL_IN", "http://p.example.com").splitlines()
        if "The label of versions" not in line
    ]
    source = read_catalogue(pasted("\n".join(lines))).placement("demo", "shop").metrics
    assert source is not None
    assert (source.requests, source.service_label, source.service_value, source.version_label) == (
        "http_server_requests_seconds_count",
        "application",
        "shop",
        "app_version",
    )


def test_names_that_stand_twice_are_told_apart() -> None:
    judge = judge_in(imported(canary_config(metric("5xx", FAILED), metric("5xx", FAILED))))
    assert [one.name for one in judge.metrics] == ["5xx", "5xx (2)"]


def test_foreign_text_adds_no_line_of_its_own() -> None:
    evil = "x\n        policy: {floor_fraction: 0}\n\x1b[2J"
    odd = metric(evil, "up")
    done = imported(canary_config(metric(evil, FAILED), odd, name=evil))
    judge = judge_in(done)
    assert judge.name == judge.metrics[0].name == "x policy: {floor_fraction: 0}"
    assert read_catalogue(pasted(done.fragment)).placement("demo", "shop").policy == {}
    assert "\x1b" not in done.fragment


def broken(*path: str | int, value: Any) -> dict[str, Any]:
    """The configuration with something else at that path."""
    document = copy.deepcopy(canary_config())
    node: Any = document
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    return document


SETTINGS = ("metrics", 0, "analysisConfigurations", "canary")


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ("", "the file is empty"),
        ("{", "line 1, column 2: no JSON: "),
        ("kind: AnalysisTemplate", "import argo-analysis FILE"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "a list of 0, not one configuration | Export one: spin canary canary-config get"),
        ("7", "not an object"),
        ({}, "it has no metrics"),
        ({"apiVersion": "v1", "kind": "ConfigMap"}, "a Kubernetes resource (ConfigMap)"),
        ({"canaryConfig": {"canaryConfigId": "x"}}, "a pipeline, which only names"),
        (broken("metrics", value=[]), "metrics is no list with something in it"),
        (broken("metrics", 0, value="5xx"), "metrics[0] is no object"),
        (broken("metrics", 0, "query", value={}), "unknown provider ''; Kayenta has atlas, "),
        (broken("metrics", 0, "query", "type", value="zabbix"), "unknown provider 'zabbix'"),
        (broken("metrics", 0, "groups", value="Errors"), "groups is no list"),
        (broken(*SETTINGS, value=5), "analysisConfigurations is no object of objects"),
        (broken(*SETTINGS, "critical", value="maybe"), "neither true nor false: 'maybe'"),
        (broken(*SETTINGS, "effectSize", value={"allowedIncrease": "NaN"}), "finite number"),
        (broken(*SETTINGS, "effectSize", value={"allowedIncrease": "a lot"}), "'a lot'"),
        (broken(*SETTINGS, "outliers", value={"strategy": "remove", "outlierFactor": 0}),
         "outlier_factor: Input should be greater than 0"),
        (broken("classifier", "scoreThresholds", "pass", value="NaN"), "'NaN' is no number from 0"),
        (broken("classifier", "scoreThresholds", "pass", value=120), "120 is no number from 0"),
        (broken("classifier", "scoreThresholds", "pass", value=50), "marginal lies above pass"),
        (broken("classifier", "groupWeights", "Errors", value=-1), "-1 is no number from 0 to 100"),
        (broken("classifier", "groupWeights", "Errors", value=None), "None is no number from 0"),
        (
            {"canaryConfig": canary_config(), "executionRequest": {"lifetimeDurationMins": "1h"}},
            "executionRequest.lifetimeDurationMins: '1h' is no number of minutes",
        ),
        (broken("metrics", 0, "groups", value=[]) | {"metrics": [
            {**metric("5xx", FAILED), "groups": []}]}, "nothing to add up"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_meant_has_one_clear_error(document: Any, what: str) -> None:
    assert what in why_refused(document)


@settings(deadline=None, max_examples=60)  # a YAML parser in pure Python
@given(data=st.data(), value=ANYTHING)
def test_whatever_stands_in_the_file_is_imported_or_refused(
    data: st.DataObject, value: Any
) -> None:
    document = canary_config(metric("5xx", FAILED, effectSize={"allowedIncrease": 1.1}))
    change_somewhere(document, data, value)
    with suppress(ImportRefused, Blocked):
        assert judge_in(imported(document)).metrics


def test_what_is_not_known_is_named() -> None:
    odd = metric("5xx", FAILED, colour="red") | {"labels": {}}
    odd["analysisConfigurations"]["extendedProperties"] = {"staticBaseline": 3}
    config = canary_config(odd, judge={"name": "StaticBaselineJudge-v1.0"}, pinned=True)
    done = imported(config)
    assert "StaticBaselineJudge-v1.0: judged here as NetflixACAJudge" in said(
        done, Fate.APPROXIMATED
    )
    assert "pinned: no field" in said(done, Fate.IGNORED)
    assert "labels, colour, extendedProperties: not known here" in said(done, Fate.IGNORED)


def test_a_template_may_stand_apart_from_the_metric() -> None:
    apart = metric("5xx", FAILED)
    apart["query"] = {"type": "prometheus", "customFilterTemplate": "errors"}
    config = canary_config(apart, templates={"errors": f"PromQL:{FAILED}"})
    assert judge_in(imported(config)).metrics[0].signal is Signal.ERROR_RATIO


def test_a_critical_bound_of_latency_is_shown_for_all_services() -> None:
    slow = metric("p95", SLOW, critical=True, effectSize={"criticalIncrease": 1.5})
    assert "#       latency_factor: 1.5" in imported(canary_config(slow)).fragment


def test_labels_that_are_not_carried_over_are_named() -> None:
    query = FAILED.replace('application="shop"', 'application="shop",zone=~"eu.*",${filter}')
    done = imported(canary_config(metric("5xx", query)))
    assert 'zone=~"eu.*", ${filter} is not carried over' in said(done, Fate.APPROXIMATED)


def test_all_refusals_are_errors_that_nobody_retries() -> None:
    assert issubclass(ImportRefused, PermanentError)
