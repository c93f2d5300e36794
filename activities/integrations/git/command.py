"""The command `git`: fixed arguments, no shell, nothing of the user's, and an end in time."""

import base64
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from activities.bearer import token_of
from activities.database_urls import veiled
from activities.integrations.git.environment import environment
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
        self._environment = environment(source, folder, login)

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
            ended = _ended(process)
            if not ended:
                self._beat()
            if max(os.fstat(file).st_size for file in files) > MOST_BYTES:
                raise self._too_much(f"git {verb} with {self._where} said more than 1 MB")
            if ended:
                return
            if _size(self._folder) > MOST_ON_DISK:
                raise self._too_much(f"a shallow copy of {self._where} takes more than 2 GB")
            if time.monotonic() > until:
                raise Unreachable(
                    f"git {verb} with {self._where} took longer than {within_s:g} s",
                    effect="Nothing is known to have been proposed in Git.",
                    next_step="See whether the repository answers; this is tried again.",
                )

    def _too_much(self, what: str) -> PermanentError:
        return PermanentError(
            what,
            effect="Nothing was proposed in Git; production is unchanged.",
            next_step="See whether `git.repository` is the right one; or make the change by hand.",
        )


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(0.2)
    except subprocess.TimeoutExpired:
        return False
    return True


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
