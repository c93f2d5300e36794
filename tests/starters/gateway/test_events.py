"""A rollback as it changes, for many who look: server-sent events and the one loop behind them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from rollback_manager.client import Rollback
from rollback_manager.errors import RollbackError, Unreachable
from rollback_manager.progress import RollbackStatus, State
from starters.gateway import following
from starters.gateway.following import Followings, news_of
from tests.starters.gateway.conftest import Gate

RUNNING = RollbackStatus(rollback="rollback/test/k", env="test", state=State.RUNNING)
PAUSED = RUNNING.model_copy(update={"state": State.PAUSED})
FINISHED = RUNNING.model_copy(update={"state": State.FINISHED})


class Scripted(Rollback):
    """A rollback that tells these, one whenever the test says so."""

    def __init__(self, *told: RollbackStatus | RollbackError) -> None:
        self.id = "rollback/test/k"
        self.told = list(told)
        self.asked = 0
        self.next = asyncio.Semaphore(0)

    async def events(self, *, every_s: float = 0.5) -> AsyncIterator[RollbackStatus]:
        self.asked += 1
        while self.told:
            await self.next.acquire()
            one = self.told.pop(0)
            if isinstance(one, RollbackError):
                raise one
            yield one


async def _heard(all_of_them: Followings, rollback: Rollback, seen: str = "") -> list[State | str]:
    heard: list[State | str] = []
    with all_of_them.of(rollback) as followed:
        async for news in followed.news(seen):
            if news is None:
                heard.append("silence")
            elif news.status is None:
                heard.append("trouble")
            else:
                heard.append(news.status.state)
    return heard


async def _tell(rollback: Scripted, times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0.01)
        rollback.next.release()


async def test_a_hundred_who_look_cost_one_loop() -> None:
    rollback, all_of_them = Scripted(RUNNING, PAUSED, FINISHED), Followings()
    listeners = [asyncio.create_task(_heard(all_of_them, rollback)) for _ in range(100)]
    await _tell(rollback, 3)
    heard = await asyncio.gather(*listeners)
    assert heard == [[State.RUNNING, State.PAUSED, State.FINISHED]] * 100
    assert rollback.asked == 1
    assert not all_of_them._known, "nobody listens any more, and nobody asks"


async def test_who_comes_back_is_told_only_what_is_new() -> None:
    rollback, all_of_them = Scripted(RUNNING, PAUSED, FINISHED), Followings()
    listener = asyncio.create_task(_heard(all_of_them, rollback, news_of(RUNNING).id))
    await _tell(rollback, 3)
    assert await listener == [State.PAUSED, State.FINISHED]


async def test_trouble_is_told_and_the_rollback_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "AGAIN_S", 0.01)
    rollback = Scripted(RUNNING, Unreachable("away"), FINISHED)
    listener = asyncio.create_task(_heard(Followings(), rollback))
    await _tell(rollback, 3)
    assert await listener == [State.RUNNING, "trouble", State.FINISHED]


async def test_silence_is_broken_by_a_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "HEARTBEAT_S", 0.02)
    rollback = Scripted(RUNNING, FINISHED)
    listener = asyncio.create_task(_heard(Followings(), rollback))
    await _tell(rollback, 1)
    await asyncio.sleep(0.1)
    await _tell(rollback, 1)
    heard = await listener
    assert [one for one in heard if one != "silence"] == [State.RUNNING, State.FINISHED]
    assert "silence" in heard[heard.index(State.RUNNING) : -1]


async def test_when_the_process_ends_listeners_are_let_go() -> None:
    rollback, all_of_them = Scripted(RUNNING, FINISHED), Followings()
    listener = asyncio.create_task(_heard(all_of_them, rollback))
    await _tell(rollback, 1)
    await asyncio.sleep(0.01)
    all_of_them.end()
    async with asyncio.timeout(1):
        assert await listener == [State.RUNNING]


async def test_events_are_told_until_the_end_and_not_again(gate: Gate) -> None:
    service = gate.rig.service
    wanted = {"env": "test", "services": [service], "confirm": service}
    where = (await gate.http.post("/api/v1/rollbacks", json=wanted)).json()["rollback"]
    async with asyncio.timeout(30):
        whole = await gate.http.get(f"/api/v1/{where}/events")
    assert whole.headers["content-type"].startswith("text/event-stream")
    events = [part for part in whole.text.split("\n\n") if part.startswith("event: status")]
    assert '"state":"finished"' in events[-1]
    last = events[-1].rpartition("id: ")[2]
    back = {"Last-Event-ID": last}
    assert (await gate.http.get(f"/api/v1/{where}/events", headers=back)).status_code == 204
    missing = await gate.http.get("/api/v1/rollback/test/never-was/events")
    assert (missing.status_code, missing.json()["type"]) == (404, "not-found")
