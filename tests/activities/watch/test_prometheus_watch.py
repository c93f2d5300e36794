"""A service whose versions a real Prometheus counts, under watch: what is said, and what is not."""

import dataclasses
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from temporalio.testing import ActivityEnvironment

from activities.integrations.prometheus import Prometheus, PrometheusCounters, Rounds, rounds
from activities.targets import Target
from activities.watch import alarms_given, watching
from activities.watch.other_tests import OtherTests
from activities.watch.service_watch import ServiceWatch, judge_together
from activities.watch.warm_ups import Histories
from activities.watch.watching import WatchActivities
from activities.watch.young_releases import YoungReleases
from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.metrics.reading import Snapshot
from rollback_manager.metrics.sources import PrometheusSource
from rollback_manager.policy import DecisionPolicy
from rollback_manager.release import Release, Standing
from rollback_manager.rendering import terminal_watch
from rollback_manager.watch.watching import SeenWatch, Watch
from tests import prometheus
from tests.activities.counted_shop import Instance, Spoil, shown
from tests.activities.watch.test_service_watch import Known as KnownShop
from tests.activities.watch.test_watching import catalogue, records
from tests.activities.watch.traffic_world import (
    AtOnce,
    KeptInMemory,
    Remembered,
    Traffic,
    baseline,
    place,
    release,
)
from tests.prometheus import INTERVAL_S, Exporter, Server

SERVICES = [f"shop{number}" for number in range(12)]
"""Each test takes one, so that nobody finds what another one left within the range."""
PATIENCE_S = 60.0
NOT_JUDGED = ("watched from now on", "cannot tell: ")
WARM = timedelta(seconds=45)
"""How old the release is by then: little of its warm-up is left to forgive."""


@pytest.fixture(scope="module")
def exporter() -> Iterator[Exporter]:
    with prometheus.exporter() as one:
        yield one


@pytest.fixture(scope="module")
def server(exporter: Exporter) -> Iterator[Server]:
    with prometheus.server(exporter, paths_of(*SERVICES)) as one:
        yield one


def paths_of(*services: str) -> dict[str, str]:
    """Each version of each service is a target of its own, scraped at a time of its own."""
    names = [f"{service}-{version}" for service in services for version in ("v1", "v2")]
    return {name: f"/{name}" for name in names}


@pytest.fixture(scope="module")
def services() -> Iterator[str]:
    return iter(SERVICES)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LEAST_APART_S", 0.2)


class Answering(httpx.HTTPTransport):
    """The real way to Prometheus, with something before it that may answer 503 by itself."""

    busy = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.busy:
            return httpx.Response(503, text="Service Unavailable", request=request)
        return super().handle_request(request)


class ByPrometheus(Traffic):
    """Shares as set by hand; nobody may ask the proxy what it counted."""

    def snapshot(self, max_age_s: float = 0.0) -> Snapshot:
        raise AssertionError("the catalogue names other counters")


class Known(KnownShop):
    """The same, of a service by another name."""

    def __init__(self, service: str, *releases: Release) -> None:
        super().__init__(*releases)
        self.service = service

    def young(self, env: str, since: datetime) -> dict[str, list[Release]]:
        return {self.service: self.all}


