"""A small world that must stay as it is: two versions, a worker, and the command line."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from demo.processes import until
from demo.world import World
from tests import encrypted

ROOT = Path(__file__).parents[2]
READY_S = 60.0
PARTS = ("error:", "production:", "next:")


@dataclass(frozen=True)
class Ended:
    """One call of the command line, with `--json`."""

    code: int
    err: str
    out: str

    @property
    def document(self) -> dict[str, object]:
        """The last line of stdout."""
        document = json.loads(self.out.splitlines()[-1])
        assert isinstance(document, dict)
        return document

    def tells(self, what: str) -> bool:
        """Whether `what` is told, however its lines are broken."""
        return " ".join(what.split()) in " ".join(self.err.split())

    @property
    def has_three_parts(self) -> bool:
        """What happened once, what it means for production once, what to type next once."""
        counted = [self.err.count(part) for part in PARTS[1:]]
        happened = self.err.count("error:") + self.err.count("BLOCKED  ")
        return counted == [1, 1] and happened + self.err.count("STALE PLAN  ") == 1


@dataclass(frozen=True)
class Ledger:
    """What of production a refused call must not have touched."""

    routes: str
    routes_written_ns: int
    instances: dict[str, int]


@dataclass(frozen=True)
class SmallWorld:
    """`shop` has v2 in traffic and v1 verified; every plan waits for an approval."""

    shop: World
    warehouse: World
    environment: dict[str, str]

    def run(self, *arguments: str, **environment: str) -> Ended:
        """`rollback-manager … --json`, as a shell would call it."""
        ended = subprocess.run(
            [sys.executable, "-m", "rollback_manager", *arguments, "--json"],
            cwd=ROOT,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ended(ended.returncode, ended.stderr, ended.stdout)

    def ledger(self) -> Ledger:
        """As production is now."""
        file = self.shop.routes_file
        pids = {name: pid for name, pid in self.shop.pids().items() if name.startswith("shop-")}
        return Ledger(file.read_text(), file.stat().st_mtime_ns, pids)

    def kill_supervisord_of_the_warehouse(self) -> None:
        """For good: nothing else uses the warehouse."""
        os.kill(self.warehouse.pids()["supervisord"], signal.SIGKILL)


@contextmanager
def small_world(temporal: str, queue: str, **more: str) -> Iterator[SmallWorld]:
    """Up, with a worker of its own behind it, until the end of the block. more: settings."""
    with ExitStack() as stack:
        # In a short folder, for a Unix socket goes into it; pytest's own is often too long.
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="rb-")))
        shop, warehouse = (
            stack.enter_context(World(folder / name[0], service=name))
            for name in ("shop", "warehouse")
        )
        for world in (shop, warehouse):
            world.add_version("v1", instances=1)
            world.add_version("v2", instances=1)
            world.set_shares({"v1": 0, "v2": 100}, "deployed")
        catalogue = folder / "catalogue.yaml"
        catalogue.write_text(json.dumps(_catalogue(shop, warehouse)))
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        settings = {
            "TEMPORAL_ADDRESS": temporal,
            "ROLLBACK_ENV": "demo",
            "ROLLBACK_TASK_QUEUE": queue,
            "ROLLBACK_CATALOGUE": str(catalogue),
            "ROLLBACK_DATA": str(folder / "data"),
        }
        told = {**kept, **settings, **encrypted.setting(), **more}
        made = SmallWorld(shop, warehouse, told)
        stack.enter_context(_worker(made, folder / "worker.log"))
        for version in ("v1", "v2"):
            assert made.run("releases", "record", "shop", version).code == 0
        assert made.run("releases", "mark", "shop", "v1", "verified").code == 0
        yield made


@contextmanager
def _worker(world: SmallWorld, log: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "rollback_manager", "worker"]
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=world.environment, stderr=said, start_new_session=True
        )

    def check() -> None:
        assert process.poll() is None, log.read_text()

    try:
        until("the worker is ready", lambda: "worker is ready" in log.read_text(), READY_S, check)
        yield
    finally:
        process.terminate()
        process.wait(30)
    assert "Traceback" not in log.read_text()


def _catalogue(shop: World, warehouse: World) -> dict[str, object]:
    """`unproven` is the shop under a name of which no release is recorded."""
    places = {
        "shop": _placement(shop),
        "warehouse": _placement(warehouse),
        "unproven": _placement(shop),
    }
    return {
        "version": 1,
        "environments": {"demo": {"policy": {"approval": {"required": True}}}},
        "services": {
            name: {"strategy": "blue_green", "environments": {"demo": place}}
            for name, place in places.items()
        },
    }


def _placement(world: World) -> dict[str, object]:
    return {
        "workloads": {
            "kind": "supervisord",
            "socket": str(world.socket),
            "program": world.service,
        },
        "traffic": {
            "kind": "envoy",
            "admin": world.admin_url,
            "routes": str(world.routes_file),
            "route": world.service,
        },
    }
