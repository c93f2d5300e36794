"""Child processes that end with their parent, and the waiting for what they should do."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from demo.errors import WorldError

POLL_S = 0.02
LINES = 20
"""Of a child's log, in the error that tells of its end."""


def with_parent() -> list[str]:
    """The words before a command that end it with its parent; none where Linux' setpriv lacks."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    words = [setpriv, "--pdeathsig", "TERM", "--"]
    works = subprocess.run([*words, "true"], check=False, capture_output=True)  # noqa: S603
    return words if works.returncode == 0 else []


class Children:
    """The processes that this one started, by name; each one's output is in `<logs>/<name>.out`."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.prefix = with_parent()
        # setpriv's signal comes when the *thread* that started the child ends: own that thread.
        self._spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a child in a session of its own: Ctrl-C is for us, we end it."""
        self._spawner.submit(self._spawn, name, command).result()

    def _spawn(self, name: str, command: Sequence[str]) -> None:
        with self.log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - the world's own parts
                [*self.prefix, *command], stdout=log, stderr=log, start_new_session=True
            )

    def log(self, name: str) -> Path:
        """Where the child writes."""
        return self._logs / f"{name}.out"

    def pids(self) -> dict[str, int]:
        """The children that live, by name."""
        return {name: child.pid for name, child in self._running.items() if child.poll() is None}

    def check(self) -> None:
        """Raise if a child ended without being told to, with the end of its log."""
        for name, child in self._running.items():
            if child.poll() is not None:
                raise WorldError(f"{name} ended with {child.returncode}:\n{tail(self.log(name))}")

    def kill(self, name: str) -> None:
        """End a child as a crash would."""
        child = self._running.pop(name)
        child.kill()
        child.wait()

    def end(self, timeout_s: float, meanwhile: Callable[[], object]) -> None:
        """TERM to all, wait (calling `meanwhile` again and again), KILL what is left; reap."""
        self._spawner.submit(lambda: None).result()  # Ctrl-C may have left a start under way
        for child in self._running.values():
            child.terminate()
        try:
            self._wait_for_all(time.monotonic() + timeout_s, meanwhile)
        finally:
            for name in list(self._running):
                self.kill(name)  # of an ended one only the reaping is left
            self._spawner.shutdown()

    def _wait_for_all(self, deadline: float, meanwhile: Callable[[], object]) -> None:
        while self.pids() and time.monotonic() < deadline:
            meanwhile()
            time.sleep(POLL_S)


def until(
    what: str, holds: Callable[[], bool], timeout_s: float, check: Callable[[], None]
) -> None:
    """Poll until `holds`; `check` raises when waiting has become pointless.

    Raises:
        WorldError: it did not hold within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while not holds():
        check()
        if time.monotonic() > deadline:
            raise WorldError(f"not within {timeout_s:g} s: {what}")
        time.sleep(POLL_S)


def tail(log: Path) -> str:
    """The last lines of a log, or that there is none."""
    if not log.is_file():
        return f"({log.name} was never written)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-LINES:])


def is_running(pid: int, word: str = "") -> bool:
    """Whether a process with this id runs (a zombie does not) and has `word` in its command."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False  # the usual case, without another process to find out
    # Without -ww the command is cut where the terminal would end.
    command = ["ps", "-ww", "-o", "stat=", "-o", "command=", "-p", str(pid)]
    shown = subprocess.run(command, check=False, capture_output=True, text=True).stdout  # noqa: S603
    return bool(shown) and word in shown and not shown.startswith("Z")


def kill_leftover(pid: int, word: str) -> None:
    """End a process that lost its parent, unless its id has gone to another command by now."""
    if is_running(pid, word):
        os.kill(pid, signal.SIGKILL)
