"""Programs that are built here with Go, once: one process builds, the others wait for it."""

import asyncio
import contextlib
import os
import platform
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from rollback_manager.errors import PermanentError
from workers.file_lock import FileLock, Held

BUILD_LIMIT_S = 1800.0  # three to ten times what a build takes on two cores (3 min to 9 min)

Progress = Callable[[str], None]


@dataclass(frozen=True)
class GoBuild:
    """What is built, and with which commands, each in the folder of the build."""

    what: str
    package: str
    steps: tuple[str, ...]
    takes: str
    """For the person who waits, as in "2 to 3 minutes"."""


def platform_folder() -> str:
    """This machine in Go's words, as in linux-amd64."""
    machine = platform.machine().lower()
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{platform.system().lower()}-{arch}"


@contextlib.asynccontextmanager
async def alone(lock_file: Path, what: str, progress: Progress) -> AsyncIterator[None]:
    """The only process in this block; who waits is told for whom."""
    lock = await _wait_for(lock_file, what, progress)
    try:
        yield
    finally:
        lock.release()


async def _wait_for(lock_file: Path, what: str, progress: Progress) -> FileLock:
    told = ""
    while True:
        try:
            return FileLock(lock_file)
        except Held as held:
            if told != held.holder:
                told = held.holder
                progress(f"waiting for {told}, which is getting {what}")
        await asyncio.sleep(0.2)


async def build(one: GoBuild, folder: Path, progress: Progress, *, progress_every_s: float) -> None:
    """Carry out the steps in `folder`; Go's own caches stay where the user has them.

    Raises:
        PermanentError: there is no Go, a step failed, or it took longer than `BUILD_LIMIT_S`.
    """
    if shutil.which("go") is None:
        raise PermanentError("it cannot be built here: there is no go on PATH")
    log = folder / "go.log"
    process = _spawn(["sh", "-c", " && ".join(one.steps)], folder, log)
    try:
        await _until_built(process, one, progress, progress_every_s)
    finally:
        if process.poll() is None:  # go's compilers are its children: end the whole group
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode != 0:
        said = log.read_text(errors="replace").strip()[-300:]
        raise PermanentError(f"the build of {one.package} failed: {said or 'without a word'}")


def _spawn(command: list[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 -- a fixed command
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


async def _until_built(
    process: subprocess.Popen[bytes], one: GoBuild, progress: Progress, every_s: float
) -> None:
    clock = asyncio.get_running_loop().time
    began = told_at = clock()
    progress(f"building {one.what} with Go; once, typically {one.takes}")
    while process.poll() is None:
        if clock() - began > BUILD_LIMIT_S:
            raise PermanentError(f"the build took longer than {BUILD_LIMIT_S / 60:.0f} minutes")
        if clock() - told_at > every_s:
            told_at = clock()
            progress(f"building {one.what}, {clock() - began:.0f} s")
        await asyncio.sleep(0.1)
