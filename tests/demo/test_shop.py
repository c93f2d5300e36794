"""The shop's instances: what the world's promises to users rest on."""

import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from demo import envoy_admin
from demo.ports import PortBlock
from demo.supervisord_config import SHOP
from demo.world import TILL


@pytest.fixture
def port() -> Iterator[int]:
    ports = PortBlock()
    yield ports.take()
    ports.close()


def start(port: int, *options: str) -> subprocess.Popen[bytes]:
    """An instance that answers, even if it is not yet warm."""
    command = [sys.executable, "-I", "-S", str(SHOP), "--version", "v1", "--port", str(port)]
    instance = subprocess.Popen([*command, *options])
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            envoy_admin.get(port, "/none")
        except OSError:
            time.sleep(0.01)
        else:
            return instance
    instance.kill()
    raise AssertionError("the shop did not start")


def end(instance: subprocess.Popen[bytes]) -> int:
    instance.terminate()
    return instance.wait(5)


def test_every_answer_tells_its_version_on_a_connection_that_stays(port: int) -> None:
    instance = start(port)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for path, status in (("/", 200), ("/checkout?id=1", 200), ("/ready", 200), ("/nope", 404)):
        connection.request("GET", path)
        kept = connection.sock
        answer = connection.getresponse()
        assert (answer.status, answer.headers["x-version"]) == (status, "v1")
        assert b'"version": "v1"' in answer.read()
        assert connection.sock is kept
    assert end(instance) == 0  # at once, though the connection is open
    connection.close()


def test_an_instance_is_not_ready_before_it_is_warm(port: int) -> None:
    instance = start(port, "--warm-up-s", "0.5")
    assert envoy_admin.get(port, "/ready")[0] == 503
    time.sleep(0.5)
    assert envoy_admin.get(port, "/ready")[0] == 200
    assert end(instance) == 0


def test_a_request_in_flight_is_answered_before_the_end(port: int) -> None:
    instance = start(port, "--latency-ms", "400")
    statuses: list[int] = []
    user = threading.Thread(target=lambda: statuses.append(envoy_admin.get(port, "/")[0]))
    user.start()
    time.sleep(0.15)
    assert end(instance) == 0
    user.join()
    assert statuses == [200]


def test_of_four_neighbours_two_are_not_ready_and_answer_on() -> None:
    ports = PortBlock()
    first = ports.take(4)
    instances = [start(first + n, "--unready-ratio", "0.5") for n in range(4)]
    assert sorted(envoy_admin.get(first + n, "/ready")[0] for n in range(4)) == [200, 200, 503, 503]
    assert [envoy_admin.get(first + n, "/")[0] for n in range(4)] == [200] * 4
    assert [end(one) for one in instances] == [0] * 4
    ports.close()


def test_a_version_can_be_broken_on_purpose(port: int) -> None:
    instance = start(port, "--error-ratio", "1", "--slow-ratio", "1", "--slow-ms", "100")
    began = time.monotonic()
    assert envoy_admin.get(port, "/")[0] == 500
    assert time.monotonic() - began >= 0.1
    assert envoy_admin.get(port, "/ready")[0] == 200  # it fails its users, not its checks
    assert end(instance) == 0


def test_a_version_can_hang_and_still_end(port: int) -> None:
    instance = start(port, "--hang-ratio", "1")
    assert envoy_admin.get(port, "/ready")[0] == 200
    user = http.client.HTTPConnection("127.0.0.1", port, timeout=0.3)
    user.request("GET", "/checkout")
    with pytest.raises(TimeoutError):
        user.getresponse()
    assert end(instance) == 0
    user.close()


@pytest.fixture
def till() -> Iterator[int]:
    ports = PortBlock()
    port = ports.take()
    counting = subprocess.Popen([sys.executable, "-I", "-S", str(TILL), "--port", str(port)])
    deadline = time.monotonic() + 5
    while not envoy_admin.answers(port, "/") and time.monotonic() < deadline:
        time.sleep(0.05)
    yield port
    counting.terminate()
    counting.wait(5)
    ports.close()


def orders_after_checkouts(port: int, till: int) -> str:
    """What the till says, a moment after each of some checkouts that look well."""
    for _ in range(10):
        assert envoy_admin.get(port, "/checkout")[0] == 200
        told = envoy_admin.get(till, "/numbers")[1]
        if told != NO_ORDERS:
            return told
    return NO_ORDERS


NO_ORDERS = '{"orders": {"per_minute": 0}}\n'


def test_a_checkout_is_an_order_unless_it_is_lost(port: int, till: int) -> None:
    instance = start(port, "--till", str(till), "--lost-ratio", "1")
    assert orders_after_checkouts(port, till) == NO_ORDERS
    assert end(instance) == 0
    instance = start(port, "--till", str(till))
    assert orders_after_checkouts(port, till) != NO_ORDERS
    assert end(instance) == 0
