"""A store that is far away: strangers cannot make the gateway ask it all the time, or wait."""

import asyncio
import threading
import time
from typing import cast

import httpx
import pytest

from activities.secrets import NoSecret
from rollback_manager.client import RollbackClient
from rollback_manager.errors import Unreachable
from rollback_manager.incidents.alert_names import AlertSource
from starters.gateway.app import make_app
from starters.gateway.doors import Binding, Doors
from tests import rig
from tests.starters.gateway.conftest import ORIGIN
from workers.seldom import RECENT_S, Seldom


class Store:
    """A stand-in for a store of secrets: counts, and answers as it is told."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: str | Exception = "old"
        self.held: threading.Event | None = None

    def read(self, place: str) -> str:
        self.asked += 1
        if self.held is not None:
            self.held.wait(10)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_secret_is_asked_for_seldom_and_a_new_one_is_found() -> None:
    store, clock = Store(), [0.0]
    seldom = Seldom(store, lambda: clock[0])
    assert {seldom.read("x") for _ in range(1000)} == {"old"}
    assert store.asked == 1
    store.answer = "new"
    clock[0] = RECENT_S
    assert seldom.read("x") == "new"


def test_while_the_store_is_away_what_was_known_serves_and_what_is_gone_does_not() -> None:
    store, clock = Store(), [0.0]
    seldom = Seldom(store, lambda: clock[0])
    assert seldom.read("x") == "old"
    store.answer = Unreachable("away")
    clock[0] = RECENT_S
    assert seldom.read("x") == "old"
    with pytest.raises(Unreachable):
        seldom.read("y")
    store.answer = NoSecret("does not exist")
    clock[0] = 2 * RECENT_S
    with pytest.raises(NoSecret):
        seldom.read("x")


def test_one_waits_for_a_slow_store_and_the_others_go_on() -> None:
    store, clock = Store(), [0.0]
    seldom = Seldom(store, lambda: clock[0])
    assert seldom.read("x") == "old"
    clock[0], store.held = RECENT_S, threading.Event()
    one = threading.Thread(target=seldom.read, args=("x",))
    one.start()
    while store.asked < 2:
        time.sleep(0.001)
    assert seldom.read("x") == "old"
    store.held.set()
    one.join()
    assert store.asked == 2


async def test_a_slow_store_at_one_door_keeps_no_other_door_waiting() -> None:
    store = Store()
    store.held = threading.Event()
    doors = Doors(
        rollbacks=cast(RollbackClient, None),
        catalogue=rig.catalogue("shop", {}),
        binding=Binding("127.0.0.1", 8088, ORIGIN, ("127.0.0.1:8088",)),
        now=lambda: pytest.fail("nobody needs the time"),
        alert_secrets={AlertSource.ALERTMANAGER: lambda: [store.read("x")]},
    )
    transport = httpx.ASGITransport(make_app(doors), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        knocking = asyncio.create_task(http.post("/alerts/alertmanager", json={}))
        while not store.asked:
            await asyncio.sleep(0.01)
        async with asyncio.timeout(2):
            assert (await http.get("/api/v1/services")).status_code == 200
        assert not knocking.done()
        store.held.set()
        assert (await knocking).status_code == 401
