"""The dev server as an operating system process: begun, looked at, ended, and what it said."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

ENDS_WITHIN_S = 5.0  # after TERM; a healthy server takes 2 s, a locked-up one never ends


def _ends_of(line: str) -> str:
    """What failed stands first, and why at the very end; between are names of Go functions."""
    return line if len(line) <= 500 else f"{line[:200]} … {line[-300:]}"


class ServerProcess:
    """A child with its own process group, its output appended to `log`.

    Its own group: Ctrl-C in a terminal must reach the workers first, the server last. On Linux it
    also ends with the *thread* that began it, however that ends: begin it in the main thread.
    """

    def __init__(self, command: Sequence[str], log: Path, *, inherits: Sequence[int] = ()) -> None:
        """Begin it. `inherits` are file descriptors that it shall hold as long as it lives."""
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        with log.open("ab") as output:
            self._said_from = output.tell()
            self._child = subprocess.Popen(  # noqa: S603 -- our own command line, no shell
                [*_ends_with_us(), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=inherits,
            )
        self.pid = self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._child.poll()

    def last_lines(self, count: int = 20) -> str:
        """The end of what this process said, for an error message."""
        with self._log.open("rb") as said:
            said.seek(max(self._said_from, self._log.stat().st_size - 20_000))
            lines = said.read().decode(errors="replace").splitlines()
        return "\n".join(_ends_of(line) for line in lines[-count:])

    async def ended(self, within_s: float) -> bool:
        """Wait for its end, at most `within_s`; whether it has ended."""
        clock = asyncio.get_running_loop().time
        until = clock() + within_s
        while self.exit_code is None and clock() < until:  # noqa: ASYNC110 -- no event says it
            await asyncio.sleep(0.03)
        return self.exit_code is not None

    async def end(self) -> None:
        """TERM, five seconds, KILL. It is gone when this returns, also if it is cancelled."""
        try:
            self._signal(signal.SIGTERM)
            await self.ended(ENDS_WITHIN_S)
        finally:
            self._signal(signal.SIGKILL)
            self._child.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.exit_code is None:  # not reaped yet, so the number still is ours
            os.killpg(self.pid, number)


def _ends_with_us() -> list[str]:
    """`setpriv` replaces itself by the command, so the pid stays; other systems lack it."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
