"""The role of traffic, played by one Envoy."""

import json
import re
import shlex
import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import httpx

from activities.fence import compare_and_set, named_errors, replace_file
from activities.integrations.envoy import counters
from activities.integrations.envoy.admin import Admin
from activities.integrations.envoy.routes import Routes, cluster_weights, splits
from activities.integrations.envoy.shared import SharedStats, Stats
from activities.targets import SharesAsSet
from rollback_manager.errors import PermanentError, StaleWrite
from rollback_manager.metrics.reading import Counts, Snapshot
from rollback_manager.operation import Mark
from rollback_manager.platforms import EnvoyTarget

BY_HAND = "by-hand"
"""The version_info of a person's write: no mark of ours, so it yields to any later one."""


class Envoy:
    """Shares in a route file, counters at the admin port.

    Every method raises Unreachable while Envoy does not answer (reading or editing the file alone
    does not need it), and PermanentError when the file or the answer is not what it should be.
    """

    def __init__(
        self,
        target: EnvoyTarget,
        client: httpx.Client,
        shared: SharedStats | None = None,
        others: Collection[str] = (),
    ) -> None:
        """shared: of this Envoy, among all services behind it. others: their routes."""
        self._target = target
        self._admin = Admin(target.admin, client)
        self._shared = shared
        self._others = others
        self._file = Path(target.routes)
        self._rotation = counters.Rotation()
        self._split: tuple[str, dict[str, int]] | None = None

    def shares(self) -> SharesAsSet:
        """The split as written, without versions that get nothing.

        acknowledged: Envoy took up that version_info, and the weights in force are these; the name
        alone is an echo that a second write of that name would give, too.
        """
        token = self._token()  # before the reading: a write between the two makes it old
        written = self._read()
        return SharesAsSet(
            shares=written.shares(),
            mark=written.mark,
            acknowledged=self._has_taken_up(written.version_info)
            and self._weights_in_force() == written.weights(),
            token=token,
        )

    def split(self) -> dict[str, int]:
        """Read again when the file was replaced: only a rename makes Envoy read it, too."""
        token = self._token()
        if self._split is None or self._split[0] != token:
            self._split = (token, self._read().shares())
        return dict(self._split[1])

    def set_shares(self, shares: dict[str, int], mark: Mark, seen: str | None = None) -> None:
        """Replace the weights in the route file unless a newer mark stands there (StaleWrite).

        Nor if the file was replaced since `seen`: by a deployer, who leaves no mark.

        Envoy refuses a file as a whole when a cluster is missing, and would start without routes
        from it: so that is asked first.
        """
        known = self._clusters()
        _check(shares, known, self._target.admin)

        def write() -> None:
            if seen is not None and seen != self._token():
                raise _changed_meanwhile(self._file)
            text = self._read().with_shares(shares, str(mark), known)
            replace_file(self._file, text)

        compare_and_set(self._file, mark, lambda: self._read().mark, write)

    def _token(self) -> str:
        """The file's identity: a rename brings another inode, whatever is in the file."""
        with named_errors(self._file):
            there = self._file.stat()
        return f"{there.st_ino}.{there.st_mtime_ns}"

    def snapshot(self, max_age_s: float = 0.0) -> Snapshot:
        """All counters by version from one request; latencies are those of the last flush.

        `serving` follows a rise a second late (`Rotation`). `taken_at` is just before the request,
        so that whatever was written before it is in the counters.
        """
        stats = self._stats(max_age_s)
        found = counters.versions(self._target.route, stats.values, self._others)
        prefixes = list(found.values())
        return Snapshot(
            taken_at=stats.taken_at,
            versions={version: self._counts(version, found[version], stats) for version in found},
            own_errors=counters.own_errors(self._target.stat_prefix, prefixes, stats.values),
        )

    def _stats(self, max_age_s: float) -> Stats:
        if max_age_s and self._shared is not None:
            return self._shared.of(self._target.route, max_age_s)
        taken_at, target = datetime.now(UTC), self._target
        pattern = counters.pattern(target.route, target.stat_prefix)
        return Stats(taken_at, time.monotonic(), *self._admin.stats(pattern))

    def _counts(self, version: str, prefix: str, stats: Stats) -> Counts:
        healthy = int(stats.values[f"{prefix}membership_healthy"])
        serving = self._rotation.sure(version, healthy, stats.taken_s)
        return counters.counts(prefix, stats.values, stats.histograms, serving)

    def by_hand(self, shares: dict[str, int]) -> tuple[str, ...]:
        """Write a new route file beside the old one, then rename: Envoy ignores edits in place."""
        text = self._read().with_shares(shares, BY_HAND)
        compact = json.dumps(json.loads(text), separators=(",", ":"))
        new = shlex.quote(str(self._file.with_name(f".{self._file.name}.{BY_HAND}")))
        return (
            f"printf '%s\\n' {shlex.quote(compact)} > {new}",
            f"mv {new} {shlex.quote(str(self._file))}",
        )

    def _read(self) -> Routes:
        with named_errors(self._file):
            text = self._file.read_text(encoding="utf-8", errors="replace")
        return Routes(text, self._target.route, str(self._file))

    def _has_taken_up(self, version_info: str) -> bool:
        name = counters.version_text(self._target.route, self._target.stat_prefix)
        values, _ = self._admin.stats(f"^{re.escape(name)}$")
        return values.get(name) == version_info

    def _weights_in_force(self) -> list[dict[str, int]]:
        running = self._admin.routes_in_force(self._target.route)
        return [cluster_weights(one) for one in splits(running, f"{self._target.route}-")]

    def _clusters(self) -> set[str]:
        """Versions that Envoy has a cluster for."""
        values, _ = self._admin.stats(counters.clusters_pattern(self._target.route))
        return set(counters.versions(self._target.route, values, self._others))


def _check(shares: dict[str, int], known: set[str], admin: str) -> None:
    if sum(shares.values()) != 100 or min(shares.values()) < 0:
        what = f"shares must be 0 to 100 and sum to 100: {shares}"
    elif missing := sorted(shares.keys() - known):
        have = ", ".join(sorted(known)) or "none"
        what = f"Envoy at {admin} has no cluster for {', '.join(missing)}; it has: {have}"
    else:
        return
    raise PermanentError(what, effect="Nothing was written; the traffic stays as it is.")


def _changed_meanwhile(file: Path) -> StaleWrite:
    return StaleWrite(
        f"{file} was replaced by somebody else after this step had looked at it",
        effect="Nothing was written: what stands there now was not part of the plan.",
        next_step="See who changed it; then retry-step, or abort.",
    )
