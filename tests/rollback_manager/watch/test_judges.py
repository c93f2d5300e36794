"""Judges that were brought along, as the catalogue has them: each mistake where it stands."""

import pytest
from pydantic import TypeAdapter, ValidationError

from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.errors import CatalogueError
from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.watch.argo_judge import ArgoJudge
from rollback_manager.watch.judges import Judges, minutes_kept, named, trigger_of
from rollback_manager.watch.kayenta_judge import KayentaJudge
from rollback_manager.watch.signals import MOST_MINUTES, Role, Signal, Subject

ERRORS = {"name": "5xx", "signal": "error_ratio", "groups": ["errors"]}
SUCCESS = {"name": "success", "signal": "success_ratio", "success": "result >= 0.95"}
KAYENTA = {"kind": "kayenta", "name": "golden", "metrics": [ERRORS]}
ARGO = {"kind": "argo", "name": "success", "metrics": [SUCCESS]}
CATALOGUE = """\
version: 1
environments: {demo: {}}
services:
  shop:
    strategy: canary
    environments:
      demo:
        workloads: {kind: supervisord, socket: /run/s.sock, program: shop}
        traffic: {kind: envoy, admin: http://127.0.0.1:9901, routes: /run/r.json, route: shop}
        judges:
          - kind: argo
            name: success
            metrics:
              - name: success
                signal: success_ratio
                success: result >= 0.95
"""
METRICS = CATALOGUE[CATALOGUE.index("metrics:") :]


def kayenta(**changes: object) -> KayentaJudge:
    return KayentaJudge.model_validate({**KAYENTA, **changes}, extra="forbid")


def argo(**changes: object) -> ArgoJudge:
    return ArgoJudge.model_validate({**ARGO, "metrics": [{**SUCCESS, **changes}]}, extra="forbid")


def test_a_judge_advises_unless_it_is_told_to_alarm() -> None:
    placement = read_catalogue(CATALOGUE).placement("demo", "shop")
    assert [one.role for one in placement.judges] == [Role.ADVISES]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("kind: argo", "kind: flagger", "c.yaml:11: "),
        ("result >= 0.95", "result[0] > up", "c.yaml:16: "),
        ("success_ratio", "cpu", "c.yaml:15: "),
        ("signal: success_ratio", "signals: success_ratio", "c.yaml:15: "),
    ],
)
def test_a_mistake_in_a_judge_is_named_with_its_line(old: str, new: str, line: str) -> None:
    with pytest.raises(CatalogueError) as refusal:
        read_catalogue(CATALOGUE.replace(old, new), "c.yaml")
    assert any(one.startswith(line) for one in refusal.value.what.splitlines()), refusal.value.what


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("result >= 0.95", "result[0] > up", "cannot read the condition 'result[0] > up'"),
        (METRICS, "metrics: []", "needs at least one entry"),
    ],
)
def test_one_mistake_in_a_judge_is_one_line(old: str, new: str, said: str) -> None:
    with pytest.raises(CatalogueError) as refusal:
        read_catalogue(CATALOGUE.replace(old, new), "c.yaml")
    (line,) = refusal.value.what.splitlines()
    assert said in line


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": {"errors": 60}}, "sum to 100, these sum to 60"),
        ({"weights": {"errors": 60, "cpu": 40}}, "groups that no metric is in: cpu"),
        ({"pass_at": 70}, "marginal_at lies above pass_at"),
        ({"pass_at": float("nan")}, "finite"),
        ({"metrics": [ERRORS, ERRORS]}, "two metrics have one name: 5xx"),
        ({"metrics": [{**ERRORS, "groups": []}]}, "nothing to add up"),
        ({"metrics": [{**ERRORS, "effect": 0.9}]}, "worse means at least 1"),
        ({"metrics": [{**ERRORS, "measure": "cles", "effect": 0.4}]}, "worse means at least 0.5"),
        ({"metrics": [{**ERRORS, "signal": "requests_per_s"}]}, "Input should be"),
        ({"metrics": []}, "at least 1 item"),
        ({"minutes": 9}, "greater than or equal to 10"),
    ],
)
def test_what_kayentas_judge_cannot_score_is_refused(changes: object, said: str) -> None:
    assert isinstance(changes, dict)
    with pytest.raises(ValidationError, match=said):
        kayenta(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"success": None}, "nothing can fail"),
        ({"count": 3, "failures": 3}, "never fails"),
        ({"count": 10, "every_minutes": 60}, "541 minutes, and 360 are kept"),
        ({"success": "!" * 300}, "at most 200 characters"),
        ({"success": "result >= NaN"}, "cannot read the condition"),
        ({"success": "result >= 95"}, "best value there can be, 1, would fail it.*times: 100"),
        ({"success": "result >= 0"}, "worst value there can be, 0, would not fail it"),
        ({"success": None, "failure": "result < -1"}, "worst value there can be, 0, would not"),
        ({"signal": "error_ratio", "success": None, "failure": "result > 5"}, "worst value .*, 1,"),
        ({"success": "true"}, "worst value there can be"),
        ({"signal": "latency_p95_ms", "success": "result >= 0"}, "worst value there can be"),
        ({"times": 0}, "greater than 0"),
        ({"failures": -1}, "greater than or equal to 0"),
    ],
)
def test_what_can_never_fail_or_be_kept_is_refused(changes: object, said: str) -> None:
    assert isinstance(changes, dict)
    with pytest.raises(ValidationError, match=said):
        argo(**changes)


def test_a_condition_in_percent_is_taken_with_its_unit() -> None:
    assert argo(success="result >= 95", times=100).metrics[0].times == 100


def test_two_judges_of_one_kind_have_two_names() -> None:
    judges = TypeAdapter(Judges)
    assert len(judges.validate_python([KAYENTA, ARGO, {**ARGO, "name": "other"}])) == 3
    with pytest.raises(ValidationError, match="two judges of one kind have one name: argo success"):
        judges.validate_python([ARGO, KAYENTA, ARGO])


def test_as_many_minutes_are_kept_as_the_judges_look_back() -> None:
    assert minutes_kept(()) == 0
    assert minutes_kept((kayenta(minutes=30),)) == 30
    assert minutes_kept((argo(count=5, every_minutes=2, over_minutes=3),)) == 11
    assert minutes_kept((argo(), kayenta())) == MOST_MINUTES, "an analysis without end"


@pytest.mark.parametrize(
    ("subject", "trigger"),
    [
        (Subject.ERRORS, TriggerKind.CRITICAL_ERROR_RATE),
        (Subject.LATENCY, TriggerKind.LATENCY_DEGRADATION),
        (Subject.THROUGHPUT, None),
    ],
)
def test_a_finding_fires_the_trigger_of_its_subject(
    subject: Subject, trigger: TriggerKind | None
) -> None:
    assert trigger_of(named(argo(), subject)) is trigger
    assert trigger_of(named(kayenta(), subject)) is trigger
    assert all(one.subject in Subject for one in Signal)


@pytest.mark.parametrize("test", ["error_ratio", "latency_p95", "silence", "static_errors", ""])
def test_a_finding_of_our_own_tests_is_no_judges(test: str) -> None:
    assert trigger_of(test) is None
