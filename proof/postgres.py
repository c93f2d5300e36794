"""A PostgreSQL for one run: the one that is named, else the one that is installed."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

NAMED = "ROLLBACK_TEST_POSTGRES"
FOLDERS = (
    "/usr/lib/postgresql/*/bin",  # Debian
    "/usr/pgsql-*/bin",  # Red Hat
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
START_S = 20


@contextmanager
def server(port: int = 0, *, durable: bool = False) -> Iterator[str]:
    """URL of a server in which databases may be created; ours ends with the block, or with us.

    port: of this machine, for programs that know no socket in a folder; 0: none is opened.
    durable: each commit is on the disk, as users have it; without, a test is sooner at its end.
    """
    if named := os.environ.get(NAMED):
        yield named
        return
    programs = _programs()
    with tempfile.TemporaryDirectory(prefix="rb-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        unprivileged = _unprivileged(folder)
        cluster = str(folder / "cluster")
        who = ["-U", "rollback", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [*unprivileged, str(programs / "initdb"), "-D", cluster, *who],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
        )
        listen = ["-p", str(port)] if port else []
        where = f"listen_addresses={'127.0.0.1' if port else ''}"
        options = ["-k", name, *listen, "-c", where, "-c", f"fsync={'on' if durable else 'off'}"]
        with (folder / "log").open("wb") as log:
            child = subprocess.Popen(
                [*unprivileged, *_with_us(), str(programs / "postgres"), "-D", cluster, *options],
                stderr=log,
                cwd=folder,
            )
        try:
            url = f"postgresql://rollback@{f'127.0.0.1:{port}' if port else ''}/postgres"
            url += "" if port else f"?host={folder}"
            _until_it_answers(url, child, folder / "log")
            yield url
        finally:
            child.send_signal(signal.SIGINT)  # a fast shutdown: it does not wait for clients
            child.wait(START_S)


def _programs() -> Path:
    """The folder of initdb and postgres."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve()] if on_path else []
    for pattern in FOLDERS:
        found += sorted(Path("/").glob(f"{pattern[1:]}/initdb"), reverse=True)
    for initdb in found:
        if initdb.with_name("postgres").exists():
            return initdb.parent
    raise RuntimeError(
        f"this needs PostgreSQL: apt-get install postgresql (or brew install postgresql@17),"
        f" or name a server in {NAMED}=postgresql://USER:PASSWORD@HOST/DATABASE"
    )


def _unprivileged(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: the words that make it run as nobody."""
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]


def _with_us() -> list[str]:
    """Where Linux can: the words that end a child with its parent."""
    return ["setpriv", "--pdeathsig", "INT", "--"] if shutil.which("setpriv") else []


def _until_it_answers(url: str, child: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if child.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from error
            time.sleep(0.02)
        else:
            return
