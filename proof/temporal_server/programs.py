"""Temporal's own server and Web UI, as their project publishes them, built here once.

The dev server of Temporal's command line has no authorizer. The program in the image
`temporalio/server` has: it is the same one, built from the same module, configured by the same
variables.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_cache_path

from rollback_manager.errors import PermanentError
from workers import go_build
from workers.go_build import Progress

FILES = ("go.mod", "go.sum")
PROGRESS_EVERY_S = 10.0


@dataclass(frozen=True)
class Programs:
    """What is built from one module. packages: by the name of the program.

    copied: files that its images carry, as module and path, by our name for them.
    """

    what: str
    name: str
    version: str
    packages: Mapping[str, str]
    takes: str
    copied: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def made(self) -> tuple[str, ...]:
        """The names of all files that the build leaves."""
        return (*self.copied, *self.packages)

    @property
    def sources(self) -> Path:
        """The folder with our go.mod and go.sum."""
        return Path(__file__).parent / self.name

    def commands(self) -> tuple[str, ...]:
        """What is typed to build them, in a copy of that folder."""
        built = (
            f"CGO_ENABLED=0 nice go build -p 1 -trimpath -ldflags '-s -w' -o {name} {package}"
            for name, package in self.packages.items()
        )
        copied = (
            f"cat \"$(go list -m -f '{{{{.Dir}}}}' {module})/{path}\" > {name}"
            for name, (module, path) in self.copied.items()
        )
        return (*built, *copied)

    def cached(self, cache: Path | None = None) -> Path:
        """The folder where our cache keeps them; they need not be there yet."""
        told = [line.encode() for line in self.commands()]
        content = b"\0".join([*told, *((self.sources / name).read_bytes() for name in FILES)])
        version = f"{self.version}-{hashlib.sha256(content).hexdigest()[:12]}"
        root = cache or user_cache_path("rollback-manager")
        return root / f"temporal-{self.name}" / version / go_build.platform_folder()

    async def find(self, progress: Progress) -> Path:
        """The folder with the programs, built if they are not there (minutes).

        Raises:
            PermanentError: they cannot be built here; it says what to type.
        """
        target = self.cached()
        if not self._are_in(target):
            async with go_build.alone(target / "lock", self.what, progress):
                if not self._are_in(target):  # else whoever held the lock has put them there
                    await self._build(target, progress)
        return target

    def _are_in(self, folder: Path) -> bool:
        return all((folder / name).exists() for name in self.made)

    async def _build(self, target: Path, progress: Progress) -> None:
        # Beside the target: `os.replace` is atomic only within one file system.
        with tempfile.TemporaryDirectory(dir=target, prefix="new-") as name:
            folder = Path(name)
            for source in FILES:
                shutil.copyfile(self.sources / source, folder / source)
            one = go_build.GoBuild(self.what, self.name, self.commands(), self.takes)
            try:
                await go_build.build(one, folder, progress, progress_every_s=PROGRESS_EVERY_S)
            except PermanentError as err:
                raise PermanentError(
                    f"{self.what} is not on this machine: {err.what}",
                    next_step=f"Go on PATH, and this again; or by hand: cd {self.sources} &&"
                    f" {' && '.join(self.commands())} && mv {' '.join(self.made)} {target}",
                ) from err
            for program in self.made:
                os.replace(folder / program, target / program)  # noqa: PTH105 -- the atomic one


SERVER = Programs(
    "Temporal's server",
    "server",
    "1.31.2",
    {
        "temporal-sql-tool": "go.temporal.io/server/cmd/tools/sql",
        "temporal-server": "go.temporal.io/server/cmd/server",
    },
    "5 to 10 minutes",
)
"""As docker-compose.yml has it."""
UI = Programs(
    "Temporal's Web UI",
    "ui",
    "2.53.3",
    {"temporal-ui": "github.com/temporalio/ui-server/v2/cmd/server"},
    "1 to 3 minutes",
    {"docker.yaml": ("github.com/temporalio/ui-server/v2", "config/docker.yaml")},
)
"""As docker-compose.yml has it."""
