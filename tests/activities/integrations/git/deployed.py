"""Real Git repositories to deploy from: bare ones on disk, and the same over HTTP with a token.

What stands in for a forge (`StandInForge`) is said to: its API alone; its Git is Git's own.
"""

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from rollback_manager.git_names import Naming
from rollback_manager.revert import OpenRevert

GIT = shutil.which("git") or "git"
KUSTOMIZATION = """\
# the shop, as it is deployed
images:
  - name: shop
    newTag: v3 # the release
"""
FILE = "apps/shop/kustomization.yaml"
KEY = "images[name=shop].newTag"
CANARY = "s3cr3t-canary-of-the-bot"
LOGIN = base64.b64encode(f"x-access-token:{CANARY}".encode()).decode()
BRANCH = "rollback/prod/inc-7/shop"
BAD, GOOD = Naming(version="v3"), Naming(version="v2")


def request(op_id: str = "0123456789abcdef", **more: object) -> OpenRevert:
    words: dict[str, object] = {
        "env": "prod", "service": "shop", "rollback": "rollback/prod/inc-7", "op_id": op_id,
        "plan_digest": "d" * 64, "because": "errors rose to 12 %", "bad": BAD, "good": GOOD,
    }  # fmt: skip
    return OpenRevert.model_validate(words | more)


def git(folder: Path, *arguments: str, given: str | None = None) -> str:
    """The tests' own git, with nothing of the user's either."""
    who = {f"GIT_{role}_{kind}": "a@b.example" for role in ("AUTHOR", "COMMITTER")
           for kind in ("NAME", "EMAIL")}  # fmt: skip
    environment = {**who, "PATH": os.environ["PATH"], "HOME": str(folder),
                   "GIT_CONFIG_NOSYSTEM": "1"}  # fmt: skip
    done = subprocess.run(
        [GIT, *arguments], cwd=folder, env=environment, input=given, text=True,
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Remote:
    """A bare repository, and a clone in which people work."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "team" / "deploy.git"
        self.work = folder / "work"
        self.path.mkdir(parents=True)
        git(self.path, "init", "-q", "--bare", "--initial-branch=main")
        git(folder, "clone", "-q", str(self.path), "work")
        git(self.work, "checkout", "-q", "-b", "main")
        self.commit({FILE: KUSTOMIZATION, "README": "words\n"})
        git(self.work, "push", "-q", "origin", "HEAD:main")

    def commit(self, files: dict[str, str]) -> str:
        """A person's commit on main."""
        for name, text in files.items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_bytes(text.encode())
        git(self.work, "add", "--all")
        git(self.work, "commit", "-q", "-m", "By a person")
        git(self.work, "push", "-q", "origin", "HEAD:main")
        return git(self.work, "rev-parse", "HEAD")

    def refs(self) -> dict[str, str]:
        """Every ref of the remote."""
        rows = git(self.path, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(row.split() for row in rows)

    def at(self, branch: str, file: str = FILE) -> str:
        """A file's text on a branch."""
        return git(self.path, "show", f"{branch}:{file}") + "\n"

    def count(self, branch: str) -> int:
        """Commits of a branch that main lacks."""
        return int(git(self.path, "rev-list", "--count", branch, "^main"))


class StandInForge:
    """Stands in for the API of GitHub, GitLab or Gitea: as much as opens and finds a request.

    status: answer everything with this instead. rows: the requests that there are.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self.asked: list[str] = []
        self.answer: tuple[int, dict[str, str], bytes] | None = None
        self.lose_the_race = False

    def get(self, path: str, query: dict[str, list[str]]) -> tuple[int, object]:
        if self.lose_the_race:  # nobody sees it yet, and then it is there
            self.lose_the_race = False
            return 200, []
        wanted = query.get("source_branch", [query.get("head", [""])[0].partition(":")[2]])[0]
        return 200, [row for row in self.rows if _head(row) == wanted]

    def post(self, path: str, body: dict[str, str]) -> tuple[int, object]:
        is_gitlab = path.startswith("/api/v4/")
        head = body["source_branch"] if is_gitlab else body["head"]
        if any(_head(row) == head and row["state"] in ("open", "opened") for row in self.rows):
            return (409 if is_gitlab else 422), {"message": "one already exists"}
        number = len(self.rows) + 1
        row: dict[str, object] = (
            {"source_branch": head, "state": "opened", "web_url": f"https://forge.example/mr/{number}"}
            if is_gitlab
            else {"head": {"ref": head}, "state": "open",
                  "html_url": f"https://forge.example/pr/{number}"}
        )  # fmt: skip
        self.rows.append({**row, "body": body})
        return 201, row


def _head(row: dict[str, object]) -> object:
    head = row.get("head")
    return head["ref"] if isinstance(head, dict) else row.get("source_branch")


@contextmanager
def served(root: Path, forge: StandInForge | None = None) -> Iterator[str]:
    """The repositories below `root` over HTTP by `git http-backend`, for the canary token alone."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._any(b"")

        def do_POST(self) -> None:
            self._any(self._body())

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("content-length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _any(self, body: bytes) -> None:
            url = urlsplit(self.path)
            if url.path.startswith("/api/"):
                self._api(url.path, url.query, body)
            elif self.headers.get("authorization") != f"Basic {LOGIN}":
                self._say(401, {"www-authenticate": "Basic"}, b"who?")
            else:
                self._git(url.path, url.query, body)

        def _git(self, path: str, query: str, body: bytes) -> None:
            environment = {
                "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(root), "PATH_INFO": path,
                "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": "bot", "QUERY_STRING": query,
                "REQUEST_METHOD": self.command, "HOME": str(root),
                "CONTENT_TYPE": self.headers.get("content-type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
                "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
            }  # fmt: skip
            done = subprocess.run(
                [GIT, "http-backend"], env=environment, input=body, capture_output=True,
                check=False, timeout=60,
            )  # fmt: skip
            head, _, said = done.stdout.partition(b"\r\n\r\n")
            rows = [line.split(": ", 1) for line in head.decode().splitlines()]
            headers = {name.lower(): text for name, text in rows}
            self._say(int(headers.pop("status", "200").split()[0]), headers, said)

        def _api(self, path: str, query: str, body: bytes) -> None:
            assert forge is not None
            forge.asked.append(f"{self.command} {path}")
            if forge.answer is not None:
                self._say(*forge.answer)
                return
            if self.headers.get("authorization") != f"Bearer {CANARY}":
                self._say(401, {}, b'{"message": "Bad credentials"}')
                return
            status, row = (
                forge.get(path, parse_qs(query))
                if self.command == "GET"
                else forge.post(path, json.loads(body))
            )
            self._say(status, {}, json.dumps(row).encode())

        def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
