"""One question for all who look, and none of them waits for it."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from activities.integrations.prometheus import Answered, Prometheus, Rounds, rounds
from rollback_manager.metrics.sources import ErrorsByLabel, PrometheusSource

EMPTY = {"status": "success", "data": {"resultType": "matrix", "result": []}}
SOURCE = PrometheusSource(
    kind="prometheus",
    url="http://prometheus",
    requests="requests_total",
    errors=ErrorsByLabel(kind="label", label="code", matches="5.."),
    scrape_interval_s=15,
)


class Asked:
    """Answers on the wire as Prometheus does, after `wait`; remembers what it was asked."""

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.status = 200
        self.answers = threading.Event()
        self.answers.set()
        self.client = httpx.Client(transport=httpx.MockTransport(self._answer))

    def rounds(self, *services: str) -> Rounds:
        return Rounds(Prometheus(dict.fromkeys(services, SOURCE), self.client))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.queries.append(request.content.decode())
        self.answers.wait(20)
        return httpx.Response(self.status, json=EMPTY)


@pytest.fixture
def asked() -> Iterator[Asked]:
    one = Asked()
    with one.client:
        yield one
        one.answers.set()


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_many_services_looked_at_each_second_are_one_question_per_round(asked: Asked) -> None:
    names = [f"s{number}" for number in range(100)]
    shared = asked.rounds(*names)
    assert shared.every_s == 5
    with ThreadPoolExecutor(50) as threads:
        for _ in range(20):
            assert all(isinstance(one, Answered) for one in threads.map(shared.newest, names))
    assert len(asked.queries) <= 2, "some may come too late for the first"
    assert all(f"s{number}" in asked.queries[-1] for number in range(100))


def test_it_is_asked_again_when_the_round_is_over(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = asked.rounds("shop")
    shared.every_s = 0.2
    first = shared.newest("shop")
    until(lambda: shared.newest("shop") is not first)
    assert len(asked.queries) == 2


def test_one_that_hangs_holds_up_nobody_who_has_an_answer(asked: Asked) -> None:
    shared = asked.rounds("shop")
    shared.every_s = 0.1
    first = shared.newest("shop")
    asked.answers.clear()
    time.sleep(0.15)
    until(lambda: shared.newest("shop") is first and len(asked.queries) == 2)
    begun = time.monotonic()
    assert [shared.newest("shop") for _ in range(100)] == [first] * 100
    assert time.monotonic() - begun < rounds.FIRST_S, "not one of them waited"


def test_one_that_hangs_from_the_start_is_waited_for_a_second_at_most(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "FIRST_S", 0.2)
    asked.answers.clear()
    begun = time.monotonic()
    assert asked.rounds("shop").newest("shop") == "Prometheus was asked and has not answered yet"
    assert time.monotonic() - begun < 10, "nobody answers before the test is over"


def test_an_outage_is_said_at_once_and_ends_with_the_next_answer(asked: Asked) -> None:
    shared = asked.rounds("shop")
    shared.every_s = 0.1
    asked.status = 503
    assert "is not able to answer (503" in str(shared.newest("shop"))
    asked.status = 200
    until(lambda: isinstance(shared.newest("shop"), Answered))


def test_an_answer_of_long_ago_is_not_given_for_one_of_now(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "FIRST_S", 0.2)
    monkeypatch.setattr(rounds, "TIMEOUT_S", 0.1)
    shared = asked.rounds("shop")
    shared.every_s = 0.1
    assert isinstance(shared.newest("shop"), Answered)
    time.sleep(0.5)
    asked.answers.clear()
    assert isinstance(shared.newest("shop"), str)


def test_a_service_that_nobody_looks_at_any_more_is_not_asked_for(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "WANTED_S", 0.2)
    shared = asked.rounds("shop", "cart")
    shared.every_s = 0.1
    shared.newest("shop")
    shared.newest("cart")
    time.sleep(0.3)
    shared.newest("cart")
    until(lambda: "shop" not in asked.queries[-1])


def test_an_answer_that_took_long_is_followed_by_a_longer_rest(asked: Asked) -> None:
    shared = asked.rounds("shop")
    shared.every_s = 0.1
    threading.Timer(0.5, asked.answers.set).start()
    asked.answers.clear()
    until(lambda: isinstance(shared.newest("shop"), Answered))
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        shared.newest("shop")
        time.sleep(0.05)
    assert len(asked.queries) == 1
