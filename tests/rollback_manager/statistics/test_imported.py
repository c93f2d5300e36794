"""Judges that were brought along, on minutes: bad is seen, no data is never a pass or a failure."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rollback_manager.incidents.alarms import Sighting
from rollback_manager.incidents.triggers import TriggerKind, fired
from rollback_manager.metrics.reading import NoReading, Reading
from rollback_manager.policy import TriggerLimits
from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.statistics.imported.argo import measurements
from rollback_manager.statistics.imported.findings import Judging, in_words, judged
from rollback_manager.statistics.imported.signals import measured, value
from rollback_manager.watch.argo_judge import ArgoJudge, ArgoMetric
from rollback_manager.watch.detected import evidence
from rollback_manager.watch.judges import trigger_of
from rollback_manager.watch.kayenta_judge import KayentaJudge
from rollback_manager.watch.signals import Signal

NOW = datetime(2026, 12, 1, tzinfo=UTC)
NOTHING = NoReading(version="v2", because="stale")
Minute = Reading | NoReading


def minute(errors: int = 10, requests: int = 1000, p95: float | None = 100.0) -> Reading:
    return Reading(
        version="v2",
        requests=requests,
        errors=errors,
        latency_p95_ms=p95,
        window_s=60,
        taken_at=NOW,
    )


def noisy(count: int, errors: int = 10, p95: float = 100.0) -> list[Minute]:
    """Minutes that scatter around, as real ones do."""
    return [minute(errors + n * 7 % 5 - 2, p95=p95 + n * 11 % 9) for n in range(count)]


def kayenta(**changes: Any) -> KayentaJudge:
    errors = {"name": "5xx", "signal": "error_ratio", "groups": ["errors"]}
    latency = {"name": "slow", "signal": "latency_p95_ms", "groups": ["latency"]}
    written = {"kind": "kayenta", "name": "golden", "metrics": [errors, latency], **changes}
    return KayentaJudge.model_validate(written, extra="forbid")


def argo(**changes: Any) -> ArgoJudge:
    metric = {"name": "success", "signal": "success_ratio", "success": "result >= 0.95", **changes}
    return ArgoJudge.model_validate({"kind": "argo", "name": "a", "metrics": [metric]})


def says(judge: KayentaJudge | ArgoJudge, new: list[Minute], old: list[Minute]) -> list[Finding]:
    return [*judged([judge], new, old, len(new)).advising]


def answers(judge: KayentaJudge | ArgoJudge, new: list[Minute], old: list[Minute]) -> list[str]:
    return [one.answer.name for one in says(judge, new, old)]


def test_kayenta_finds_what_got_worse_and_blames_that_alone() -> None:
    old = noisy(30)
    assert answers(kayenta(), noisy(30), old) == ["FINE_SO_FAR", "FINE_SO_FAR"]
    assert answers(kayenta(), noisy(30, errors=60), old) == ["REGRESSED", "CANNOT_TELL"]
    assert answers(kayenta(), noisy(30, p95=300), old) == ["CANNOT_TELL", "REGRESSED"]
    assert answers(kayenta(), noisy(30, errors=3, p95=50), old) == ["FINE_SO_FAR", "FINE_SO_FAR"]


def test_kayentas_finding_says_how_much_and_against_what() -> None:
    errors, _ = says(kayenta(), noisy(30, errors=60), noisy(30))
    assert errors.test == "kayenta_errors golden"
    assert errors.effect == pytest.approx(0.05)
    assert errors.usual == pytest.approx(0.01)
    assert (errors.evidence_nats, errors.threshold_nats) == (50, 25)
    assert errors.because.startswith("score 50, pass from 95, failure below 75; 5xx High, 6 times")


def test_a_success_ratio_is_worse_when_it_falls() -> None:
    metric = {"name": "ok", "signal": "success_ratio", "groups": ["g"], "effect": 0.98}
    judge = kayenta(metrics=[metric])
    assert answers(judge, noisy(30, errors=60), noisy(30)) == ["REGRESSED"]
    assert answers(judge, noisy(30, errors=20), noisy(30)) == ["FINE_SO_FAR"], "1 % is forgiven"


def test_a_critical_metric_fails_alone_whatever_its_weight() -> None:
    metrics = [
        {"name": "5xx", "signal": "error_ratio", "groups": ["a"]},
        {"name": "slow", "signal": "latency_p95_ms", "groups": ["b"]},
    ]
    light = kayenta(metrics=metrics, weights={"a": 10, "b": 90})
    assert answers(light, noisy(30, errors=60), noisy(30)) == ["CANNOT_TELL", "CANNOT_TELL"]
    metrics[0]["critical"] = True  # type: ignore[assignment]
    grave = kayenta(metrics=metrics, weights={"a": 10, "b": 90})
    assert answers(grave, noisy(30, errors=60), noisy(30)) == ["REGRESSED", "CANNOT_TELL"]


@pytest.mark.parametrize("critical", [False, True])
def test_no_data_is_neither_a_pass_nor_a_failure_for_kayenta(critical: bool) -> None:
    judge = kayenta(
        metrics=[
            {"name": "5xx", "signal": "error_ratio", "groups": ["e"], "critical": critical},
            {"name": "slow", "signal": "latency_p95_ms", "groups": ["l"]},
        ]
    )
    blind: list[Minute] = [NOTHING] * 30
    for new, old in (
        (blind, noisy(30)),
        (noisy(30), blind),
        (noisy(9), noisy(9)),
        (noisy(30), []),
        ([minute(0, 0, None)] * 30, noisy(30)),
    ):
        assert set(answers(judge, [*new], [*old])) == {"CANNOT_TELL"}


def test_a_metric_without_data_leaves_no_pass_and_hides_no_failure() -> None:
    """Three metrics, one of them blind: less than half, so Kayenta itself would say pass."""
    metrics = [
        {"name": "5xx", "signal": "error_ratio", "groups": ["e"]},
        {"name": "ok", "signal": "success_ratio", "groups": ["e"]},
        {"name": "slow", "signal": "latency_p95_ms", "groups": ["l"]},
    ]
    untimed = [minute(10 + n % 3, p95=None) for n in range(30)]
    bad = [minute(60 + n % 3, p95=None) for n in range(30)]
    judge = kayenta(metrics=metrics)
    assert answers(judge, [*untimed], noisy(30)) == ["CANNOT_TELL", "CANNOT_TELL"]
    assert answers(judge, [*bad], noisy(30)) == ["REGRESSED", "CANNOT_TELL"]
    assert answers(kayenta(), [*bad], noisy(30)) == ["REGRESSED", "CANNOT_TELL"], "one of two"
    assert answers(kayenta(), [*untimed], noisy(30)) == ["CANNOT_TELL", "CANNOT_TELL"]
    light = kayenta(weights={"errors": 10, "latency": 90})
    assert answers(light, [*bad], noisy(30)) == ["CANNOT_TELL", "CANNOT_TELL"], "nor adds to one"


def test_kayenta_looks_at_the_newest_minutes_after_the_delay() -> None:
    warm = [*noisy(28, errors=200), *noisy(12)]
    old = noisy(40)
    assert answers(kayenta(minutes=40), warm, old)[0] == "REGRESSED"
    assert answers(kayenta(minutes=12), warm, old)[0] == "FINE_SO_FAR"
    assert answers(kayenta(minutes=40, after_minutes=28), warm, old)[0] == "FINE_SO_FAR"
    assert answers(kayenta(after_minutes=36), warm, old)[0] == "CANNOT_TELL", "4 minutes are few"


def test_more_failures_than_argo_tolerates_are_a_regression_since_the_first() -> None:
    minutes: list[Minute] = [minute(1)] * 6
    assert answers(argo(failures=1), minutes, []) == ["FINE_SO_FAR"]
    assert answers(argo(failures=1), [*minutes, minute(90)], []) == ["FINE_SO_FAR"]
    (finding,) = says(argo(failures=1), [*minutes, minute(90), minute(1), minute(90)], [])
    assert (finding.answer, finding.lasted_s) == (Answer.REGRESSED, 180)
    assert finding.because == (
        "success: 2 of 9 measurements failed (well: result >= 0.95), 1 may; newest 0.91"
    )
    assert (finding.evidence_nats, finding.threshold_nats) == (2, 2)


def test_only_the_newest_measurements_of_a_count_are_judged() -> None:
    late: list[Minute] = [*[minute(1)] * 20, minute(90)]
    assert answers(argo(count=5), late, []) == ["REGRESSED"], "Argo would have ended at the fifth"
    assert answers(argo(count=5), [minute(90), *[minute(1)] * 5], []) == ["FINE_SO_FAR"]


@pytest.mark.parametrize("condition", ["result >= 0.95", "default(result, 0) >= 0.95"])
def test_no_data_is_neither_a_pass_nor_a_failure_for_argo(condition: str) -> None:
    judge = argo(success=condition)
    few = minute(19, 19)
    for new in ([], [NOTHING] * 9, [few] * 9, [*[minute(1)] * 5, NOTHING]):
        assert answers(judge, [*new], []) == ["CANNOT_TELL"]
    assert answers(judge, [minute(90), *[NOTHING] * 9], []) == ["REGRESSED"], "an outage after it"


def test_what_is_inconclusive_is_not_told() -> None:
    judge = argo(success="result >= 0.95", failure="result < 0.5")
    assert answers(judge, [minute(1), minute(100)], []) == ["CANNOT_TELL"]
    assert answers(judge, [minute(1), minute(600)], []) == ["REGRESSED"]


def test_a_row_of_successes_that_is_asked_for_must_be_seen() -> None:
    judge = argo(successes_in_a_row=3, failures=9)
    assert answers(judge, [minute(1)] * 2, []) == ["CANNOT_TELL"]
    assert answers(judge, [minute(1)] * 3, []) == ["FINE_SO_FAR"]
    assert answers(judge, [*[minute(1)] * 3, minute(90)], []) == ["CANNOT_TELL"]


def test_measurements_come_at_their_interval_after_the_delay_over_their_window() -> None:
    metric = ArgoMetric.model_validate(
        {
            "name": "e",
            "signal": "errors_per_s",
            "failure": "result > 100",
            "every_minutes": 3,
            "over_minutes": 2,
            "after_minutes": 4,
        }
    )
    minutes = [minute(60 * n) for n in range(1, 13)]
    taken = measurements(metric, minutes, 12)
    assert [(one.ended, one.value) for one in taken] == [(6, 5.5), (3, 8.5), (0, 11.5)]
    later = measurements(metric, minutes[3:], 12)  # the oldest are kept no more
    assert [one.ended for one in later] == [6, 3, 0]


def test_a_condition_in_seconds_is_met_by_times() -> None:
    slow = {"name": "p95", "signal": "latency_p95_ms", "success": "result <= 0.5", "times": 0.001}
    assert answers(argo(**slow), [minute(p95=400)], []) == ["FINE_SO_FAR"]
    (finding,) = says(argo(**slow), [minute(p95=600)], [])
    assert finding.answer is Answer.REGRESSED
    assert trigger_of(finding.test) is TriggerKind.LATENCY_DEGRADATION


@pytest.mark.parametrize(
    ("signal", "number"),
    [
        (Signal.ERROR_RATIO, 0.03),
        (Signal.SUCCESS_RATIO, 0.97),
        (Signal.ERRORS_PER_S, 0.5),
        (Signal.REQUESTS_PER_S, 1000 / 60),
        (Signal.LATENCY_P95_MS, 140.0),
    ],
)
def test_a_signal_is_read_from_one_minute_and_from_several(signal: Signal, number: float) -> None:
    assert value(minute(30, p95=140), signal) == pytest.approx(number)
    assert value(NOTHING, signal) is None
    both: list[Minute] = [minute(20, p95=100), minute(40, p95=180), NOTHING]
    assert measured(both, signal) == pytest.approx(number)
    assert measured([NOTHING], signal) is None


def test_a_judge_that_alarms_is_told_apart_from_one_that_advises() -> None:
    bad, loud = [minute(90)], argo()
    loud = loud.model_copy(update={"role": "alarms"})
    heard = judged([loud, kayenta()], bad, [], 1)
    assert [one.test for one in heard.alarming] == ["argo_errors a"]
    assert [one.test for one in heard.advising] == [
        "kayenta_errors golden",
        "kayenta_latency golden",
    ]
    assert in_words(heard.alarming).startswith("argo_errors a says regressed: success: 1 of 1")
    assert in_words(heard.advising) == "2 imported findings: cannot tell"


def test_while_a_release_is_watched_its_minutes_are_kept_and_no_more() -> None:
    judging = Judging([argo(count=3), kayenta(minutes=12)])
    assert judging.heard() == ((), ())
    for age in range(1, 13):
        judging.take(minute(90 if age == 1 else 1), minute(1))
    assert {one.answer for one in judging.heard().advising} <= {
        Answer.FINE_SO_FAR,
        Answer.CANNOT_TELL,
    }
    judging.take(minute(90), None)
    assert judging.heard().advising[0].answer is Answer.REGRESSED


def test_trouble_of_the_old_version_too_blames_nobody() -> None:
    judging = Judging([argo()])
    judging.take(minute(90), minute(90))
    (held,) = judging.heard("the old version got worse too").advising
    assert (held.answer, held.because) == (Answer.CANNOT_TELL, "the old version got worse too")


def test_a_watch_that_begins_late_waits_for_no_delay_that_is_over() -> None:
    judge = argo(after_minutes=3)
    for age, answer in ((0, Answer.CANNOT_TELL), (3, Answer.REGRESSED)):
        judging = Judging([judge], age)
        judging.take(minute(90), None)
        assert judging.heard().advising[0].answer is answer


def test_an_alarm_of_a_judge_fires_the_trigger_of_its_subject() -> None:
    judging = Judging([argo().model_copy(update={"role": "alarms"})])
    judging.take(minute(200), None)
    (finding,) = judging.heard().alarming
    said = evidence(finding, Sighting(new=minute(200)), None, NOW)
    assert said is not None
    assert (said.trigger, said.size, said.nats) == (TriggerKind.CRITICAL_ERROR_RATE, 0.2, 0)
    fires = fired(said, TriggerLimits())
    assert fires is not None
    assert fires.at_limit
