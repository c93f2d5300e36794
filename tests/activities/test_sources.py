"""What `doctor` says of declared sources, on a real Prometheus and real HTTP."""

import dataclasses
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from activities import sources
from activities.integrations.http_json import HttpJson
from activities.sources import SourceActivities
from activities.targets import Target
from rollback_manager.access import Checked
from rollback_manager.catalogue import Catalogue
from rollback_manager.metrics.source_checks import SourcesAsked
from tests import prometheus, rig
from tests.activities.counted_shop import Instance, shown
from tests.activities.watch.traffic_world import Traffic, _Traffic
from tests.prometheus import Exporter, Server
from workers.targets import counter_sources

TOKEN = "a-token-of-the-shop-4711"  # noqa: S105
MS_EDGES = ("100", "1000", "10000", "+Inf")


class Other(BaseHTTPRequestHandler):
    """An HTTP server that is no Prometheus; it says again what it was sent."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(*{"/orders": (200, b'{"n": 41.5}')}.get(self.path, (404, b"")))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if self.path.startswith("/hangs"):
            time.sleep(3)
        echo = self.headers.get("authorization", "").encode()
        self._answer(401 if self.path.startswith("/closed") else 400, b"what is " + echo)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def exporter() -> Iterator[Exporter]:
    with prometheus.exporter() as one:
        for version in ("v1", "v2"):
            shown(one, f"/shop-{version}", Instance("shop", version))
        one.pages["/ms"] = _in_milliseconds
        shown(one, "/gone", Instance("gone", "v1"))
        yield one


def _in_milliseconds() -> str:
    counted = int(time.time()) * 10
    labels = 'service="ms",version="v1"'
    lines = [f'ms_bucket{{{labels},le="{edge}"}} {counted}' for edge in MS_EDGES]
    return "\n".join([*lines, f'requests_total{{{labels},code="200"}} {counted}', ""])


@pytest.fixture(scope="module")
def server(exporter: Exporter) -> Iterator[Server]:
    pages = {name: f"/{name}" for name in ("shop-v1", "shop-v2", "ms", "gone")}
    with prometheus.server(exporter, pages) as one:
        for _ in range(3):
            one.until_scraped("/gone")
        exporter.pages["/gone"] = None  # from now on it is silent
        yield one


@pytest.fixture(scope="module")
def other() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as one:
        one.daemon_threads = True
        thread = threading.Thread(target=one.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{one.server_port}"
        one.shutdown()
        thread.join()


def declared(metrics: dict[str, Any], *business: dict[str, Any]) -> Catalogue:
    """The shop of the tests, with these sources."""
    known = rig.catalogue("shop", {})
    tree = known.model_dump(mode="json")
    placement = tree["services"]["shop"]["environments"]["test"]
    placement |= {"metrics": metrics or None, "business": business}
    return Catalogue.model_validate(tree)


def counted(url: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "prometheus",
        "url": url,
        "requests": "requests_total",
        "errors": {"kind": "label", "label": "code", "matches": "5.."},
        "latency": "seconds",
        "scrape_interval_s": prometheus.INTERVAL_S,
    } | more


def checked(known: Catalogue, shares: dict[str, int] | None = None) -> tuple[Checked, ...]:
    """What the worker's activity says, with v1 and v2 in traffic if nothing else is said."""
    traffic = Traffic(shares or {"v1": 50, "v2": 50})
    with httpx.Client(trust_env=False) as client:
        business = known.services["shop"].environments["test"].business

        def target(_env: str, _service: str) -> Target:
            read = tuple(HttpJson(one, client) for one in business)
            return dataclasses.replace(traffic.target(), business=read)

        asked = SourceActivities(known, target, counter_sources(known, client))
        return asked.check_sources(SourcesAsked()).checks


def only(found: tuple[Checked, ...]) -> Checked:
    assert len(found) == 1, found
    return found[0]


