"""Answers of a query API that a real Prometheus gives rarely, and the text of the question."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from activities.integrations.prometheus import (
    Prometheus,
    PrometheusCounters,
    Rounds,
    together,
)
from activities.integrations.prometheus.api import MOST_BYTES, Answer, Api
from activities.integrations.prometheus.asking import MOST_SERVICES
from activities.integrations.prometheus.query import selector
from rollback_manager.errors import PermanentError, RollbackError, TemporaryError, Unreachable
from rollback_manager.metrics.sources import PrometheusSource

TOKEN = "s3cr3t-of-prometheus"  # noqa: S105
EMPTY = {"status": "success", "data": {"resultType": "matrix", "result": []}}
Handler = Callable[[httpx.Request], httpx.Response]


def source(**more: object) -> PrometheusSource:
    said = {
        "kind": "prometheus",
        "url": "http://prometheus:9090/",
        "requests": "requests_total",
        "errors": {"kind": "label", "label": "code", "matches": "5..|error"},
    }
    return PrometheusSource.model_validate(said | more)


def ask(handler: Handler, token: str | None = None) -> Answer:
    with httpx.Client(transport=httpx.MockTransport(handler)) as client:
        return Api("http://prometheus:9090/", client, token).query("up[1m]", datetime.now(UTC))


def matrix(*series: object, **more: object) -> httpx.Response:
    data = {"resultType": "matrix", "result": series}
    return httpx.Response(200, json={"status": "success", "data": data} | more)


# The question


def test_the_question_names_metrics_services_and_labels_of_the_catalogue_alone() -> None:
    own = {"kind": "metric", "metric": "errors_total"}
    sources = {
        "shop": source(where={"env": "prod"}, latency="seconds"),
        "c-a.rt": source(errors=own),
    }
    assert selector(sources) == (
        '{__name__=~"errors_total|requests_total|seconds_bucket",'
        'service=~"c\\x5c-a\\x5c.rt|shop",env="prod"}[100000ms]'
    )


def test_it_reaches_back_far_enough_for_the_slowest_scrape() -> None:
    sources = {"shop": source(), "cart": source(scrape_interval_s=60)}
    assert selector(sources).endswith("}[370000ms]")


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_no_value_ends_its_own_string(service: str, env: str) -> None:
    one = source(where={"env": env}).model_copy(update={"service_value": service})
    asked = selector({"shop": one})
    strings = re.findall(r'"((?:[^"\\]|\\x[0-9a-f]{2})*)"', asked)
    assert re.sub(r'"(?:[^"\\]|\\x[0-9a-f]{2})*"', "S", asked) == (
        "{__name__=~S,service=~S,env=S}[100000ms]"
    )
    assert go(strings[2]) == env
    assert re.fullmatch(go(strings[1]), service)
    assert re.sub(r"\\(.)", r"\1", go(strings[1]), flags=re.DOTALL) == service


def go(text: str) -> str:
    """What Go makes of a string in which all is plain ASCII or a byte in hexadecimal."""
    whole = re.sub(
        rb"\\x(..)", lambda found: bytes.fromhex(found[1].decode()), text.encode("ascii")
    )
    return whole.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"requests": 'up"} or vector(1) #'},
        {"requests": "requests-total"},
        {"requests": "requests_total\n"},
        {"latency": "a|b"},
        {"errors": {"kind": "metric", "metric": "a{}"}},
        {"errors": {"kind": "label", "label": "__name__", "matches": "x"}},
        {"errors": {"kind": "label", "label": "code", "matches": "(a+)+"}},
        {"errors": {"kind": "label", "label": "code", "matches": "5..|"}},
        {"errors": {"kind": "labels", "label": "code", "matches": "5.."}},
        {"service_label": 'x="y",z'},
        {"version_label": "1x"},
        {"where": {"__name__": "up"}},
        {"where": {"env": ""}},
        {"url": "http://user:secret@prometheus"},
        {"token": TOKEN},
        {"scrape_interval_s": 0},
        {"scrape_interval_s": 15_000},
        {"latency_unit": "minutes"},
    ],
)
def test_what_is_no_name_is_refused_in_the_catalogue(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        source(**wrong)


def test_a_version_of_a_request_is_looked_up_and_never_asked_for() -> None:
    asked: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.content)
        return httpx.Response(200, json=EMPTY)

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        rounds = Rounds(Prometheus({"shop": source()}, client))
        PrometheusCounters(rounds, "shop", source()).snapshot('v1"}', ["v2"])
    assert len(asked) == 1
    assert b"v1" not in asked[0]
    assert b"v2" not in asked[0]


def test_only_services_that_share_all_of_it_are_asked_for_together() -> None:
    sources = {
        "shop": source(),
        "cart": source(version_label="release", requests="other_total"),
        "mail": source(url="http://other"),
        "chat": source(where={"env": "prod"}),
        "news": source(token="env:T"),  # noqa: S106
        "blog": source(service_label="app"),
    }
    assert [sorted(group) for group in together(sources)] == [
        ["cart", "shop"],
        ["mail"],
        ["chat"],
        ["news"],
        ["blog"],
    ]
    many = together({f"s{number}": source() for number in range(MOST_SERVICES + 1)})
    assert [len(group) for group in many] == [MOST_SERVICES, 1]
    with httpx.Client() as client, pytest.raises(ValueError, match=r"see together\(\)"):
        Prometheus(sources, client)


def test_prometheus_is_told_when_to_give_up_in_whole_milliseconds() -> None:
    """It takes no fraction in a duration."""
    asked: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.content)
        return httpx.Response(200, json=EMPTY)

    ask(answer)
    assert b"&timeout=5000ms" in asked[0]


# The answer


def test_warnings_and_infos_are_passed_on_and_cut() -> None:
    answer = ask(lambda _: matrix(warnings=["store down", "x" * 999], infos=["PromQL info: …"]))
    assert answer.warnings == ("store down", "x" * 300, "PromQL info: …")


def test_a_series_without_float_samples_is_none() -> None:
    native = {"metric": {"__name__": "h"}, "histograms": [[1, {}]]}
    assert ask(lambda _: matrix(native, {"metric": {}, "values": []})).series == ()


def test_samples_are_given_in_the_order_of_their_time() -> None:
    values = [[30.5, "2"], [15.25, "NaN"], [0, "+Inf"]]
    (series,) = ask(lambda _: matrix({"metric": {}, "values": values})).series
    assert [sample.at_s for sample in series.samples] == [0, 15.25, 30.5]


@pytest.mark.parametrize(("off_s", "side"), [(-60, "behind"), (60, "ahead of")])
def test_a_clock_that_differs_is_told(off_s: int, side: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=off_s))
    (told,) = ask(lambda _: httpx.Response(200, json=EMPTY, headers={"date": date})).warnings
    assert re.fullmatch(rf"its clock is (59|60|61) s {side} ours", told)
    assert ask(lambda _: httpx.Response(200, json=EMPTY, headers={"date": "noon"})).warnings == ()


# Errors

TIMED_OUT = {
    "status": "error",
    "errorType": "timeout",
    "error": "query timed out in expression evaluation",
}
"""As Prometheus 2.42 gave it, with status 503."""


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (httpx.Response(503, text="Service Unavailable"), Unreachable, "not able to answer (503 "),
        (httpx.Response(502, text="<html>" * 999), Unreachable, "not able to answer (502 no type)"),
        (
            httpx.Response(503, json=TIMED_OUT),
            TemporaryError,
            "gave the query up (503 timeout): qu",
        ),
        (httpx.Response(429), TemporaryError, "has too many queries (429"),
        (httpx.Response(401, text=TOKEN), PermanentError, "refuses our token (401)"),
        (httpx.Response(403, text=TOKEN), PermanentError, "refuses our token (403)"),
        (httpx.Response(307, headers={"location": "/"}), PermanentError, "redirects (307)"),
        (httpx.Response(404, text="long " * 999), PermanentError, "as Prometheus does: 404"),
        (httpx.Response(200, text="<html>Grafana</html>"), PermanentError, "as Prometheus does: "),
        (httpx.Response(200, text="[" * 90_000), PermanentError, "as Prometheus does: Recursion"),
        (httpx.Response(200, json=["no"]), PermanentError, "as Prometheus does: "),
        (httpx.Response(200, json={"status": "error"}), PermanentError, "as Prometheus does: "),
        (httpx.Response(200, json=EMPTY | {"data": {}}), PermanentError, "as Prometheus does: "),
        (matrix({"metric": {}, "values": [7]}), PermanentError, "as Prometheus does: "),
        (matrix({"metric": {}, "values": [[1, "x"]]}), PermanentError, "as Prometheus does: "),
    ],
)
def test_each_refusal_has_its_own_words(
    answer: httpx.Response, kind: type[RollbackError], said: str
) -> None:
    with pytest.raises(RollbackError) as caught:
        ask(lambda _: answer)
    assert type(caught.value) is kind
    assert said in caught.value.what
    assert TOKEN not in str(caught.value)
    assert len(caught.value.what) < 400
    assert caught.value.effect
    assert caught.value.next_step


@pytest.mark.parametrize(("header", "wait_s"), [("7", 7), ("9999", 60), ("soon", 1)])
def test_a_busy_server_says_when_to_come_back(header: str, wait_s: float) -> None:
    with pytest.raises(TemporaryError) as busy:
        ask(lambda _: httpx.Response(429, headers={"retry-after": header}))
    assert busy.value.retry_after_s == wait_s


def test_an_answer_that_is_too_large_is_not_read_to_its_end() -> None:
    given: list[int] = []

    def much() -> Iterator[bytes]:
        while True:
            given.append(1_000_000)
            yield b" " * 1_000_000

    with pytest.raises(PermanentError, match="answers with more than 32 MB") as caught:
        ask(lambda _: httpx.Response(200, content=much()))
    assert "`where`" in caught.value.next_step
    assert sum(given) <= MOST_BYTES + 1_000_000


def test_an_answer_that_drips_is_given_up() -> None:
    def slowly() -> Iterator[bytes]:
        while True:
            time.sleep(0.05)
            yield b" "

    drip = httpx.MockTransport(lambda _: httpx.Response(200, content=slowly()))
    begun = time.monotonic()
    with httpx.Client(transport=drip) as client:
        api = Api("http://prometheus:9090", client)
        with pytest.raises(Unreachable, match=r"gave no answer within 0\.2 s"):
            api.query("up[1m]", datetime.now(UTC), timeout_s=0.2)
    assert time.monotonic() - begun < 20, "it drips for ever"


OUTAGES = {
    *("ConnectError", "ConnectTimeout", "CloseError", "NetworkError", "PoolTimeout", "ProxyError"),
    *("ReadError", "ReadTimeout", "RemoteProtocolError", "TimeoutException", "WriteError"),
    "WriteTimeout",
}
RAISED = [
    one
    for one in (getattr(httpx, name) for name in httpx.__all__)
    if isinstance(one, type) and issubclass(one, Exception) and one is not httpx.HTTPStatusError
]


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.__name__)
def test_everything_that_httpx_raises_becomes_an_error_of_ours(kind: type[Exception]) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        try:
            raise kind("long " * 100)
        except TypeError:
            raise kind() from None

    with pytest.raises(RollbackError) as caught:
        ask(fail)
    assert isinstance(caught.value.__cause__, kind)
    assert isinstance(caught.value, Unreachable) == (kind.__name__ in OUTAGES)
    assert len(caught.value.what) < 400


# The token


def test_a_token_goes_into_the_header_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    monkeypatch.setenv("PROMETHEUS_TOKEN", TOKEN)
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json=EMPTY)

    caplog.set_level("DEBUG")
    for reference in (f"file:{file}", "env:PROMETHEUS_TOKEN"):
        ask(answer, reference)
    for request in sent:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert TOKEN not in f"{request.url}{request.content!r}"
    assert TOKEN not in caplog.text
    assert TOKEN not in json.dumps(source(token=f"file:{file}").model_dump())


def test_without_a_token_there_is_no_header() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json=EMPTY)

    ask(answer)
    assert "authorization" not in sent[0].headers


@pytest.mark.parametrize("text", ["", f"{TOKEN}\nX-Other: 1", f"{TOKEN} {TOKEN}", f"{TOKEN}\x00"])
def test_what_is_no_token_is_told_by_its_reference_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(PermanentError, match=f"the token at file:{file}") as caught:
        ask(lambda _: httpx.Response(200, json=EMPTY), f"file:{file}")
    assert TOKEN not in str(caught.value)
    assert caught.value.__cause__ is None
