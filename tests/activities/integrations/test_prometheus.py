"""Counters of releases in a real Prometheus, which scrapes an exporter of the tests."""

import os
import re
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from activities.integrations.prometheus import Answered, Prometheus, together
from activities.integrations.prometheus.api import Api
from rollback_manager.errors import PermanentError, Unreachable
from rollback_manager.metrics.reading import NoReading, Slow
from rollback_manager.metrics.series import Increase, Used, look
from rollback_manager.metrics.sources import PrometheusSource
from tests import prometheus
from tests.prometheus import INTERVAL_S, Exporter, Server

JOBS = [f"shop{number}" for number in range(24)]
"""Each test takes one, so that nobody finds what another one left within the range."""
TWINS = {"twin-a": "/twin", "twin-b": "/twin"}
SILENCE_S = 5.0


@pytest.fixture(scope="module")
def exporter() -> Iterator[Exporter]:
    with prometheus.exporter() as one:
        yield one


@pytest.fixture(scope="module")
def server(exporter: Exporter) -> Iterator[Server]:
    paths = {job: f"/{job}" for job in JOBS} | TWINS
    with prometheus.server(exporter, paths) as one:
        yield one


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as one:
        yield one


@pytest.fixture(scope="module")
def jobs() -> Iterator[str]:
    return iter(JOBS)


class Shop:
    """One service, its page at the exporter, and what was read of it so far."""

    def __init__(self, job: str, server: Server, client: httpx.Client, **more: object) -> None:
        self.job = job
        self.server = server
        self.source = source_of(server, **more)
        self.prometheus = Prometheus({job: self.source}, client)
        self.used = Used()

    def show(self, *lines: str) -> None:
        """Lines as `requests_total{version="v1"} 7`; the service's label is put in."""
        with_service = (line.replace("{", f'{{service="{self.job}",') for line in lines)
        self.server.show(f"/{self.job}", *with_service)

    def read(self, version: str = "v1") -> Increase | NoReading:
        answer = self.prometheus.ask([self.job])
        series = answer.series[self.job]
        found, self.used = look(series, self.source, [version], self.used, answer.at)
        return found[version]

    def increase(self, version: str = "v1") -> Increase:
        found = self.read(version)
        assert isinstance(found, Increase), found
        return found

    def why(self, version: str = "v1") -> str:
        found = self.read(version)
        assert isinstance(found, NoReading), found
        return found.because


def source_of(server: Server, **more: object) -> PrometheusSource:
    said = {
        "kind": "prometheus",
        "url": server.url,
        "requests": "requests_total",
        "errors": {"kind": "label", "label": "code", "matches": "5.."},
        "scrape_interval_s": INTERVAL_S,
    }
    return PrometheusSource.model_validate(said | more)


@pytest.fixture
def shop(jobs: Iterator[str], server: Server, client: httpx.Client) -> Shop:
    return Shop(next(jobs), server, client)


def line(value: object, version: str = "v1", code: str = "200") -> str:
    return f'requests_total{{version="{version}",code="{code}"}} {value}'


# Counts


def test_growth_is_counted_once_by_version(shop: Shop) -> None:
    shop.show(line(1000), line(50, code="503"), line(7, "v2"))
    shop.read()
    shop.show(line(1040), line(60, code="503"), line(9, "v2"))
    found = shop.increase()
    assert (found.requests, found.errors) == (50, 10)
    assert (found.window_s > 0, found.age_s < 2, found.notes) == (True, True, ())
    assert shop.increase("v2").requests == 2  # from the first sample on, for it was not asked yet
    shop.server.until_scraped(f"/{shop.job}")
    assert shop.increase().requests == 0
    shop.show(line(1041), line(60, code="503"), line(9, "v2"))
    assert shop.increase().requests == 1


def test_the_first_error_counts_though_its_series_is_new(shop: Shop) -> None:
    shop.show(line(10))
    shop.read()
    shop.show(line(10), line(3, code="500"))
    assert shop.increase().errors == 3


def test_a_worker_that_forgot_begins_with_what_the_range_holds(shop: Shop) -> None:
    shop.show(line(10))
    shop.show(line(30))
    assert shop.increase().requests == 20
    shop.used = Used()
    assert shop.increase().requests == 20


