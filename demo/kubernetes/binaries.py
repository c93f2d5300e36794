"""Where the programs of the control plane come from.

`KUBEBUILDER_ASSETS`, then PATH, then our cache, then a build of the Go module beside this file,
which goes into our cache: one program with etcd, kube-apiserver, kube-controller-manager and
kubectl as its sub-commands. A cluster that the user names needs none of them: who calls has asked
for that before.
"""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from rollback_manager.errors import PermanentError
from workers import go_build
from workers.go_build import Progress

NAMED_CLUSTER = "ROLLBACK_TEST_KUBECONFIG"
ASSETS = "KUBEBUILDER_ASSETS"
KUBECTL = "kubectl"
ETCD, API_SERVER, CONTROLLERS = PARTS = ("etcd", "kube-apiserver", "kube-controller-manager")
VERSION = "1.34.4"
MINIMUM_ETCD = (3, 5, 13)  # what kube-apiserver 1.34 asks for; older distributions have 3.4
SOURCES = Path(__file__).parent / "control_plane"
FILES = ("main.go", "go.mod", "go.sum")
PROGRAM = "control-plane"
STAMPED = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
WHAT = "the Kubernetes control plane"
PROGRESS_EVERY_S = 10.0


@dataclass(frozen=True)
class Programs:
    """The words that begin the command of each part, and kubectl's where it came with them."""

    commands: Mapping[str, tuple[str, ...]]
    how: str
    passed_over: tuple[str, ...] = ()  # what was tried before them, and why that was not taken


def cached(cache: Path | None = None) -> Path:
    """Where our cache keeps the program of these sources; it need not be there yet."""
    root = cache or user_cache_path("rollback-manager")
    content = b"\0".join([command().encode(), *((SOURCES / name).read_bytes() for name in FILES)])
    version = f"{VERSION}-{hashlib.sha256(content).hexdigest()[:12]}"
    return root / "control-plane" / version / go_build.platform_folder() / PROGRAM


async def find(progress: Progress, *, cache: Path | None = None) -> Programs:
    """Find the programs, or build them (minutes), telling `progress`.

    Of several processes that look at once, one builds and the others wait and find its result.

    Raises:
        PermanentError: no way led to them; it names each and what to type.
    """
    passed_over: list[str] = []
    for how, folder in (
        (f"{ASSETS} ({os.environ.get(ASSETS)})", os.environ.get(ASSETS)),
        ("programs on PATH", os.environ.get("PATH", "")),
    ):
        if not folder:
            continue
        found, fault = _installed(folder)
        if not fault:
            return Programs(found, how, tuple(passed_over))
        passed_over.append(f"{how}: {fault}")
        if folder == os.environ.get(ASSETS):  # somebody meant it to be taken
            progress(passed_over[-1])
    target = cached(cache)
    if target.exists():
        return Programs(_sub_commands(target), "our cache", tuple(passed_over))
    async with go_build.alone(target.parent / "lock", WHAT, progress):
        if target.exists():  # whoever held the lock has put it there
            return Programs(_sub_commands(target), "our cache", tuple(passed_over))
        try:
            await _build(target, progress)
        except PermanentError as err:
            raise _nothing_found(target, [*passed_over, str(err)]) from err
    return Programs(_sub_commands(target), "built with Go", tuple(passed_over))


def _installed(path: str) -> tuple[dict[str, tuple[str, ...]], str]:
    """The parts in these folders, and what is wrong with them; empty if nothing is."""
    found = {part: shutil.which(part, path=path) for part in PARTS}
    if missing := [part for part, program in found.items() if program is None]:
        return {}, f"passed over, it has no {' and no '.join(missing)}"
    commands: dict[str, tuple[str, ...]] = {part: (str(one),) for part, one in found.items()}
    return commands, _too_old(str(found[ETCD]))


def _too_old(etcd: str) -> str:
    try:
        asked = subprocess.run(  # noqa: S603 -- the program that we are about to run anyway
            [etcd, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        return f"passed over, {etcd} does not run ({err})"
    number = re.search(r"etcd Version: (\d+)\.(\d+)\.(\d+)", asked.stdout)
    if number and tuple(map(int, number.groups())) >= MINIMUM_ETCD:
        return ""
    wanted = ".".join(map(str, MINIMUM_ETCD))
    return f"passed over, etcd {wanted} or newer is needed, {etcd} says {asked.stdout[:40]!r}"


def _sub_commands(program: Path) -> dict[str, tuple[str, ...]]:
    return {part: (str(program), part) for part in (*PARTS, KUBECTL)}


async def _build(target: Path, progress: Progress) -> None:
    # Beside the target: `os.replace` is atomic only within one file system.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="new-") as name:
        folder = Path(name)
        for source in FILES:
            shutil.copyfile(SOURCES / source, folder / source)
        one = go_build.GoBuild(WHAT, "k8s.io/kubernetes", (command(),), "6 to 9 minutes")
        await go_build.build(one, folder, progress, progress_every_s=PROGRESS_EVERY_S)
        os.replace(folder / PROGRAM, target)  # noqa: PTH105 -- says that it is the atomic one


def command() -> str:
    """What builds the program, in the folder of its sources; without -X it has no version."""
    major, minor, _ = VERSION.split(".")
    stamps = {"gitVersion": f"v{VERSION}", "gitMajor": major, "gitMinor": minor}
    flags = " ".join(
        ["-s -w"]
        + [f"-X {module}.{key}={value}" for module in STAMPED for key, value in stamps.items()]
    )
    return f"CGO_ENABLED=0 go build -trimpath -ldflags {shlex.quote(flags)} -o {PROGRAM} ."


def _nothing_found(target: Path, passed_over: list[str]) -> PermanentError:
    return PermanentError(
        "There is no Kubernetes control plane on this machine, and none could be built.",
        effect="\n".join(f"- {reason}" for reason in passed_over),
        next_step="\n".join(
            (
                "Any one of these helps:",
                f"- a cluster that may be thrown away:  export {NAMED_CLUSTER}=/path/to/kubeconfig",
                f"- a folder with {', '.join(PARTS)}:  export {ASSETS}=/path/to/folder",
                "- these three on PATH",
                "- Go on PATH, and this command again; or by hand:",
                f"    cd {SOURCES} && {command()} && mv {PROGRAM} {target}",
            )
        ),
    )
