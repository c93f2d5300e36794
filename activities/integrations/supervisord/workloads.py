"""The role of workloads, played by one supervisord."""

import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx

from activities.fence import compare_and_set, named_errors, replace_file
from activities.integrations.supervisord.processes import Instance, digests, instances
from activities.integrations.supervisord.rpc import ALREADY_SO, BAD_NAME, FaultError, Rpc
from activities.targets import InstanceState, VersionState
from rollback_manager.errors import NotFound, PermanentError, TemporaryError, Unreachable
from rollback_manager.operation import Mark
from rollback_manager.platforms import SupervisordTarget

READY_S = 1.0
"""One readiness request; a busy instance answers late, a dead one refuses at once."""
MOST_AT_ONCE = 16
UNKNOWN = "unknown: supervisord has reread its files and this version is in none of them"
LAST_LINES = 300
"""Bytes from the end of a program's log, in the error that tells of its end."""


class Supervisord:
    """Instances started lowest number first and stopped highest first.

    Every method raises Unreachable while supervisord does not answer. Readiness is asked of the
    instances themselves, on loopback.
    """

    def __init__(self, target: SupervisordTarget, client: httpx.Client) -> None:
        self._target = target
        self._client = client
        self._rpc = Rpc(target.socket)
        self._mark = Path(target.socket).with_name(f"{target.program}.mark.json")

    def versions(self) -> dict[str, VersionState]:
        """Every version that is defined, running or not; readiness is asked of each instance."""
        found = self._instances()
        known = digests(self._target.program, self._rpc.call("getAllConfigInfo"))
        ready = self._ready([one for row in found.values() for one in row if one.up])
        return {
            version: VersionState(
                version=version,
                digest=known.get(version, UNKNOWN),
                running=sum(one.up for one in row),
                ready=sum(one.full_name in ready for one in row),
                maximum=len(row),
            )
            for version, row in found.items()
        }

    def instances(self) -> tuple[InstanceState, ...]:
        """Every instance that nobody stopped, also one that died; readiness is asked of each."""
        found = self._instances()
        meant = [(version, one) for version, row in found.items() for one in row if _is_meant(one)]
        ready = self._ready([one for _, one in meant if one.up])
        return tuple(
            InstanceState(
                name=one.full_name,
                version=version,
                ready=one.full_name in ready,
                started_at=datetime.fromtimestamp(one.start, UTC) if one.up and one.start else None,
                address=_address(one),
            )
            for version, one in meant
        )

    def scale(self, version: str, instances: int, mark: Mark) -> None:
        """Run exactly `instances` of `version` unless a newer mark stands there (StaleWrite).

        supervisord compares nothing: the mark stands in a file beside its socket, written before
        the calls, so that nobody older may come in between.

        Raises:
            NotFound: no such version.
            PermanentError: more instances than its definition has, or one does not start.
            TemporaryError: a wanted instance is still stopping.
        """
        compare_and_set(
            self._mark, mark, self._standing, lambda: self._write(version, instances, mark)
        )

    def by_hand(self, version: str, instances: int) -> tuple[str, ...]:
        """supervisorctl's words for the same; "already started" and "not running" do no harm."""
        control = f"supervisorctl -s {shlex.quote(f'unix://{self._target.socket}')}"
        parts = zip(("start", "stop"), self._parted(version, instances), strict=True)
        return tuple(
            f"{control} {verb} {' '.join(shlex.quote(one.full_name) for one in row)}"
            for verb, row in parts
            if row
        )

    def _instances(self) -> dict[str, list[Instance]]:
        return instances(self._target.program, self._rpc.call("getAllProcessInfo"))

    def _parted(self, version: str, count: int) -> tuple[list[Instance], list[Instance]]:
        found = self._instances()
        row = found.get(version)
        if row is None:
            raise NotFound(
                f"supervisord has no group {self._target.program}-{version};"
                f" versions: {', '.join(sorted(found)) or 'none'}",
                effect="Nothing was changed.",
            )
        if not 0 <= count <= len(row):
            raise PermanentError(
                f"{count} instances of {version} are asked for, its definition has {len(row)}",
                effect="Nothing was changed.",
                next_step="Ask for fewer, or raise its numprocs (which restarts the version).",
            )
        return row[:count], row[count:]

    def _write(self, version: str, count: int, mark: Mark) -> None:
        wanted, unwanted = self._parted(version, count)
        replace_file(self._mark, json.dumps(str(mark)) + "\n")
        for one in wanted:
            if not one.up and one.state != "STOPPING":
                self._ask("startProcess", one)
        for one in unwanted:
            if one.up:
                self._ask("stopProcess", one)
        if stopping := [one.name for one in wanted if one.state == "STOPPING"]:
            raise TemporaryError(  # started now, it would only stop
                f"still stopping, cannot be started yet: {', '.join(stopping)}",
                effect="The other instances were started or stopped as asked.",
            )

    def _ask(self, method: str, one: Instance) -> None:
        try:
            self._rpc.call(method, one.full_name, False)
        except FaultError as fault:
            if fault.code in ALREADY_SO:
                return
            if fault.code == BAD_NAME:
                raise NotFound(f"supervisord no longer has {one.full_name}") from fault
            raise PermanentError(
                f"{fault.what}; its log ends: {self._last_lines(one)}",
                effect=fault.effect,
                next_step="Mend what the log names, then retry-step; or abort.",
            ) from fault

    def _last_lines(self, one: Instance) -> str:
        try:
            text, _, _ = self._rpc.call("tailProcessStdoutLog", one.full_name, 0, LAST_LINES)
        except FaultError:
            return "(none)"
        return " ".join(str(text).split()) or "(empty)"

    def _standing(self) -> Mark | None:
        if not self._mark.exists():
            return None
        with named_errors(self._mark):
            text = self._mark.read_text(encoding="utf-8", errors="replace")
        mark = Mark.parse(text.strip().strip('"'))
        if mark is None:
            raise PermanentError(
                f"{self._mark} holds no mark of ours: {text[:80]!r}",
                effect="Nothing was changed.",
                next_step="If no rollback of this program runs, remove that file.",
            )
        return mark

    def _ready(self, running: list[Instance]) -> set[str]:
        """Full names of those that answer their readiness check with 200, asked all at once."""
        if not running:
            return set()
        with ThreadPoolExecutor(min(len(running), MOST_AT_ONCE)) as pool:
            answers = pool.map(self._is_ready, running)
            return {one.full_name for one, ready in zip(running, answers, strict=True) if ready}

    def _is_ready(self, one: Instance) -> bool:
        url = f"{_address(one)}{self._target.ready_path}"
        try:
            answer = self._client.get(url, headers={"connection": "close"}, timeout=READY_S)
        except httpx.PoolTimeout as error:  # it was not asked, so nothing is known of it
            raise Unreachable(
                f"{url} was not asked whether it is ready: too many requests under way here",
                effect="Nothing was changed.",
                next_step="This is tried again by itself; if it stays so, see what hangs.",
            ) from error
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK


def _is_meant(one: Instance) -> bool:
    return one.up or one.died


def _address(one: Instance) -> str:
    return f"http://127.0.0.1:{one.number}"
