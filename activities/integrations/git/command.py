"""The command `git`: fixed arguments, no shell, nothing of the user's, and an end in time."""

import base64
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from activities.bearer import token_of
from activities.database_urls import veiled
from activities.integrations.git.failures import Failed, told
from rollback_manager.errors import PermanentError, Unreachable
from rollback_manager.git_source import GitSource

MOST_BYTES = 1_000_000
"""Of what one command says; a remote that talks on and on is cut off."""
MOST_ON_DISK = 2_000_000_000
"""Of a shallow copy: a repository that is larger than this is no home of manifests."""


@dataclass(frozen=True)
class Limits:
    """How long commands may take, in seconds."""

    ask_s: float = 20
    """For a question to the remote: it answers within a second or two, or is not there."""
    copy_s: float = 120
    """For a shallow copy, and for a push: a hundred MB over a poor line."""


USUAL = Limits()


class Command:
    """One repository's `git`, run in a folder of ours that goes when we do.

    beat: called while a command runs, a few times a second; what it raises ends the command.
    """

    def __init__(self, source: GitSource, folder: Path, beat: Callable[[], None]) -> None:
        self._folder = folder
        self._beat = beat
        self._where = source.repository
        token = token_of(source.token) if source.token else ""
        login = base64.b64encode(f"x-access-token:{token}".encode()).decode() if token else ""
        self._secrets = (token, login)
        self._environment = _environment(source, folder, login)

    def __call__(self, *arguments: str, within_s: float = 20, given: str = "") -> str:
        """What git says. Raises our errors, with nothing secret in them; given: its input."""
        verb = next(one for one in arguments if not one.startswith("-"))
        with TemporaryFile(dir=self._folder) as said, TemporaryFile(dir=self._folder) as wrong:
            with TemporaryFile(dir=self._folder) as read:
                read.write(given.encode())
                read.seek(0)
                process = self._started(arguments, (read.fileno(), said.fileno(), wrong.fileno()))
            try:
                self._wait(process, verb, within_s, (said.fileno(), wrong.fileno()))
            finally:
                _end(process)
            if process.returncode:
                words = veiled(_all(wrong.fileno()).decode(errors="replace"), self._secrets)
                raise told(Failed(verb, self._where, process.returncode, words))
            return _all(said.fileno()).decode(errors="surrogateescape")

    def _started(
        self, arguments: tuple[str, ...], files: tuple[int, int, int]
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 -- fixed arguments, no shell
                ["git", *arguments],  # noqa: S607 -- where the operator has it
                cwd=self._folder,
                env=self._environment,
                stdin=files[0],
                stdout=files[1],
                stderr=files[2],
                start_new_session=True,  # its helpers (https, ssh) end with it
            )
        except FileNotFoundError as error:
            raise PermanentError(
                "there is no command `git` on the worker's PATH",
                effect="Nothing was proposed in Git.",
                next_step="Install git 2.31 or newer on the worker, then retry the step.",
            ) from error

    def _wait(
        self, process: subprocess.Popen[bytes], verb: str, within_s: float, files: tuple[int, int]
    ) -> None:
        until = time.monotonic() + within_s
        while True:
            try:
                process.wait(0.2)
                return
            except subprocess.TimeoutExpired:
                self._beat()
            if time.monotonic() > until:
                raise Unreachable(
                    f"git {verb} with {self._where} took longer than {within_s:g} s",
                    effect="Nothing is known to have been proposed in Git.",
                    next_step="See whether the repository answers; this is tried again.",
                )
            if max(os.fstat(file).st_size for file in files) > MOST_BYTES:
                raise PermanentError(f"git {verb} with {self._where} said more than 1 MB")
            if _size(self._folder) > MOST_ON_DISK:
                raise PermanentError(f"a shallow copy of {self._where} takes more than 2 GB")


def _environment(source: GitSource, folder: Path, login: str) -> dict[str, str]:
    """Nothing inherited but the PATH: no configuration, alias, hook, proxy or agent of a user."""
    settings = {
        "core.hooksPath": os.devnull,
        "core.fsmonitor": "false",
        "core.askPass": "",
        "credential.helper": "",
        "gc.auto": "0",
        "maintenance.auto": "false",
        "http.followRedirects": "false",  # the token is for this host alone
        "http.lowSpeedLimit": "1000",
        "http.lowSpeedTime": "15",
        "protocol.allow": "never",
        f"protocol.{source.scheme}.allow": "always",
        "user.name": "rollback-manager",
        "user.email": "rollback-manager@localhost",
    }
    if login and source.scheme in ("http", "https"):  # in the environment: arguments are public
        settings[f"http.{source.url}.extraHeader"] = f"Authorization: Basic {login}"
    numbered = enumerate(settings.items())
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "LC_ALL": "C",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),  # whoever put a .git above it
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_SSH_COMMAND": _ssh(source.ssh_key),
        "GIT_SSH_VARIANT": "ssh",
        "GIT_CONFIG_COUNT": str(len(settings)),
        **{
            f"GIT_CONFIG_{kind}_{number}": text
            for number, pair in numbered
            for kind, text in zip(("KEY", "VALUE"), pair, strict=True)
        },
    }


def _ssh(key: str | None) -> str:
    """Asks nobody anything; a host's key must be known already."""
    own = f" -i {shlex.quote(key)} -o IdentitiesOnly=yes" if key else ""
    return (
        f"ssh -F {os.devnull} -o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=yes"
        f" -o ForwardAgent=no -o ClearAllForwardings=yes{own}"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Its whole group, for helpers would outlive it. One that has ended has waited for them."""
    if process.poll() is None:  # so its id is still its own
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _all(file: int) -> bytes:
    return os.pread(file, MOST_BYTES, 0)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size
        except FileNotFoundError:  # git renames what it has finished
            continue
    return total