def test_all_services_are_asked_for_by_one_query(jobs: Iterator[str], server: Server) -> None:
    asked: list[httpx.Request] = []
    names = [next(jobs), next(jobs)]
    own = source_of(server, errors={"kind": "metric", "metric": "errors_total"})
    sources = dict(zip(names, [source_of(server), own], strict=True))
    assert together(sources) == [sources]
    for value in (0, 8):
        for name in names:
            labels = f'service="{name}",version="v1"'
            lines = [
                f'requests_total{{{labels},code="200"}} {value}',
                f"errors_total{{{labels}}} 0",
            ]
            server.show(f"/{name}", *lines)
    with httpx.Client(trust_env=False, event_hooks={"request": [asked.append]}) as client:
        answer = Prometheus(sources, client).ask(names)
    assert len(asked) == 1
    assert [counted(answer, name, sources[name]) for name in names] == [(8, 0), (8, 0)]
    assert answer.warnings == ()


def counted(answer: Answered, service: str, source: PrometheusSource) -> tuple[int, int]:
    found = look(answer.series[service], source, ["v1"], Used(), answer.at).found["v1"]
    assert isinstance(found, Increase), found
    return found.requests, found.errors


def test_latency_is_read_from_its_buckets(
    jobs: Iterator[str], server: Server, client: httpx.Client
) -> None:
    shop = Shop(next(jobs), server, client, latency="seconds")
    for within, in_all in ((5, 6), (15, 36)):
        buckets = {"0.1": within, "0.5": within + 1, "+Inf": in_all}
        shop.show(
            line(in_all),
            *(f'seconds_bucket{{version="v1",le="{le}"}} {n}' for le, n in buckets.items()),
        )
    found = shop.increase()
    assert (found.latency_ms, found.timed) == (((100, 10), (500, 10)), 30)
    assert found.slower_than(100) == Slow(slower=20, timed=30)


def test_a_restarted_process_begins_again_from_zero(shop: Shop) -> None:
    shop.show(line(1000))
    shop.read()
    shop.show(line(4))
    found = shop.increase()
    assert found.requests == 4
    assert found.notes == ("reset: counters of 1 of 1 instances began again from zero",)


def test_an_exporter_that_is_down_is_stale_and_then_a_gap(shop: Shop) -> None:
    shop.show(line(10))
    shop.read()
    shop.server.exporter.pages[f"/{shop.job}"] = None  # 503, as from a process that is overloaded
    time.sleep(SILENCE_S + 1)
    assert shop.why().startswith("stale: its newest sample is ")
    shop.show(line(25))
    found = shop.increase()
    assert found.requests == 15
    assert found.window_s > SILENCE_S
    (note,) = found.notes
    assert note.startswith("scrape gap: ")


def test_an_exporter_that_gives_old_samples_is_stale(shop: Shop) -> None:
    shop.show(line(f"10 {(time.time() - 20) * 1000:.0f}"))
    assert re.match("stale: its newest sample is 2[0-9] s old, over 5 s", shop.why())


def test_an_exporter_whose_clock_is_ahead_is_told_of(shop: Shop) -> None:
    shop.show(line(f"10 {(time.time() + 9) * 1000:.0f}"))
    assert shop.why().startswith("clock skew: its newest sample is from ")


@pytest.mark.parametrize("value", ["NaN", "+Inf"])
def test_a_value_that_is_no_number_is_no_reading_and_nothing_is_lost(
    shop: Shop, value: str
) -> None:
    shop.show(line(10))
    shop.read()
    shop.show(line(value))
    assert shop.why().startswith("not a number: requests_total is ")
    shop.show(line(12))
    assert shop.increase().requests == 2


def test_two_jobs_that_scrape_one_instance_are_a_duplicate(
    server: Server, client: httpx.Client
) -> None:
    shop = Shop("twin", server, client)
    shop.show(line(10))
    server.until_scraped("/twin")  # with one sample of each, it might be a job that was renamed
    assert f"of {server.exporter.address} is there twice (job twin-a and twin-b)" in shop.why()
    one = Shop("twin", server, client, where={"job": "twin-a"})
    one.read()
    one.show(line(13))
    assert one.increase().requests == 3


def test_a_typo_in_the_version_names_what_there_is(shop: Shop) -> None:
    shop.show(line(10, "v1"), line(10, "v2"))
    assert shop.why("v3") == "one arm only: version=v1, v2 is counted, 'v3' is not"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"version_label": "versoin"}, "empty: none of 1 series of requests_total has a label"),
        ({"requests": "request_total"}, "empty: no series of request_total for this service"),
        ({"service_label": "app"}, "empty: no series"),
        ({"service_value": "another"}, "empty: no series"),
        ({"where": {"env": "prod"}}, "empty: no series"),
        (
            {"errors": {"kind": "metric", "metric": "errors"}},
            "errors cannot be counted: no version",
        ),
        ({"errors": {"kind": "label", "label": "status", "matches": "5.."}}, "errors cannot be"),
    ],
)
def test_a_wrong_name_in_the_catalogue_is_never_a_zero(
    shop: Shop, client: httpx.Client, more: dict[str, object], said: str
) -> None:
    shop.show(line(10))
    source = PrometheusSource.model_validate(shop.source.model_dump() | more)
    shop.source, shop.prometheus = source, Prometheus({shop.job: source}, client)
    assert shop.why().startswith(said)


