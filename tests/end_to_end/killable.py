"""Workers as processes of their own, to be killed, frozen and thawed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from demo.processes import with_parent

ROOT = Path(__file__).parents[2]
ENDS_S = 10.0


class Workers:
    """The processes by name; each one's output is in `<logs>/<name>.out`. Begin them in the main
    thread: they end with the thread that began them."""

    def __init__(self, logs: Path, records: Path, temporal: str) -> None:
        self._logs = logs
        self._records = ["--data", str(records)]
        self._surroundings = {
            **os.environ,
            "TEMPORAL_ADDRESS": temporal,
            "PYTHONPATH": str(ROOT),
        }
        self._prefix = with_parent()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, catalogue: Path, queue: str) -> None:
        """The product's own: `rollback-manager worker`."""
        self._spawn(name, ["rollback_manager", "worker"], catalogue, queue)

    def start_doomed(
        self, name: str, catalogue: Path, queue: str, point: tuple[str, str], begin: Path
    ) -> None:
        """One that dies or freezes at (activity, when); it works once the file `begin` exists."""
        module = ["tests.end_to_end.doomed_worker", "--begin", str(begin)]
        module += ["--activity", point[0], "--at", point[1]]
        self._spawn(name, module, catalogue, queue)

    def _spawn(self, name: str, module: list[str], catalogue: Path, queue: str) -> None:
        options = ["--catalogue", str(catalogue), "--task-queue", queue, *self._records]
        command = [*self._prefix, sys.executable, "-m", *module, *options]
        with self.log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                command, stdout=log, stderr=log, env=self._surroundings, start_new_session=True
            )

    def log(self, name: str) -> Path:
        """Where it writes."""
        return self._logs / f"{name}.out"

    def said(self, name: str) -> str:
        """What it wrote so far."""
        return self.log(name).read_text(errors="replace")

    def exit_code(self, name: str) -> int | None:
        """None while it lives."""
        return self._running[name].poll()

    def is_frozen(self, name: str) -> bool:
        """Whether it was stopped by a signal (state T)."""
        stat = Path(f"/proc/{self._running[name].pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def thaw(self, name: str) -> None:
        """Let a frozen one go on where it stopped."""
        self._running[name].send_signal(signal.SIGCONT)

    def end(self, *names: str) -> None:
        """TERM, wait, KILL; all of them if none is named. A dead one is only forgotten."""
        ending = {name: self._running.pop(name) for name in names or list(self._running)}
        for child in ending.values():
            child.send_signal(signal.SIGCONT)
            child.terminate()
        for child in ending.values():
            try:
                child.wait(ENDS_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
