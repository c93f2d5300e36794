"""Which release is watched, beside what, and how large a finding is in its trigger's measure."""

from datetime import UTC, datetime, timedelta

import pytest

from rollback_manager.incidents.alarms import Sighting
from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.metrics.reading import Reading
from rollback_manager.release import Baseline, Release, Standing
from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.watch.detected import SLOWNESS, evidence
from rollback_manager.watch.watching import (
    Trouble,
    Watch,
    Watched,
    beside,
    to_be_watched,
    usual,
)

NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
DAY_S = 86_400.0


def measured(p95_ms: float) -> Baseline:
    return Baseline(
        requests=1000,
        error_ratio=0.01,
        latency_p95_ms=p95_ms,
        requests_per_s=10,
        window_s=100,
        taken_at=NOW,
    )


def release(
    version: str,
    hours_ago: float = 1,
    standing: Standing = Standing.CANDIDATE,
    p95_ms: float | None = None,
) -> Release:
    return Release(
        version=version,
        digest=version,
        recorded_at=NOW - timedelta(hours=hours_ago),
        recorded_by="test",
        standing=standing,
        baseline=measured(p95_ms) if p95_ms else None,
    )


def reading(version: str, p95_ms: float | None = 40, requests: int = 100) -> Reading:
    return Reading(
        version=version,
        requests=requests,
        errors=requests // 20,
        latency_p95_ms=p95_ms,
        window_s=10,
        taken_at=NOW,
    )


@pytest.mark.parametrize(
    ("releases", "shares", "wanted"),
    [
        ([release("v2"), release("v1", 9)], {"v1": 50, "v2": 50}, "v2"),
        ([release("v2"), release("v1", 9)], {"v1": 100, "v2": 0}, "v1"),
        ([release("v2", standing=Standing.BAD), release("v1", 9)], {"v1": 50, "v2": 50}, None),
        ([release("v2", 25)], {"v2": 100}, None),
        ([], {"v2": 100}, None),
    ],
)
def test_the_newest_release_with_traffic_is_watched(
    releases: list[Release], shares: dict[str, int], wanted: str | None
) -> None:
    found = to_be_watched(releases, shares, NOW, DAY_S)
    assert (found.version if found else None) == wanted


def test_the_control_is_the_other_version_with_the_most_traffic() -> None:
    assert beside("v3", {"v1": 20, "v2": 40, "v3": 40}) == "v2"
    assert beside("v3", {"v1": 0, "v3": 100}) == ""


def test_what_is_usual_is_never_what_a_bad_release_did() -> None:
    bad, good = release("v2", 2, Standing.BAD, 900), release("v1", 3, Standing.VERIFIED, 40)
    assert usual([release("v3"), bad, good], "v3", "") == good.baseline
    assert usual([release("v3"), bad], "v3", "") is None


def test_the_control_s_own_baseline_comes_first_and_a_missing_one_is_no_end() -> None:
    old, older = release("v2", 2, p95_ms=50), release("v1", 3, Standing.VERIFIED, 40)
    assert usual([release("v3"), old, older], "v3", "v1") == older.baseline
    assert usual([release("v3"), release("v2", 2), older], "v3", "v2") == older.baseline


def finding(test: str, **more: object) -> Finding:
    fields = {
        "test": test,
        "answer": Answer.REGRESSED,
        "evidence_nats": 11.0,
        "threshold_nats": 9.5,
        "requests": 200,
        "comparator": "the old version at the same time",
        "because": "worse",
    }
    return Finding.model_validate(fields | more)


def test_the_size_of_errors_is_what_users_get_since_it_began() -> None:
    found = finding("error_ratio", effect=0.14, effect_high=0.2, usual=0.01)
    said = evidence(found, Sighting(new=reading("v2")), None, NOW)
    assert said is not None
    assert said.size == pytest.approx(0.15)
    assert said.size_high == pytest.approx(0.21)
    assert said.nats == 11


def test_the_size_of_slowness_is_the_factor_to_what_is_beside_it_else_to_what_is_usual() -> None:
    found = finding("latency_p95", effect=0.3, usual=0.05)
    seen = Sighting(new=reading("v2", 120), old=reading("v1", 40))
    said = evidence(found, seen, measured(60), NOW)
    assert said is not None
    assert (said.trigger, said.size) == (TriggerKind.LATENCY_DEGRADATION, 3)
    alone = evidence(finding(SLOWNESS), Sighting(new=reading("v2", 120)), measured(60), NOW)
    assert alone is not None
    assert (alone.trigger, alone.size, alone.nats) == (TriggerKind.LATENCY_DEGRADATION, 2, 0)
    unknown = evidence(found, Sighting(new=reading("v2", 120)), None, NOW)
    assert unknown is not None
    assert unknown.size is None


def test_silence_and_common_mode_fire_nothing() -> None:
    assert evidence(finding("silence"), Sighting(), None, NOW) is None
    assert evidence(finding("common_mode"), Sighting(), None, NOW) is None


def test_what_differs_is_what_is_watched_and_not_what_is_said_of_it() -> None:
    def watch(says: str, because: str) -> Watch:
        one = Watched(service="shop", version="v2", beside="v1", says=says)
        return Watch(
            env="test", releases=(one,), trouble=(Trouble(service="pay", because=because),)
        )

    assert watch("fine", "slow").names() == watch("worse", "gone").names()
    assert watch("fine", "slow").troubled() == watch("worse", "gone").troubled() == ("pay",)
