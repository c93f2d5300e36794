"""A lock between processes: one file, one holder, and the file says who that is."""

import fcntl
import os
from pathlib import Path


class Held(Exception):
    """Somebody else holds the lock; `holder` is what they wrote about themselves."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class FileLock:
    """An advisory lock (`flock`) on `path`, held until `release` or until all holders are dead.

    The lock belongs to the open file: a child process that inherits `fileno` holds it too, so it
    outlives a parent that was killed while the child still works on what is locked.
    The file stays when the lock is gone, for removing it would let two holders lock two files.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock at once, or raise `Held`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.fileno = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self.fileno, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self.fileno, 200).decode(errors="replace").strip()
            os.close(self.fileno)
            raise Held(holder or "a process that did not say who it is") from None
        self.name_holder(f"pid {os.getpid()}")

    def name_holder(self, holder: str) -> None:
        """Write into the file who holds it, for whoever comes second."""
        os.ftruncate(self.fileno, 0)
        os.pwrite(self.fileno, holder.encode(), 0)

    def release(self) -> None:
        """Give the lock back; this process's part of it, if a child inherited it."""
        os.ftruncate(self.fileno, 0)
        os.close(self.fileno)
