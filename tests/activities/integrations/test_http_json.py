"""Business numbers from a real small server."""

import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from activities.integrations.http_json import MOST_BYTES, HttpJson
from rollback_manager.metrics.business import NoNumber, Number
from rollback_manager.metrics.sources import BusinessSource

TOKEN = "s3cr3t-of-the-shop"  # noqa: S105
BODIES = {
    "/orders": b'{"orders": {"per_minute": 41.5}, "a/b": {"m~n": [7, 8]}, "": 3}',
    "/types": b'{"text": "41", "yes": true, "none": null, "list": [], "object": {}, "big": 1'
    + b"0" * 400
    + b"}",
    "/nan": b'{"nan": NaN, "inf": Infinity, "less": -Infinity, "over": 1e999}',
    "/html": b"<html>Log in</html>",
    "/cut": b'{"orders": 4',
    "/empty": b"",
    "/deep": b"[" * 90_000,
    "/huge": b'{"orders": 41, "more": "' + b"x" * MOST_BYTES + b'"}',
}
STATUSES = {"/busy": 503, "/moved": 302, "/gone": 404, "/secret": 401, "/nothing": 204}


class Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/close":
            self.connection.close()
        elif self.path == "/slow":
            time.sleep(0.5)
            self._answer(200, b"1")
        elif self.path == "/drip":
            self._drip()
        elif self.path == "/mine":
            mine = self.headers.get("authorization") == f"Bearer {TOKEN}"
            self._answer(200 if mine else 401, b"12")
        else:
            self._answer(STATUSES.get(self.path, 200), BODIES.get(self.path, b""))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status == 302:
            self.send_header("location", "/orders")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:
            return  # the reader had enough

    def _drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(100):
                self.wfile.write(b" ")
                time.sleep(0.05)
        except ConnectionError:
            return

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as one:
        yield one


def source(**more: object) -> BusinessSource:
    words = {"kind": "http_json", "name": "orders", "unit": "orders per minute", "pointer": ""}
    return BusinessSource.model_validate(words | more)


def read(client: httpx.Client, url: str, pointer: str = "", **more: object) -> Number | NoNumber:
    return HttpJson(source(url=url, pointer=pointer, **more), client).read()


def because(found: Number | NoNumber) -> str:
    assert isinstance(found, NoNumber), found
    assert found.name == "orders"
    return found.because


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("/orders/per_minute", 41.5), ("/a~1b/m~0n/1", 8), ("/", 3)],
)
def test_a_number_has_its_unit_and_its_time(
    shop: str, client: httpx.Client, pointer: str, value: float
) -> None:
    found = read(client, f"{shop}/orders", pointer)
    assert isinstance(found, Number)
    assert (found.value, found.unit) == (value, "orders per minute")
    assert found.taken_at.tzinfo is not None


@pytest.mark.parametrize(
    ("path", "pointer", "said"),
    [
        ("/orders", "/orders/per_hour", "missing: there is no 'per_hour' of '/orders/per_hour'"),
        ("/orders", "/a~1b/m~0n/2", "missing: there is no '2' of"),
        ("/orders", "/a~1b/m~0n/01", "missing: there is no '01' of"),
        ("/orders", "/a~1b/m~0n/-", "missing: there is no '-' of"),
        ("/orders", "/orders/per_minute/0", "missing: there is no '0' of"),
        ("/orders", "", "wrong type: a number was expected, not an object"),
        ("/types", "/text", "wrong type: a number was expected, not a text"),
        ("/types", "/yes", "wrong type: a number was expected, not true or false"),
        ("/types", "/none", "wrong type: a number was expected, not null"),
        ("/types", "/list", "wrong type: a number was expected, not a list"),
        ("/types", "/big", "infinite"),
        ("/nan", "/nan", "not a number: NaN"),
        ("/nan", "/inf", "infinite"),
        ("/nan", "/less", "infinite"),
        ("/nan", "/over", "infinite"),
        ("/html", "", "not JSON: "),
        ("/cut", "", "not JSON: "),
        ("/empty", "", "not JSON: "),
        ("/deep", "", "not JSON: "),
        ("/huge", "/orders", "huge: more than 100 kB"),
        ("/busy", "", "unavailable: 503"),
        ("/moved", "", "redirect: 302, which is not followed"),
        ("/gone", "", "refused: 404"),
        ("/secret", "", "refused: 401, is the token right?"),
        ("/nothing", "", "refused: 204"),
        ("/close", "", "down: RemoteProtocolError"),
        ("/slow", "", "slow: no answer within 200 ms"),
        ("/drip", "", "slow: no answer within 200 ms"),
    ],
)
def test_each_way_to_have_no_number_has_its_own_words(
    shop: str, client: httpx.Client, path: str, pointer: str, said: str
) -> None:
    begun, within_ms = time.monotonic(), 200 if path in ("/slow", "/drip") else 2000
    found = because(read(client, shop + path, pointer, within_ms=within_ms))
    assert found.startswith(f"GET {shop}{path}: {said}"), found
    assert time.monotonic() - begun < 4, "it drips for 5 s"


def test_nobody_there_is_a_reason(client: httpx.Client) -> None:
    assert "down: ConnectError" in because(read(client, "http://127.0.0.1:1/"))


def test_a_token_is_sent_from_where_it_is_kept_and_not_logged(
    shop: str,
    client: httpx.Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    for reference in (f"file:{file}", "env:SHOP_TOKEN"):
        assert isinstance(read(client, f"{shop}/mine", token=reference), Number)
    assert caplog.text
    assert TOKEN not in caplog.text
    file.write_text("another")
    assert "refused: 401" in because(read(client, f"{shop}/mine", token=f"file:{file}"))


@pytest.mark.parametrize("text", ["", " \n", f"{TOKEN}\nX: y", f"Bearer {TOKEN}", f"{TOKEN}é"])
def test_what_is_no_token_is_named_by_its_reference_alone(
    shop: str, client: httpx.Client, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    said = because(read(client, f"{shop}/mine", token=f"file:{file}"))
    assert re.search(rf"the token at file:{file} (is empty or not set|holds something)", said)
    assert TOKEN not in said


def test_a_token_that_is_not_there_is_a_reason(shop: str, client: httpx.Client) -> None:
    said = because(read(client, f"{shop}/mine", token="file:/nowhere/token"))  # noqa: S106
    assert "the token at file:/nowhere/token cannot be read: No such file" in said
    said = because(read(client, f"{shop}/mine", token="env:NO_SUCH_TOKEN"))  # noqa: S106
    assert "the token at env:NO_SUCH_TOKEN is empty or not set" in said


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://shop/x"},
        {"url": "/orders"},
        {"url": "http://user:secret@shop/x"},
        {"url": "http://shop:eighty/x"},
        {"pointer": "orders"},
        {"pointer": "/a~2"},
        {"token": TOKEN},
        {"token": "file:relative"},
        {"unit": ""},
        {"floor": float("nan")},
        {"within_ms": 0},
        {"better": "up"},
    ],
)
def test_what_cannot_be_asked_is_refused_in_the_catalogue(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        source(**{"url": "http://shop/x", **wrong})


def test_a_number_that_was_never_asked_for_does_not_make_its_source_slow(shop: str) -> None:
    with (
        httpx.Client(trust_env=False, limits=httpx.Limits(max_connections=1)) as client,
        client.stream("GET", f"{shop}/orders"),  # takes the one connection
    ):
        found = read(client, f"{shop}/orders", "/orders/per_minute", within_ms=100)
    assert "not asked: too many requests under way here" in because(found)
