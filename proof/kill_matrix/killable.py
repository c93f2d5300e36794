"""Workers as processes of their own, to be killed, frozen and thawed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from demo.processes import with_parent
from proof.kill_matrix.worker import Order

ROOT = Path(__file__).parents[2]
"""Where `proof` and the other folders are: a checkout, or what a wheel brought along."""
READY_S = 60.0
ENDS_S = 10.0


class Workers:
    """The processes by name. Make it in the main thread: they end with the thread that made it."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._pids: dict[str, int] = {}
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [*with_parent(), sys.executable, "-m", "proof.kill_matrix.nursery"]
        with (logs / "nursery.out").open("wb") as log:
            self._nursery = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,
            )
        if self._answer() != b"ready\n":
            raise RuntimeError((logs / "nursery.out").read_text())

    def start(self, order: Order) -> None:
        """A new process, which says so in its log when it is ready."""
        assert self._nursery.stdin is not None
        order.log.touch()
        self._nursery.stdin.write(json.dumps(order.model_dump(mode="json")).encode() + b"\n")
        self._nursery.stdin.flush()
        self._pids[order.name] = int(self._answer())

    def _answer(self) -> bytes:
        assert self._nursery.stdout is not None
        return self._nursery.stdout.readline()

    def log(self, name: str) -> Path:
        """Where it writes."""
        return self._logs / f"{name}.out"

    def said(self, name: str) -> str:
        """What it wrote so far."""
        return self.log(name).read_text(errors="replace")

    def state(self, name: str) -> str:
        """As in /proc: `S`, `R`, … for one that lives, `T` for a frozen one, "" for a dead one."""
        try:
            stat = Path(f"/proc/{self._pids[name]}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return stat.rpartition(")")[2].split()[0].strip("ZX")

    def thaw(self, name: str) -> None:
        """Let a frozen one go on where it stopped."""
        os.kill(self._pids[name], signal.SIGCONT)

    def kill(self, *names: str) -> None:
        """KILL, and wait; a dead one is only forgotten."""
        for name in names:
            if self.state(name):
                os.kill(self._pids[name], signal.SIGKILL)
        deadline = time.monotonic() + ENDS_S
        while any(self.state(name) for name in names) and time.monotonic() < deadline:
            time.sleep(0.01)
        for name in names:
            self._pids.pop(name, None)

    def end(self) -> None:
        """All of them, and the nursery."""
        self.kill(*list(self._pids))
        for pipe in (self._nursery.stdin, self._nursery.stdout):
            assert pipe is not None
            pipe.close()
        self._nursery.wait(ENDS_S)
