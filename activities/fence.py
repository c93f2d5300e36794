"""Compare-and-set for files: a rename is atomic but compares nothing, so a lock file does.

Whoever holds the lock reads the mark that stands at the target, gives up if it is newer, and only
then writes. A writer that was frozen and thaws finds the newer mark, whatever it read before.
"""

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EACCES, EINVAL, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM, EROFS
from pathlib import Path

from rollback_manager.errors import PermanentError, RollbackError, StaleWrite, TemporaryError
from rollback_manager.operation import Mark

WAIT_S = 4.0
"""Longest wait for the lock: below the 5 s that one write may take in all."""
POLL_S = 0.02
LASTING = {EACCES, EINVAL, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM, EROFS}
"""Errors of a file system that a person must mend; a full disk, for one, may pass by itself."""


def compare_and_set(
    target: Path,
    mark: Mark,
    standing: Callable[[], Mark | None],
    write: Callable[[], None],
    *,
    wait_s: float = WAIT_S,
) -> None:
    """Run `write` unless a newer mark than `mark` stands; nobody else writes meanwhile.

    standing: reads the mark at the target, None when somebody else wrote it or nobody did. The
    own mark may stand there already: a second attempt of the same step is allowed.

    Raises:
        StaleWrite: a newer mark stands there; nothing was written.
        TemporaryError: another process holds the lock for longer than `wait_s`.
    """
    with _locked(target, wait_s):
        _refuse_if_stale(target, mark, standing())
        write()


def replace_file(path: Path, text: str) -> None:
    """The whole file or nothing of it, on disk when this returns; owner and mode stay."""
    with named_errors(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                _as_before(path, file.fileno())
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """What the file system refuses inside, as an error of ours that names `path`."""
    try:
        yield
    except OSError as error:
        raise _ours(error, path) from error


def _refuse_if_stale(target: Path, mark: Mark, there: Mark | None) -> None:
    if there is not None and mark.is_older_than(there):
        raise StaleWrite(
            f"{target} carries epoch {there.epoch}, step {there.step};"
            f" this write is of epoch {mark.epoch}, step {mark.step}",
            effect="Nothing was written: a newer operation owns this target.",
            next_step="See which one: rollback-manager list. If the records were lost or restored,"
            " none is newer: take the mark away by hand.",
        )


@contextmanager
def _locked(target: Path, wait_s: float) -> Iterator[None]:
    path = target.with_name(f"{target.name}.lock")
    with named_errors(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(handle, path, wait_s)
        yield
    finally:
        os.close(handle)  # which gives the lock back; the file stays, for others may wait on it


def _take(handle: int, path: Path, wait_s: float) -> None:
    until = time.monotonic() + wait_s
    while not _taken(handle):
        if time.monotonic() >= until:
            holder = path.read_text(errors="replace").strip() or "unknown"
            raise TemporaryError(
                f"{path} is blocked by pid {holder[:20]}, for {wait_s:g} s now",
                effect="Nothing was written.",
                next_step=f"If that process hangs, end it: kill {holder[:20]}",
            )
        time.sleep(POLL_S)
    os.truncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _as_before(path: Path, handle: int) -> None:
    """A reader that runs as another user must still be able to open it."""
    if not path.exists():
        os.fchmod(handle, 0o644)
        return
    old, new = path.stat(), os.fstat(handle)
    os.fchmod(handle, stat.S_IMODE(old.st_mode))
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        os.fchown(handle, old.st_uid, old.st_gid)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _ours(error: OSError, path: Path) -> RollbackError:
    what = f"{path}: {error.strerror or error}"
    if error.errno in LASTING:
        return PermanentError(
            what,
            effect="Nothing was written.",
            next_step="Is it the path of the catalogue, and may this user write there?",
        )
    return TemporaryError(what, effect="Nothing was written.")
