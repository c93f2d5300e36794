"""The embedded Temporal: one dev server on this machine, on loopback, its database in one file.

It is started, found to be ready, watched and brought back here. What it holds (every rollback and
its history) is on disk and outlives the process; workers only have to try again.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from temporalio.client import Client

from rollback_manager.errors import PermanentError, RollbackError, Unreachable
from workers.file_lock import FileLock, Held
from workers.temporal_namespace import DEADLINE_S, Namespace
from workers.temporal_process import ServerProcess

LOOPBACK = "127.0.0.1"
NAMESPACE = "default"
READY_WITHIN_S = 30.0  # typical 0.6 to 0.8 s; 1.4 s beside a build
POLL_S = 0.03
PAUSE_AFTER_FAILED_RESTART_S = 2.0

Tell = Callable[[str], None]

# Medians of 60 and more runs in a row of a workflow with 5 steps one after the other, on two cores.
SETTINGS = (
    # 5 activities: 550 ms by default, for 20 loads a second are allowed; 161 ms with this.
    "history.transferProcessorMaxPollRPS=1000",
    # 5 timers of 10 ms: 5056 ms by default, for no timer fires in less than a second
    # (a margin for clocks of several machines; here is one clock). With these two 124 ms, with the
    # first alone 1098 ms. Idle, they cost nothing.
    'history.timerProcessorMaxTimeShift="10ms"',
    "history.timerProcessorMaxPollRPS=1000",
)
# The next brake is the disk: 5 activities 161 ms → 103 ms. `synchronous=NORMAL` would take off
# another third and lose the last commits in a power failure, so each commit still is on the disk.
PRAGMAS = ("journal_mode=wal",)


class TemporalServer:
    """A dev server that belongs to this process: `async with TemporalServer(...) as server`.

    `database=None` keeps everything in memory. A port of None takes a free one and keeps it over
    restarts. `search_attributes` maps names to Temporal's types (`{"RollbackEnv": "Keyword"}`).
    `ui_codec` is the codec server by which its Web UI reads encrypted payloads; empty: none.
    """

    def __init__(
        self,
        binary: Path,
        database: Path | None,
        port: int | None,
        ui_port: int | None,
        log: Path,
        *,
        search_attributes: Mapping[str, str],
        ui_codec: str = "",
    ) -> None:
        self.restarts = 0
        self._ui_codec = ui_codec
        self._binary = binary
        self._database = database.resolve() if database else None
        self._wanted_ports = (port, ui_port)
        self._ports = (0, 0)
        self._log = log
        self._search_attributes = dict(search_attributes)
        self._lock: FileLock | None = None
        self._process: ServerProcess | None = None
        self._namespace: Namespace | None = None

    @property
    def address(self) -> str:
        """`host:port` for Temporal's clients."""
        return f"{LOOPBACK}:{self._ports[0]}"

    @property
    def ui_url(self) -> str:
        """Where the Web UI is."""
        return f"http://{LOOPBACK}:{self._ports[1]}"

    @property
    def pid(self) -> int:
        """The server's process id; 0 if there is none."""
        return self._process.pid if self._process else 0

    async def __aenter__(self) -> Self:
        """`start`."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """`stop`."""
        await self.stop()

    async def start(self) -> None:
        """Return when it answers, from its database, the queries that we shall ask.

        Raises `PermanentError` if another server holds the database, a port that was asked for is
        taken, or it ends (with its last lines); `Unreachable` if it is not ready in 30 s.
        """
        try:
            self._lock = self._lock_database()
            for last_try in (False, False, True):
                self._ports = _chosen(self._wanted_ports)
                try:
                    await self._launch()
                    break
                except PermanentError as err:  # somebody may have been quicker to a free port,
                    # of ours or of the four that the server takes for itself
                    if last_try or "address already in use" not in str(err):
                        raise
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End it and free the database. Cancel `keep_alive` before, or it comes back."""
        if self._process:
            await self._process.end()
        self._process = self._namespace = None
        if self._lock:
            self._lock.release()
        self._lock = None

    async def probe(self, *, deadline_s: float = DEADLINE_S) -> None:
        """Ask for something that it has to read from its database; `Unreachable` if it fails.

        A dev server was seen to accept connections for minutes while each of its database calls
        failed: an open port says nothing.
        """
        if self._namespace is None:
            raise Unreachable("Temporal's server was not started.")
        await self._namespace.retention(deadline_s)

    async def keep_alive(
        self, tell: Tell, *, every_s: float = 2.0, patience_s: float = 10.0
    ) -> None:
        """Until cancelled: probe; start it again when it ended or gave no answer for `patience_s`.

        `tell` gets each event in plain words. A restart that fails is tried again.
        """
        clock = asyncio.get_running_loop().time
        silent_since: float | None = None  # not since the last answer: we may have slept ourselves
        while self._process:
            if await self._process.ended(every_s):
                await self._bring_back(f"it ended with code {self._process.exit_code}", tell)
                continue
            try:
                await self.probe()
                silent_since = None
            except Unreachable as err:
                silent_since = silent_since or clock()
                if clock() - silent_since >= patience_s:
                    await self._bring_back(err.what, tell)
                    silent_since = None

    async def _bring_back(self, trouble: str, tell: Tell) -> None:
        began = asyncio.get_running_loop().time()
        tell(f"Temporal's server (pid {self.pid}) is started again: {trouble}.")
        try:
            if self._process:
                await self._process.end()
            _chosen(self._ports)  # or we would take whoever is there now for ours
            await self._launch()
        except RollbackError as err:
            tell(f"Temporal's server could not be started again; the next try follows. {err}")
            await asyncio.sleep(PAUSE_AFTER_FAILED_RESTART_S)
            return
        self.restarts += 1
        took_s = asyncio.get_running_loop().time() - began
        kept = "What it held is intact" if self._database else "What it held in memory is lost"
        tell(f"Temporal's server is back after {took_s:.1f} s, restart {self.restarts}. {kept}.")

    def _lock_database(self) -> FileLock | None:
        if self._database is None:
            return None
        try:
            return FileLock(self._database.with_name(self._database.name + ".lock"))
        except Held as held:
            raise PermanentError(
                f"Another Temporal server uses the database {self._database}: {held.holder}.",
                effect="Two servers on one file would destroy it; this one was not started.",
                next_step="Use that server, end it, or name another database file.",
            ) from None

    async def _launch(self) -> None:
        held = [self._lock.fileno] if self._lock else []
        try:
            self._process = ServerProcess(self._command(), self._log, inherits=held)
        except OSError as err:
            raise PermanentError(f"Temporal's server cannot be started: {err}") from err
        if self._lock:
            self._lock.name_holder(f"pid {self.pid}, started by pid {os.getpid()}")
        client = await Client.connect(self.address, namespace=NAMESPACE, lazy=True)
        self._namespace = Namespace(client, self._search_attributes)
        await self._until_ready(self._process, self._namespace)

    async def _until_ready(self, process: ServerProcess, namespace: Namespace) -> None:
        """Its port opens before anything is served, so our own queries are asked until answered."""
        clock = asyncio.get_running_loop().time
        give_up_at = clock() + READY_WITHIN_S
        while True:
            try:
                return await namespace.prepare()
            except Unreachable as err:
                self._raise_if_ended(process)
                if clock() > give_up_at:
                    raise Unreachable(
                        f"Temporal's server is not ready after {READY_WITHIN_S:.0f} s: {err}",
                        effect=f"Its last lines:\n{process.last_lines()}",
                    ) from err
            await asyncio.sleep(POLL_S)

    def _raise_if_ended(self, process: ServerProcess) -> None:
        if process.exit_code is not None:
            raise PermanentError(
                f"Temporal's server ended with code {process.exit_code}.",
                effect=f"Its last lines:\n{process.last_lines()}",
                next_step=f"All that it said is in {self._log}",
            )

    def _command(self) -> list[str]:
        port, ui_port = map(str, self._ports)
        command = [str(self._binary), "server", "start-dev", "--log-level", "warn"]
        command += ["--log-format", "json", "--ip", LOOPBACK, "--ui-ip", LOOPBACK]
        command += ["--port", port, "--ui-port", ui_port]
        if self._ui_codec:
            command += ["--ui-codec-endpoint", self._ui_codec]
        if self._database:
            command += ["--db-filename", str(self._database)]
        for name, kind in self._search_attributes.items():
            command += ["--search-attribute", f"{name}={kind}"]
        for setting in SETTINGS:
            command += ["--dynamic-config-value", setting]
        for pragma in PRAGMAS:
            command += ["--sqlite-pragma", pragma]
        return command


def _chosen(wanted: tuple[int | None, int | None]) -> tuple[int, int]:
    """Two ports that are free now: those asked for, or any."""
    with socket.socket() as first, socket.socket() as second:  # both open, so they differ
        return _bound(first, wanted[0]), _bound(second, wanted[1])


def _bound(place: socket.socket, port: int | None) -> int:
    """Also keeps us from taking another program behind a port that was asked for for ours."""
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server itself does
    try:
        place.bind((LOOPBACK, port or 0))
    except OSError as err:
        raise PermanentError(
            f"Port {port} on {LOOPBACK} cannot be taken: {err.strerror}.",
            effect="The Temporal server was not started.",
            next_step="End the program that listens there, or choose another port.",
        ) from err
    return int(place.getsockname()[1])