def test_a_source_that_answers_says_what_it_counts(server: Server) -> None:
    one = only(checked(declared(counted(server.url))))
    assert (one.level, one.check) == ("ok", "metrics")
    assert "shop in test: answers: v1 " in one.told
    assert "v2 " in one.told
    assert "requests in" in one.told
    assert "newest sample 0 s old" in one.told


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "service": (
        {"service_value": "shpo"},
        'no series of requests_total with service="shpo": that label says ',
        "`service_value`",
    ),
    "service label": (
        {"service_label": "app"},
        "none of its series has a label 'app'",
        "`service_label`",
    ),
    "metric": ({"requests": "reqs_total"}, "no series of reqs_total at all", "`requests`"),
    "where": (
        {"where": {"env": "prod"}},
        'no series of requests_total at all with env="prod"',
        "`where`",
    ),
    "version label": (
        {"version_label": "release"},
        "none of 4 series of requests_total has a label 'release'",
        "(now: release)",
    ),
    "errors": (
        {"errors": {"kind": "label", "label": "status", "matches": "5.."}},
        "errors cannot be counted: no series of requests_total of this version has a label",
        "Correct `metrics` of shop in test",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_label_or_name_that_is_wrong_is_named_with_what_is_there(
    server: Server, wrong: str
) -> None:
    change, told, step = WRONG[wrong]
    one = only(checked(declared(counted(server.url, **change))))
    assert one.level == "fail"
    assert told in one.told
    assert "no release of it is judged by errors and latency there" in one.told
    assert step in one.next_step


def test_versions_that_have_traffic_and_are_not_counted_are_a_label_of_another_form(
    server: Server,
) -> None:
    one = only(checked(declared(counted(server.url)), {"1.0": 50, "2.0": 50}))
    assert one.level == "fail"
    assert "version=v1, v2 is counted, '1.0' is not" in one.told
    assert "must name the label whose value is the release's version" in one.next_step
    fresh = only(checked(declared(counted(server.url)), {"v1": 90, "v3": 10}))
    assert fresh.level == "warn", "a release that had no request yet"


def test_the_last_sample_of_a_target_that_is_gone_is_stale(server: Server) -> None:
    until = time.monotonic() + 30
    while True:
        one = only(checked(declared(counted(server.url, service_value="gone")), {"v1": 100}))
        if one.level == "fail" or time.monotonic() > until:
            break
        time.sleep(0.5)
    assert "stale: its newest sample is" in one.told
    assert "is the service scraped" in one.next_step


def test_milliseconds_that_the_catalogue_calls_seconds_are_told(server: Server) -> None:
    in_ms = {"service_value": "ms", "latency": "ms"}
    one = only(checked(declared(counted(server.url, **in_ms)), {"v1": 100}))
    assert one.level == "warn"
    assert "the highest bucket of ms is 10000 s: are these milliseconds?" in one.told
    assert one.next_step == "latency_unit: ms"
    right = declared(counted(server.url, **in_ms, latency_unit="ms"))
    assert only(checked(right, {"v1": 100})).level == "ok"


def test_seconds_that_the_catalogue_calls_milliseconds_are_told(server: Server) -> None:
    one = only(checked(declared(counted(server.url, latency_unit="ms"))))
    assert "the highest bucket of seconds is 0.1 ms: are these seconds?" in one.told


def test_a_target_that_is_scraped_more_seldom_than_the_catalogue_says_is_told(
    server: Server,
) -> None:
    one = only(checked(declared(counted(server.url, scrape_interval_s=0.1))))
    assert one.level == "warn"
    assert "it is scraped every 0.25 s, the catalogue says 0.1 s" in one.told


def test_nobody_there_and_a_refusal_are_told_with_what_to_type(other: str) -> None:
    down = only(checked(declared(counted("http://127.0.0.1:9"))))
    assert down.level == "fail"
    assert "Prometheus at http://127.0.0.1:9 does not answer" in down.told
    assert "curl http://127.0.0.1:9/-/ready" in down.next_step
    refused = only(checked(declared(counted(f"{other}/closed"))))
    assert "refuses our token (401)" in refused.told
    assert "Is the `token` in the catalogue the right one?" in refused.next_step


def test_a_token_that_a_server_says_again_is_not_told(
    other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    one = only(checked(declared(counted(other, token="env:SHOP_TOKEN"))))  # noqa: S106
    assert "what is Bearer ***" in one.told
    assert TOKEN not in one.told


def test_one_that_hangs_keeps_no_other_from_being_told(
    other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "WITHIN_S", 1.0)
    orders = {
        "kind": "http_json",
        "name": "orders",
        "unit": "orders per minute",
        "url": f"{other}/orders",
        "pointer": "/n",
    }
    begun = time.monotonic()
    slow, number = checked(declared(counted(f"{other}/hangs"), orders))
    assert time.monotonic() - begun < 2.5
    assert (slow.level, number.level) == ("fail", "ok")
    assert "no answer within 1 s" in slow.told
    assert number.told == "shop in test: orders: 41.5 orders per minute"


def test_a_proxy_that_is_silent_is_not_told_as_a_slow_source(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(_: object) -> dict[str, int]:
        time.sleep(3)
        return {"v1": 100}

    monkeypatch.setattr(sources, "TRAFFIC_WITHIN_S", 0.2)
    monkeypatch.setattr(sources, "WITHIN_S", 1.5)
    monkeypatch.setattr(_Traffic, "split", silent)
    one = only(checked(declared(counted(server.url))))
    assert one.level == "ok", one
    assert "shop in test: answers: v1 " in one.told


def test_a_number_that_is_not_there_or_beyond_its_floor_is_told(other: str) -> None:
    orders = {"kind": "http_json", "name": "orders", "unit": "orders per hour", "pointer": "/n"}
    missing = orders | {"url": f"{other}/orders", "pointer": "/m"}
    low = orders | {"url": f"{other}/orders", "floor": 1000}
    gone = orders | {"url": "http://127.0.0.1:9/orders"}
    first, second, third = checked(declared({}, missing, low, gone))
    assert first.level == "fail"
    assert "there is no 'm' of '/m' in the answer" in first.told
    assert second.level == "warn"
    assert "below its floor of 1000 already" in second.told
    assert third.level == "fail"
    assert "down: " in third.told
    assert "no release of it is held to this number there" in third.told


def test_a_prometheus_that_stands_still_is_told_in_time(server: Server) -> None:
    server.child.send_signal(signal.SIGSTOP)
    try:
        one = only(checked(declared(counted(server.url))))
    finally:
        server.child.send_signal(signal.SIGCONT)
    assert "gave no answer within 5 s" in one.told
