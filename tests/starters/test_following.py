"""Watching ends with the outcome, and nothing that happens to the watcher touches the rollback."""

import asyncio
from collections.abc import Iterator

import pytest

from rollback_manager.errors import NotFound, RollbackError, Unreachable
from rollback_manager.progress import (
    EndState,
    Result,
    RollbackOutcome,
    RollbackStatus,
    ServiceStatus,
    State,
)
from starters import following
from starters.following import follow, glance, seen_within, until_left
from starters.views import LogView
from tests import builders as b


def status(state: State = State.RUNNING, **changes: object) -> RollbackStatus:
    made = RollbackStatus(rollback=b.PARENT, env="demo", state=state)
    return made.model_copy(update=changes)


class Scripted:
    """A rollback of the shape that following needs: answers in turn, then it ends or never does."""

    def __init__(
        self, *answers: RollbackStatus | RollbackError, ends: RollbackOutcome | None = None
    ) -> None:
        self.id = b.PARENT
        self._answers: Iterator[RollbackStatus | RollbackError] = iter(answers)
        self._last: RollbackStatus | RollbackError = answers[-1]
        self._over = asyncio.Event()
        self._ends = ends

    async def status(self) -> RollbackStatus:
        try:
            self._last = next(self._answers)
        except StopIteration:
            if self._ends is not None:
                self._over.set()
        if isinstance(self._last, RollbackError):
            raise self._last
        return self._last

    async def result(self) -> RollbackOutcome:
        await self._over.wait()
        assert self._ends is not None
        return self._ends


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "EVERY_S", 0.01)
    monkeypatch.setattr(following, "GLANCE_S", 0.1)


async def test_it_exits_with_the_outcome() -> None:
    answer = await follow(Scripted(status(), ends=b.outcome()), 5)
    assert answer.code == 0
    assert "VERIFIED" in answer.text
    assert answer.document["rollback"] == b.PARENT


async def test_mixed_is_6() -> None:
    mixed = b.outcome(result=Result.NOT_VERIFIED, services=(b.service_outcome(end=EndState.MIXED),))
    assert (await follow(Scripted(status(), ends=mixed), 5)).code == 6


async def test_a_worker_that_is_away_for_a_while_does_not_end_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    away = Unreachable("no worker answers")
    answer = await follow(Scripted(away, away, status(), ends=b.outcome()), 5)
    assert answer.code == 0
    assert capsys.readouterr().err.count("no answer: no worker answers") == 1


async def test_after_the_time_out_it_goes_on_and_the_code_is_8() -> None:
    answer = await follow(Scripted(status()), 0.05)
    assert answer.code == 8
    assert "The rollback continues." in answer.text
    assert f"rollback-manager abort {b.PARENT}" in answer.text


async def test_ctrl_c_leaves_and_says_how_to_stop_it() -> None:
    watching = asyncio.create_task(until_left(Scripted(status()), None))
    await asyncio.sleep(0.05)
    watching.cancel()  # what asyncio.run does at the first Ctrl-C
    answer = await watching
    assert answer.code == 130
    assert "The rollback continues." in answer.text
    assert f"rollback-manager abort {b.PARENT}" in answer.text


async def test_what_does_not_exist_is_not_watched() -> None:
    with pytest.raises(NotFound):
        await follow(Scripted(NotFound("there is none")), 5)


async def test_a_glance_at_an_ended_rollback_tells_the_end() -> None:
    ended = status(State.FINISHED, outcome=b.outcome())
    assert (await glance(Scripted(ended))).code == 0
    assert (await glance(Scripted(status()))).code == 8
    assert "no worker" in (await glance(Scripted(Unreachable("gone")))).text


async def test_an_effect_is_looked_for_and_may_be_missing() -> None:
    child = ServiceStatus(
        rollback=b.PARENT,
        service="shop",
        state=State.PAUSED,
        from_version="v2",
        to_version="v1",
        steps=(),
    )
    paused = status(services=(child,))
    assert await seen_within(Scripted(status(), paused), lambda s: s == "paused") == paused
    assert await seen_within(Scripted(status()), lambda s: s == "paused") is None


def test_a_silent_log_gets_a_sign_of_life(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("starters.views.HEARTBEAT_S", 0.0)
    view = LogView()
    view.see(status())
    view.see(status())
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("RUNNING")
    assert "still RUNNING" in lines[1]
