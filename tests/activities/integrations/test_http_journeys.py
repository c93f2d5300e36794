"""Journeys against a real small server."""

import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from activities.integrations.http_journeys import HttpJourneys
from activities.targets import Journeys
from rollback_manager.catalogue import Journey
from rollback_manager.verification import Answer, Verdict


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/gone":
            self.connection.close()
        elif self.path == "/moved":
            self._page(302, b"", location="/")
        elif self.path == "/broken":
            self._page(500, b"Oops")
        elif self.path == "/host?of=users":
            self._page(200, str(self.headers["Host"]).encode())
        elif self.path == "/slow":
            time.sleep(0.3)
            self._page(200, b"late")
        elif self.path == "/drip":
            self._drip()
        else:
            self._page(200, b"Your cart\xc3\xa9 is empty")

    def _page(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(100):
                self.wfile.write(b".")
                time.sleep(0.05)
        except ConnectionError:
            return  # the journey had enough

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def front() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as one:
        yield one


def run(client: httpx.Client, url: str, **more: object) -> Verdict:
    journeys: Journeys = HttpJourneys(
        (Journey.model_validate({"name": "cart", "get": url, **more}),), client
    )
    (verdict,) = journeys.run()
    assert verdict.check == "journey: cart"
    assert url in verdict.because
    return verdict


def test_a_journey_that_users_can_make_passes_with_its_numbers(
    front: str, client: httpx.Client
) -> None:
    verdict = run(client, f"{front}/cart", contains="carté is empty")
    assert verdict.answer is Answer.PASSED
    assert "200 in " in verdict.because
    assert " ms, 'carté is empty' found" in verdict.because


@pytest.mark.parametrize(
    ("path", "more", "said"),
    [
        ("/broken", {}, "500 in .* ms; expected 200"),
        ("/moved", {}, "302 in .* ms; expected 200"),
        ("/cart", {"contains": "Thank you"}, "without the text 'Thank you'"),
        ("/slow", {"within_ms": 100}, "no answer within 100 ms"),
        ("/drip", {"within_ms": 200}, "slower than 200 ms"),
        ("/gone", {}, "users cannot reach it: RemoteProtocolError"),
    ],
)
def test_a_journey_that_users_cannot_make_fails_with_the_reason(
    front: str, client: httpx.Client, path: str, more: dict[str, object], said: str
) -> None:
    begun = time.monotonic()
    verdict = run(client, front + path, **more)
    assert verdict.answer is Answer.FAILED
    assert re.search(said, verdict.because)
    assert time.monotonic() - begun < 4, "it drips for 5 s"


def test_a_status_other_than_200_can_be_the_right_one(front: str, client: httpx.Client) -> None:
    assert run(client, f"{front}/moved", status=302).answer is Answer.PASSED


def test_nobody_there_is_a_failed_journey(client: httpx.Client) -> None:
    verdict = run(client, "http://127.0.0.1:1/cart")
    assert verdict.answer is Answer.FAILED
    assert "users cannot reach it: ConnectError" in verdict.because


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/cart", "cart", "http://127.0.0.1:eighty/"])
def test_a_journey_that_cannot_be_asked_is_an_error(client: httpx.Client, url: str) -> None:
    """The catalogue refuses it; were it to come by, it is no word about the release."""
    odd = Journey(name="cart", get="http://127.0.0.1/").model_copy(update={"get": url})
    (verdict,) = HttpJourneys((odd,), client).run()
    assert verdict.answer is Answer.ERROR


def test_every_journey_gets_its_verdict_in_order(front: str, client: httpx.Client) -> None:
    paths = ("/broken", "/cart", "/gone")
    journeys = tuple(Journey(name=path, get=front + path) for path in paths)
    verdicts = HttpJourneys(journeys, client).run()
    assert [(one.check, one.answer) for one in verdicts] == [
        ("journey: /broken", Answer.FAILED),
        ("journey: /cart", Answer.PASSED),
        ("journey: /gone", Answer.FAILED),
    ]


def test_without_journeys_there_are_no_verdicts(client: httpx.Client) -> None:
    assert HttpJourneys((), client).run() == ()


def test_at_an_instance_the_same_is_asked_and_the_users_host_is_named(front: str) -> None:
    asked = Journey(name="host", get="https://shop.example/host?of=users", contains="shop.example")
    with httpx.Client(trust_env=False) as client:
        (said,) = HttpJourneys((asked,), client).run_at(front)
    assert said.check == "journey: host"
    assert said.answer is Answer.PASSED, said
    assert said.because.startswith(f"GET {front}/host?of=users: 200")


def test_a_journey_that_was_never_sent_says_nothing_of_what_users_see(front: str) -> None:
    with (
        httpx.Client(trust_env=False, limits=httpx.Limits(max_connections=1)) as client,
        client.stream("GET", f"{front}/drip"),  # takes the one connection
    ):
        verdict = run(client, f"{front}/cart", within_ms=100)
    assert verdict.answer is Answer.ERROR
    assert "not asked: too many requests under way here" in verdict.because
