"""The controller of Argo Rollouts, as its project publishes it, built here and run in a cluster."""

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from platformdirs import user_cache_path

from demo.kubernetes import crds
from demo.kubernetes.api import Api, Refused
from demo.processes import Children, until
from rollback_manager.errors import PermanentError
from workers import go_build
from workers.go_build import Progress

PACKAGE = "github.com/argoproj/argo-rollouts/cmd/rollouts-controller"
VERSION = "1.9.2"
"""As go.mod beside this file has it; 1.9.3 asks for a newer Go."""
SOURCES = Path(__file__).parent / "argo_rollouts"
FILES = ("go.mod", "go.sum")
PROGRAM = "rollouts-controller"
WHAT = "the controller of Argo Rollouts"
COMMAND = f"CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o {PROGRAM} {PACKAGE}"
NAMESPACE = "argo-rollouts"
NO_PORT = 65536
"""Its two ports listen on all interfaces, whatever one says. At this one they cannot: it logs that
and goes on without them, for nobody asks them here."""
REQUESTS_PER_S = 1000
START_S, END_S = 60.0, 2.0
PROGRESS_EVERY_S = 10.0


def cached(cache: Path | None = None) -> Path:
    """Where our cache keeps the program of these sources; it need not be there yet."""
    root = cache or user_cache_path("rollback-manager")
    content = b"\0".join([COMMAND.encode(), *((SOURCES / name).read_bytes() for name in FILES)])
    version = f"{VERSION}-{hashlib.sha256(content).hexdigest()[:12]}"
    return root / "argo-rollouts" / version / go_build.platform_folder() / PROGRAM


async def find(progress: Progress, *, cache: Path | None = None) -> Path:
    """The program in our cache, built if it is not there (minutes), telling `progress`.

    Raises:
        PermanentError: it cannot be built here; it says what to type.
    """
    target = cached(cache)
    if target.exists():
        return target
    async with go_build.alone(target.parent / "lock", WHAT, progress):
        if not target.exists():  # else whoever held the lock has put it there
            await _build(target, progress)
    return target


async def _build(target: Path, progress: Progress) -> None:
    # Beside the target: `os.replace` is atomic only within one file system.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="new-") as name:
        folder = Path(name)
        for source in FILES:
            shutil.copyfile(SOURCES / source, folder / source)
        one = go_build.GoBuild(WHAT, PACKAGE, (COMMAND,), "4 to 8 minutes")
        try:
            await go_build.build(one, folder, progress, progress_every_s=PROGRESS_EVERY_S)
        except PermanentError as err:
            raise PermanentError(
                f"There is no {WHAT.removeprefix('the ')} on this machine: {err.what}",
                next_step=f"Go on PATH, and this again; or by hand: cd {SOURCES} && {COMMAND}"
                f" && mv {PROGRAM} {target}",
            ) from err
        os.replace(folder / PROGRAM, target)  # noqa: PTH105 -- says that it is the atomic one


class ArgoRollouts:
    """The controller with its definitions in a cluster, as long as the block or this process.

    kubeconfig: of a user who may do everything. folder: for its log.
    """

    def __init__(self, program: Path, kubeconfig: Path, api: Api, folder: Path) -> None:
        self._program, self._kubeconfig, self._api = program, kubeconfig, api
        self._children = Children(folder)

    @property
    def log(self) -> Path:
        """What it says."""
        return self._children.log(PROGRAM)

    def pids(self) -> dict[str, int]:
        """Of the controller while it lives."""
        return self._children.pids()

    def kill(self) -> None:
        """End it as a crash would."""
        self._children.kill(PROGRAM)

    def start(self) -> None:
        """Start it, and return when it does its work."""
        self._children.start(
            PROGRAM,
            [
                str(self._program),
                f"--kubeconfig={self._kubeconfig}",
                "--leader-elect=false",
                f"--healthzPort={NO_PORT}",
                f"--metricsPort={NO_PORT}",
                f"--qps={REQUESTS_PER_S}",
                f"--burst={2 * REQUESTS_PER_S}",
            ],
        )
        until(f"{WHAT} works", self._works, START_S, self._children.check)

    def __enter__(self) -> Self:
        """Install the definitions and start.

        Raises:
            WorldError: it ended, with the end of its log, or took longer than `START_S`.
        """
        crds.install(self._api, crds.ARGO_ROLLOUTS)
        self._prepare()
        try:
            self.start()
        except BaseException:
            self._children.end(END_S, lambda: None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """TERM, and KILL to what is left after `END_S`."""
        self._children.end(END_S, lambda: None)

    def _prepare(self) -> None:
        space = f"/api/v1/namespaces/{NAMESPACE}"
        config = {"metadata": {"name": "argo-rollouts-config"}}
        secret = {"metadata": {"name": "argo-rollouts-notification-secret"}}
        for path, body in (
            ("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}}),
            (f"{space}/configmaps", config),
            (f"{space}/secrets", secret),
        ):
            with suppress(Refused):  # there from before
                self._api.post(path, body)

    def _works(self) -> bool:
        return self.log.exists() and "Started rollout workers" in self.log.read_text("utf-8")
