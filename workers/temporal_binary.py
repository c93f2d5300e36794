"""Where the Temporal dev server's program comes from.

`temporal` on PATH, then our cache, then the Temporal SDK's own download, then a build with Go; the
last two put it into our cache. A server that is already running (`TEMPORAL_ADDRESS`) needs no
program: whoever calls `find_binary` has asked for that before.
"""

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path
from temporalio.testing import WorkflowEnvironment

from rollback_manager.errors import PermanentError
from workers import go_build
from workers.go_build import Progress

CLI_VERSION = "1.5.1"  # the newest one that can be built from outside: later ones carry a `replace`
# The one of server 1.31. Until 1.42 a cancelled query could interrupt a later one, and then each
# one for ever (gitlab.com/cznic/sqlite/-/issues/241; docs/decisions/0025).
SQLITE_DRIVER = "1.44.3"
GO_PACKAGE = "github.com/temporalio/cli/cmd/temporal"
GO_STEPS = (
    "go mod init dev-server",
    f"go get {GO_PACKAGE}@v{CLI_VERSION} modernc.org/sqlite@v{SQLITE_DRIVER}",
    f"go build -o temporal {GO_PACKAGE}",
)
MINIMUM_SERVER = (1, 29)  # all that this product relies on was tried on 1.29.1
PROGRESS_EVERY_S = 5.0
DOWNLOAD_STALL_S = 15.0  # without a new byte; the SDK itself never gives up on a silent network
WHAT = "the Temporal dev server"

Fetch = Callable[[Path, Progress], Awaitable[Path]]


@dataclass(frozen=True)
class FoundBinary:
    """A `temporal` program that was asked for its version and is new enough."""

    path: Path
    how: str
    passed_over: tuple[str, ...] = ()  # what was tried before it, and why that was not taken


def cached_binary(cache: Path | None = None) -> Path:
    """Where our cache keeps the program for this machine; it need not be there yet."""
    root = cache or user_cache_path("rollback-manager")
    build = f"{CLI_VERSION}-sqlite-{SQLITE_DRIVER}"
    return root / "temporal" / build / go_build.platform_folder() / "temporal"


async def find_binary(progress: Progress, *, cache: Path | None = None) -> FoundBinary:
    """Find the program, or get it (a download, or minutes of building), telling `progress`.

    Of several processes that look at once, one fetches and the others wait and find its result.
    Raises `PermanentError`, which names every way and what to type, if none leads to a program.
    """
    target = cached_binary(cache)
    passed_over: list[str] = []
    on_path = shutil.which("temporal")
    for how, binary in (("temporal on PATH", on_path and Path(on_path)), ("our cache", target)):
        if not binary or not binary.exists():
            continue
        fault = fault_of(binary)
        if not fault:
            return FoundBinary(binary, how, tuple(passed_over))
        passed_over.append(fault)
        progress(fault)
    async with go_build.alone(target.parent / "lock", WHAT, progress):
        if target.exists() and not fault_of(target):  # whoever held the lock has put it there
            return FoundBinary(target, "our cache", tuple(passed_over))
        how = await _fetch(target, passed_over, progress)
    return FoundBinary(target, how, tuple(passed_over))


def fault_of(binary: Path) -> str:
    """Why this program cannot serve us; empty if it can.

    Judged by the number of its *server*. The CLI's own says nothing: a program built with Go
    calls itself 0.0.0-DEV.
    """
    try:
        answer = subprocess.run(  # noqa: S603 -- the program that we are about to run anyway
            [binary, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        return f"{binary} was passed over: it does not run ({err})"
    number = re.search(r"\bServer (\d+)\.(\d+)", answer.stdout)
    if number and (int(number[1]), int(number[2])) >= MINIMUM_SERVER:
        return ""
    wanted = ".".join(map(str, MINIMUM_SERVER))
    said = answer.stdout.strip()[:100]
    return f"{binary} was passed over: server {wanted} or newer is needed, it says {said!r}"


async def _fetch(target: Path, passed_over: list[str], progress: Progress) -> str:
    """Bring the program to `target` and say which way it came."""
    ways: tuple[tuple[str, Fetch], ...] = (
        ("downloaded by the Temporal SDK", _download),
        ("built with Go", _build),
    )
    for how, fetch in ways:
        # Beside the target: `os.replace` is atomic only within one file system.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="new-") as folder:
            try:
                fetched = await fetch(Path(folder), progress)
            except PermanentError as err:
                passed_over.append(str(err))
                progress(str(err))
                continue
            fault = fault_of(fetched)
            if not fault:
                os.replace(fetched, target)  # noqa: PTH105 -- says that it is the atomic one
                return how
            passed_over.append(fault)
    raise _nothing_found(target, passed_over)


def _nothing_found(target: Path, passed_over: list[str]) -> PermanentError:
    return PermanentError(
        "There is no Temporal dev server on this machine, and none could be fetched.",
        effect="\n".join(f"- {reason}" for reason in passed_over),
        next_step="\n".join(
            (
                "Any one of these helps:",
                "- a Temporal that runs elsewhere:  export TEMPORAL_ADDRESS=host:7233",
                "- its command line tool on PATH (brew install temporal, or a release of"
                " https://github.com/temporalio/cli)",
                "- Go on PATH, and this command again; or by hand, in an empty folder:"
                f"  {' && '.join(GO_STEPS)} && cp temporal {target}",
                f"- a copy of the program at  {target}",
            )
        ),
    )


async def _download(folder: Path, progress: Progress) -> Path:
    """The SDK can only download *and start*: let it, then stop it and keep the file."""
    progress(f"downloading the Temporal dev server, CLI {CLI_VERSION}")
    start = asyncio.ensure_future(
        WorkflowEnvironment.start_local(
            download_dest_dir=str(folder), dev_server_download_version=f"v{CLI_VERSION}"
        )
    )
    try:
        await _until_done_or_stalled(start, folder, progress)
        await start.result().shutdown()
    except RuntimeError as err:  # the SDK has no narrower class for a failed download
        raise PermanentError(f"the Temporal SDK's download failed: {str(err)[:300]}") from err
    finally:
        start.cancel()
    return folder / f"temporal-v{CLI_VERSION}"  # as the SDK names it


async def _until_done_or_stalled(
    start: "asyncio.Future[WorkflowEnvironment]", folder: Path, progress: Progress
) -> None:
    clock = asyncio.get_running_loop().time
    size, grew_at, told_at = 0, clock(), clock()
    while not (await asyncio.wait([start], timeout=0.2))[0]:
        if (now_there := _bytes_in(folder)) != size:
            size, grew_at = now_there, clock()
        if clock() - grew_at > DOWNLOAD_STALL_S:
            raise PermanentError(
                f"the Temporal SDK's download stood still for {DOWNLOAD_STALL_S:.0f} s"
            )
        if clock() - told_at > PROGRESS_EVERY_S:
            told_at = clock()
            progress(f"downloading the Temporal dev server, {size / 1e6:.0f} MB so far")


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


async def _build(folder: Path, progress: Progress) -> Path:
    """A module of our own in `folder`."""
    build = go_build.GoBuild(WHAT, GO_PACKAGE, GO_STEPS, "2 to 3 minutes")
    await go_build.build(build, folder, progress, progress_every_s=PROGRESS_EVERY_S)
    return folder / "temporal"
