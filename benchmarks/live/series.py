"""Plays runs, each in a process of its own, and keeps every one the moment it has ended."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import progress
from benchmarks.live.plan import Asked, Run
from demo.processes import with_parent

PATIENCE_S = 720.0
"""The longest run that can be: 16 s to come up, the fault 120 s later, 240 s to a rollback of
240 s; one that takes longer hangs."""
ENDING_S = 40.0
WORDS = 1500
"""Of the end of a failed run's output."""


def kept(out: Path) -> list[Run]:
    """The runs of a file; a last line that an interruption cut is no run."""
    lines = out.read_text().splitlines(keepends=True) if out.exists() else []
    return [Run.model_validate_json(line) for line in lines if line.endswith("\n")]


def still_to_make(asked: Iterable[Asked], made: Sequence[Run]) -> Iterator[Asked]:
    """Those that the file does not have; a run that failed counts as made."""
    names = {run.name for run in made}
    return (one for one in asked if one.name not in names)


async def series(asked: Iterable[Asked], out: Path, at_once: int, within_s: float) -> None:
    """Play them, so many at once; after `within_s` none is begun any more."""
    _cut_last(out)
    waiting, begun = iter(asked), time.monotonic()

    async def lane() -> None:
        for one in waiting:
            if time.monotonic() - begun > within_s:
                progress(f"{one.name}: not begun, {within_s:.0f} s have passed")
                return
            _keep(out, await _played(one))

    async with asyncio.TaskGroup() as group:
        for number in range(at_once):
            group.create_task(lane(), name=f"lane {number}")


def _cut_last(out: Path) -> None:
    """The half line of an interrupted write would spoil the next one."""
    text = out.read_text() if out.exists() else ""
    if text and not text.endswith("\n"):
        out.write_text(text[: text.rfind("\n") + 1])


def _keep(out: Path, run: Run) -> None:
    with out.open("a") as file:
        file.write(run.model_dump_json() + "\n")
    progress(told(run))


def told(run: Run) -> str:
    """One line about a run."""
    if run.failure:
        return f"{run.name}: FAILED: {run.failure}"
    stages = run.stages.model_dump(exclude_none=True)
    times = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in stages.items())
    busy = ", machine too busy" if run.users and run.users.disturbed else ""
    return f"{run.name}: {run.wrong or 'as it should be'}{busy}; {times or run.because}"


async def _played(one: Asked) -> Run:
    began, load_average = datetime.now(UTC), os.getloadavg()[0]
    words = [f"--{name.replace('_', '-')}={value}" for name, value in one._asdict().items()]
    child = await asyncio.create_subprocess_exec(
        *with_parent(),
        *(sys.executable, "-m", "benchmarks.live.once", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            shown, said = await child.communicate()
        failure = f"code {child.returncode}: {said.decode(errors='replace')[-WORDS:]}"
    except TimeoutError:
        shown, failure = b"", f"not ended after {PATIENCE_S:.0f} s"
    finally:
        await _ended(child)
    if child.returncode == 0 and shown.strip():
        return Run.model_validate_json(shown.splitlines()[-1])
    return Run(
        seed=one.seed,
        number=one.number,
        scenario=one.scenario,
        began_at=began,
        seconds=(datetime.now(UTC) - began).total_seconds(),
        load_average=round(load_average, 2),
        failure=failure,
    )


async def _ended(child: asyncio.subprocess.Process) -> None:
    """TERM lets it stop its world; KILL where it does not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.returncode is not None:
            return
        with suppress(ProcessLookupError):
            child.send_signal(number)
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDING_S):
                await child.wait()
