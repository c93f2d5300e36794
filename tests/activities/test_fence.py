"""Compare-and-set for files, with real locks, threads and processes."""

import errno
import fcntl
import os
import random
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from activities.fence import compare_and_set, replace_file
from rollback_manager.errors import PermanentError, StaleWrite, TemporaryError
from rollback_manager.operation import Mark

HOLDER = """
import sys, time
from pathlib import Path
from activities.fence import compare_and_set
from rollback_manager.operation import Mark
def hold():
    print("held", flush=True)
    time.sleep(60)
compare_and_set(Path(sys.argv[1]), Mark(op_id="a", epoch=1, step=1), lambda: None, hold)
"""


def mark(epoch: int, step: int, op_id: str = "0123456789abcdef") -> Mark:
    return Mark(op_id=op_id, epoch=epoch, step=step)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "rds.json"


def standing(target: Path) -> Mark | None:
    return Mark.parse(target.read_text()) if target.exists() else None


def write(target: Path, new: Mark) -> None:
    compare_and_set(
        target, new, lambda: standing(target), lambda: replace_file(target, str(new)), wait_s=10
    )


@contextmanager
def held(target: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is inside its write."""
    command = [sys.executable, "-c", HOLDER, str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


# The mark


@pytest.mark.parametrize(
    ("there", "new"),
    [
        (mark(2, 1), mark(1, 1)),  # a late rollback
        (mark(2, 1), mark(1, 9)),  # however far it had come
        (mark(1, 5), mark(1, 4)),  # a late attempt of an earlier step
    ],
)
def test_an_older_mark_is_refused_and_nothing_is_written(
    target: Path, there: Mark, new: Mark
) -> None:
    write(target, there)
    with pytest.raises(StaleWrite, match=f"epoch {there.epoch}, step {there.step}"):
        write(target, new)
    assert standing(target) == there


@pytest.mark.parametrize(
    ("there", "new"),
    [
        (mark(1, 4), mark(1, 4)),  # a second attempt of the same step
        (mark(1, 4), mark(1, 5)),
        (mark(1, 9), mark(2, 1)),  # a newer rollback begins at its first step
    ],
)
def test_the_own_mark_and_a_newer_one_are_accepted(target: Path, there: Mark, new: Mark) -> None:
    write(target, there)
    write(target, new)
    assert standing(target) == new


def test_what_somebody_else_wrote_yields_to_any_mark(target: Path) -> None:
    target.write_text("written by hand")
    write(target, mark(1, 1))
    assert standing(target) == mark(1, 1)


def test_of_many_writers_at_once_none_ever_goes_back(target: Path) -> None:
    ledger: list[tuple[int, int]] = []
    marks = [mark(epoch, step) for epoch in range(1, 6) for step in range(1, 9)]
    random.Random(7).shuffle(marks)  # noqa: S311 - the same order in every run

    def attempt(new: Mark) -> None:
        def effect() -> None:
            ledger.append((new.epoch, new.step))
            replace_file(target, str(new))

        try:
            compare_and_set(target, new, lambda: standing(target), effect, wait_s=20)
        except StaleWrite:
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, marks))
    assert ledger == sorted(ledger)
    assert ledger[-1] == (5, 8)


# The lock


def test_a_lock_that_another_process_holds_is_named_after_the_wait(target: Path) -> None:
    with held(target) as holder, pytest.raises(TemporaryError, match=f"by pid {holder.pid}"):
        compare_and_set(target, mark(2, 1), lambda: None, lambda: None, wait_s=0.1)


def test_a_frozen_holder_keeps_the_others_out(target: Path) -> None:
    with held(target) as holder:
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(TemporaryError, match=f"by pid {holder.pid}"):
            compare_and_set(target, mark(2, 1), lambda: None, lambda: None, wait_s=0.1)


def test_a_holder_that_was_killed_leaves_no_lock(target: Path) -> None:
    with held(target) as holder:
        holder.kill()
        holder.wait()
        write(target, mark(1, 1))
    assert standing(target) == mark(1, 1)


def test_the_lock_is_given_back_after_a_refusal_and_after_a_failed_write(target: Path) -> None:
    def fails() -> None:
        raise PermanentError("no")

    with pytest.raises(PermanentError):
        compare_and_set(target, mark(1, 1), lambda: None, fails)
    with pytest.raises(StaleWrite):
        compare_and_set(target, mark(1, 1), lambda: mark(2, 1), lambda: None)
    with target.with_name("rds.json.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert lock.read() == f"{os.getpid()}\n"


def test_a_folder_that_is_not_there_is_a_permanent_error(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "rds.json"
    with pytest.raises(PermanentError, match="No such file"):
        compare_and_set(missing, mark(1, 1), lambda: None, lambda: None)
    with pytest.raises(PermanentError, match="No such file"):
        replace_file(missing, "")


# The replacement


def test_a_replaced_file_keeps_its_mode_and_owner(target: Path) -> None:
    target.write_text("old")
    target.chmod(0o640)
    owner = target.stat().st_uid
    if os.geteuid() == 0:
        owner = 65534
        os.chown(target, owner, -1)
    replace_file(target, "new")
    assert target.read_text() == "new"
    assert (stat.S_IMODE(target.stat().st_mode), target.stat().st_uid) == (0o640, owner)


def test_a_new_file_can_be_read_by_others(target: Path) -> None:
    replace_file(target, "new")
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


def test_a_reader_never_sees_half_a_file(target: Path) -> None:
    texts = {str(number) * 100_000 for number in range(3)}
    replace_file(target, "0" * 100_000)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(lambda: list(map(partial(replace_file, target), sorted(texts) * 20)))
        while not writing.done():
            assert target.read_text() in texts
        writing.result()


def test_a_failed_replacement_leaves_the_old_file_and_nothing_else(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TemporaryError, match="No space left"):
        replace_file(target, "new")
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]