# Names

NASTY = [
    '"} or vector(1) #',
    "a\\b",
    "x|y",
    ".*",
    "x",
    "new\nline",
    "{}[]()^$+?*",
    "caf\u00e9 \U0001f600",
    "tab\t'`",
    "\\",
    "%s{{ . }}\x7f",
]
"""The last word of each has a meaning in PromQL, in RE2, in Go or nowhere."""


def test_a_value_of_a_label_is_taken_as_it_is_whatever_it_would_mean_in_a_query(
    jobs: Iterator[str], server: Server, client: httpx.Client
) -> None:
    job = next(jobs)
    sources = {
        f"s{n}": source_of(server, service_value=value, where={"env": value})
        for n, value in enumerate(NASTY)
    }
    for growth in (0, 1):
        server.show(f"/{job}", *(exposed(value, n * growth) for n, value in enumerate(NASTY)))
    for n, (service, source) in enumerate(sources.items()):
        alone = Prometheus({service: source}, client).ask([service])
        assert counted(alone, service, source) == (n, 0)
    shared = {name: one.model_copy(update={"where": {}}) for name, one in sources.items()}
    assert len(together(sources)) == len(NASTY)
    answer = Prometheus(shared, client).ask(shared)
    every = [counted(answer, name, one) for name, one in shared.items()]
    assert every == [(n, 0) for n in range(len(NASTY))]


def exposed(value: str, count: int) -> str:
    """A line of the text format, with its own three escapes."""
    text = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'requests_total{{service="{text}",env="{text}",version="v1",code="200"}} {count}'


# Outages


def test_a_query_that_prometheus_refuses_is_told_apart_from_an_outage(
    server: Server, client: httpx.Client
) -> None:
    api = Api(server.url, client)
    for query, said in (
        ("up{", "400 bad_data"),
        ("up[1m] + 1", "400 bad_data"),
        (BROKEN, "422 exec"),
    ):
        with pytest.raises(PermanentError, match=f"refuses the query .{said}") as refusal:
            api.query(query, datetime.now(UTC))
        assert "production is unchanged" in refusal.value.effect
    with pytest.raises(PermanentError, match="does not answer as Prometheus does"):
        api.query("up", datetime.now(UTC))  # it can be answered, but not with raw samples


BROKEN = 'label_replace(up,"a","b","c","(")'


def test_an_address_of_something_else_is_not_taken_for_no_data(
    server: Server, exporter: Exporter, client: httpx.Client
) -> None:
    for base in (f"{server.url}/nope", f"http://{exporter.address}"):
        with pytest.raises((PermanentError, Unreachable), match="Prometheus at"):
            Api(base, client).query("up[1m]", datetime.now(UTC))


def test_a_prometheus_that_hangs_is_unreachable_and_comes_back(
    server: Server, client: httpx.Client
) -> None:
    api = Api(server.url, client)
    server.child.send_signal(signal.SIGSTOP)
    os.waitpid(server.child.pid, os.WUNTRACED)  # it may go on for a moment after the signal
    begun = time.monotonic()
    try:
        with pytest.raises(Unreachable, match=r"gave no answer within 0\.5 s") as outage:
            api.query("up[1m]", datetime.now(UTC), timeout_s=0.5)
        assert time.monotonic() - begun < 4, "its usual limit is 5 s"
        assert f"curl {server.url}/-/ready" in outage.value.next_step
    finally:
        server.child.send_signal(signal.SIGCONT)
    assert api.query("up[1m]", datetime.now(UTC)).series


def test_a_prometheus_that_was_killed_is_unreachable(
    exporter: Exporter, client: httpx.Client
) -> None:
    with prometheus.server(exporter, {}) as own:
        reader = Prometheus({"shop": source_of(own)}, client)
        assert reader.ask(["shop"]).series == {"shop": []}
        assert reader.ask([]).series == {}
        own.child.kill()
        own.child.wait(10)
        with pytest.raises(Unreachable, match="does not answer: ConnectError"):
            reader.ask(["shop"])


def test_a_prometheus_that_cannot_start_is_told_of_with_its_log(exporter: Exporter) -> None:
    with (
        pytest.raises(RuntimeError, match="unknown long flag '--no-such-flag'"),
        prometheus.server(exporter, {}, "--no-such-flag"),
    ):
        pass
