"""Waiting without missing what people say, where no server can bring the moment about."""

import asyncio

import pytest
from temporalio import workflow

from workflows.control import Control


async def test_a_cancel_in_the_moment_of_the_result_loses_neither(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workflow, "cancellation_reason", lambda: "an operator")
    loop, answer = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

    async def write() -> str:
        return str(await answer)

    control = Control()
    course = asyncio.create_task(control.to_the_end(write()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    answer.set_result("written")  # the write has ended, nobody was told yet …
    loop.call_soon(course.cancel)  # … and here the cancel comes in between
    assert await course == "written"
    assert control.abort is not None
    assert control.abort.by == "temporal-cancel"