class Watched:
    """v2 beside v1, looked at again and again."""

    def __init__(self, server: Server, service: str) -> None:
        pages = server.exporter
        self.v1, self.v2 = (
            shown(pages, f"/{service}-{version}", Instance(service, version))
            for version in ("v1", "v2")
        )
        self.server, self.service = server, service
        self.way = Answering()
        source = source_of(server)
        self.client = httpx.Client(transport=self.way)
        group = Prometheus({service: source}, self.client)
        self.counters = PrometheusCounters(Rounds(group), service, source)
        self.traffic, self.incidents = ByPrometheus({"v1": 50, "v2": 50}), Remembered()
        began_at = datetime.now(UTC) - WARM
        old = release("v1", -600, Standing.VERIFIED, baseline(0.0))
        new = release("v2").model_copy(update={"recorded_at": began_at})
        known = Known(service, new, old)
        self.young = YoungReleases(known, "test", 3600)
        self.watch = ServiceWatch(
            "test",
            service,
            3600,
            self.young,
            Histories(known, "test"),
            lambda _e, _s: self.target,
            self.incidents,
            OtherTests(
                place(), DecisionPolicy(), lambda _e, _s: self.target, KeptInMemory(), AtOnce()
            ),
        )

    def look(self) -> None:
        """As a round of the watch does."""
        self.young.read()
        self.watch.look()
        judge_together([self.watch])
        self.watch.speak()

    @property
    def target(self) -> Target:
        return dataclasses.replace(self.traffic.target(), counters=self.counters)

    def until(self, holds: Callable[[], object], what: str) -> None:
        begun = time.monotonic()
        while not holds():
            assert time.monotonic() - begun < PATIENCE_S, f"{what}: {self.watch.trouble}"
            self.look()
            time.sleep(0.1)

    def until_judged(self) -> None:
        """By numbers of both versions: what blinds it is told in words as well."""
        self.until(lambda: not self.says().startswith(NOT_JUDGED), "judged")

    def says(self) -> str:
        return self.watch.watched.says if self.watch.watched else NOT_JUDGED[0]

    def for_s(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.look()
            time.sleep(0.1)


def source_of(server: Server, interval_s: float = INTERVAL_S) -> PrometheusSource:
    said = {
        "kind": "prometheus",
        "url": server.url,
        "requests": "requests_total",
        "errors": {"kind": "label", "label": "code", "matches": "5.."},
        "latency": "seconds",
        "scrape_interval_s": interval_s,
    }
    return PrometheusSource.model_validate(said)


@pytest.fixture
def watched(server: Server, services: Iterator[str]) -> Iterator[Watched]:
    one = Watched(server, next(services))
    with one.client:
        yield one


def test_a_release_that_breaks_is_an_alarm_with_the_size_that_users_have(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarms_given, "AGAIN_S", 8.0)
    watched.until_judged()
    watched.for_s(5)
    assert not watched.incidents.alarms
    watched.v2.errors = 0.4
    broke_at = datetime.now(UTC)
    watched.until(lambda: watched.incidents.alarms, "an alarm")
    (alarm,) = watched.incidents.alarms
    assert alarm.evidence.trigger is TriggerKind.CRITICAL_ERROR_RATE
    watched.until(lambda: len(watched.incidents.alarms) > 1, "the same again")
    again = watched.incidents.alarms[-1]
    assert again.evidence.size == pytest.approx(0.4, abs=0.05)
    assert again.seen.new is not None
    assert again.seen.new.requests_per_s == pytest.approx(200, rel=0.1)
    assert again.seen.onset_at is not None
    assert abs(again.seen.onset_at - broke_at) < timedelta(seconds=6)


def test_a_release_that_gets_slow_is_one_too(watched: Watched) -> None:
    watched.until_judged()
    watched.v2.slow = 0.9
    watched.until(lambda: watched.incidents.alarms, "an alarm")
    assert watched.incidents.alarms[0].evidence.trigger is TriggerKind.LATENCY_DEGRADATION


def test_both_versions_failing_is_no_alarm(watched: Watched) -> None:
    watched.until_judged()
    watched.v1.errors = watched.v2.errors = 0.4
    watched.for_s(6)  # of v2 alone it would be one after two
    assert not watched.incidents.alarms


def test_an_instance_that_begins_again_from_zero_is_no_trouble(watched: Watched) -> None:
    watched.until_judged()
    watched.v2.restart()
    watched.for_s(5)
    assert not watched.watch.trouble
    assert not watched.incidents.alarms


def _values(value: str) -> Spoil:
    return lambda page: "".join(
        f"{line.rpartition(' ')[0]} {value}\n" for line in page.splitlines()
    )


def _ahead(page: str) -> str:
    at_ms = round((time.time() + 9) * 1000)
    return "".join(f"{line} {at_ms}\n" for line in page.splitlines())


SPOILED: dict[str, tuple[Spoil, str]] = {
    "no number": (_values("NaN"), "cannot tell: v2: not a number: "),
    "infinite": (_values("+Inf"), "cannot tell: v2: not a number: "),
    "negative": (_values("-1"), "cannot tell: v2: not a count: "),
    "typo in a value": (
        lambda page: page.replace('"v2"', '"v3"'),
        "cannot tell: v2: stale: ",  # for as long as the old series are in the range
    ),
    "clock ahead": (_ahead, "cannot tell: v2: clock skew: "),
    "nothing": (lambda _: "", "cannot tell: v2: stale: "),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_cannot_be_counted_is_trouble_in_words_and_no_alarm(
    watched: Watched, name: str
) -> None:
    spoil, said = SPOILED[name]
    watched.until_judged()
    watched.v2.spoil = spoil
    watched.until(lambda: watched.watch.trouble.startswith(said), said)
    watched.v2.errors = 0.9  # whatever happens now cannot be seen, and is not guessed
    watched.for_s(1)
    assert watched.watch.watched is not None, "it is still the release to be watched"
    assert not watched.incidents.alarms
    watched.v2.errors, watched.v2.spoil = 0.0, lambda page: page


def test_a_prometheus_that_is_busy_blinds_and_the_watch_goes_on_after_it(watched: Watched) -> None:
    watched.until_judged()
    watched.way.busy = True
    watched.until(lambda: "is not able to answer (503" in watched.watch.trouble, "503")
    watched.way.busy = False
    watched.until(lambda: not watched.watch.trouble, "back")
    assert not watched.incidents.alarms


def test_a_prometheus_that_hangs_and_one_that_dies_are_told_and_come_back(
    exporter: Exporter,
) -> None:
    with prometheus.server(exporter, paths_of("own")) as own:
        one = Watched(own, "own")
        with one.client:
            one.until_judged()
            own.child.send_signal(signal.SIGSTOP)
            os.waitpid(own.child.pid, os.WUNTRACED)
            one.until(lambda: "gave no answer within 5 s" in one.watch.trouble, "frozen")
            own.child.send_signal(signal.SIGCONT)
            one.until(lambda: not one.watch.trouble, "thawed")
            own.kill()
            one.until(lambda: "does not answer: ConnectError" in one.watch.trouble, "killed")
            own.start_again()
            one.until(lambda: not one.watch.trouble, "restarted")
            assert one.says() != "watched from now on", "what was learnt before is not forgotten"
            assert not one.incidents.alarms
            one.v2.errors = 0.4
            one.until(lambda: one.incidents.alarms, "an alarm after it")


def test_people_read_it_once_it_has_lasted(
    tmp_path: Path, exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "STANDS_S", 2.0)
    monkeypatch.setattr(watching, "EVERY_S", 0.2)
    with prometheus.server(exporter, paths_of("own")) as own:
        one = Watched(own, "own")
        with one.client:
            activity = WatchActivities(
                catalogue("own"),
                records(tmp_path, "own"),
                lambda _e, _s: one.target,
                one.incidents,
            )
            environment = ActivityEnvironment()
            one.until_judged()
            seen = environment.run(activity.watch_releases, Watch(env="test"))
            while not seen.releases:
                seen = environment.run(activity.watch_releases, seen)
            assert not seen.trouble
            own.kill()
            seen = environment.run(activity.watch_releases, seen)
    page = terminal_watch.watch(SeenWatch(watch=seen), datetime.now(UTC))
    assert "cannot read:" in page
    assert "own: cannot tell: Prometheus at" in " ".join(page.split())
