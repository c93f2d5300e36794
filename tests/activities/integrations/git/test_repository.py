"""The revert on a branch, in real repositories: on disk, and over HTTP by `git http-backend`."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from activities.integrations.git import Command, Limits, Repository
from activities.integrations.git.copy import Copy
from rollback_manager.errors import Blocked, PermanentError, RollbackError, Unreachable
from rollback_manager.git_names import Judged, Names
from rollback_manager.git_source import GitSource
from rollback_manager.revert import OpenRevert, RevertState
from tests.activities.integrations.git.deployed import (
    BRANCH,
    CANARY,
    FILE,
    GIT,
    KEY,
    KUSTOMIZATION,
    LOGIN,
    Remote,
    git,
    request,
    served,
)

BOT = "env:GIT_BOT"


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path)


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as one:
        yield one


@pytest.fixture
def over_http(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("GIT_BOT", CANARY)
    git(remote.path, "config", "http.receivepack", "true")
    git(remote.path, "config", "uploadpack.allowFilter", "true")
    with served(remote.path.parent.parent) as url:
        yield f"{url}/team/deploy.git"


def beat() -> None:
    return


def source(repository: object, **more: object) -> GitSource:
    words = {"repository": str(repository), "edits": [{"file": FILE, "key": KEY}], **more}
    return GitSource.model_validate(words)


def repository(where: object, client: httpx.Client, **more: object) -> Repository:
    return Repository(source(where, **more), client, Limits(ask_s=10, copy_s=20))


def edits(*files: str, key: str = "tag") -> dict[str, object]:
    return {"edits": [{"file": file, "key": key} for file in files]}


def test_a_revert_is_one_commit_on_a_branch_of_its_own(
    remote: Remote, client: httpx.Client
) -> None:
    before = remote.refs()
    revert = repository(remote.path, client).propose(request(), beat)
    assert (revert.state, revert.branch) == (RevertState.PROPOSED, BRANCH)
    assert remote.refs() == {**before, f"refs/heads/{BRANCH}": revert.commit}
    assert remote.at(BRANCH) == KUSTOMIZATION.replace("v3", "v2")
    assert git(remote.path, "diff", "--numstat", "main", BRANCH) == f"1\t1\t{FILE}"
    assert git(remote.path, "rev-parse", f"{BRANCH}^") == before["refs/heads/main"]
    who = git(remote.path, "log", "-1", "--format=%an|%ae|%cn", BRANCH)
    assert who == "rollback-manager|rollback-manager@localhost|rollback-manager"
    message = git(remote.path, "log", "-1", "--format=%B", BRANCH)
    for said in ("from v3 to v2 in prod", "errors rose to 12 %", "rollback/prod/inc-7", "d" * 64):
        assert said in message


def test_over_http_nothing_is_fetched_but_what_is_read(
    remote: Remote, over_http: str, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = os.urandom(400_000).hex()
    remote.commit({"apps/other/big.txt": big})
    sizes: list[int] = []
    pushed = Copy.pushed

    def measured(copy: Copy, branch: str, request: OpenRevert, judged: Judged) -> str:
        commit = pushed(copy, branch, request, judged)
        folder = copy.git._folder
        sizes.append(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
        return commit

    monkeypatch.setattr(Copy, "pushed", measured)
    revert = repository(over_http, client, token=BOT).propose(request(), beat)
    assert sizes[0] < 100_000
    assert revert.state is RevertState.PROPOSED
    assert remote.at(BRANCH) == KUSTOMIZATION.replace("v3", "v2")
    assert remote.at(BRANCH, "apps/other/big.txt").strip() == big
    assert remote.count(BRANCH) == 1


def test_a_retry_after_a_kill_between_push_and_report_finds_its_own(
    remote: Remote, client: httpx.Client, tmp_path: Path
) -> None:
    script = (
        "import os, httpx\n"
        "from activities.integrations.git import Repository\n"
        "from activities.integrations.git.copy import Copy\n"
        "from tests.activities.integrations.git.test_repository import request, source\n"
        "pushed = Copy.pushed\n"
        "def killed(*a):\n"
        "    pushed(*a)\n"
        "    os.kill(os.getpid(), 9)\n"
        "Copy.pushed = killed\n"
        f"here = Repository(source({str(remote.path)!r}), httpx.Client())\n"
        "here.propose(request(), lambda: None)\n"
    )
    root = Path(__file__).parents[4]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=root, env=environment, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    after_the_kill = remote.refs()
    assert f"refs/heads/{BRANCH}" in after_the_kill

    time.sleep(1.1)  # commits of one second could be the same by chance
    again = repository(remote.path, client).propose(request(), beat)
    assert again.state is RevertState.PROPOSED
    assert again.commit == after_the_kill[f"refs/heads/{BRANCH}"]
    assert remote.refs() == after_the_kill
    assert remote.count(BRANCH) == 1


def test_a_retry_finds_its_commit_below_what_people_added(
    remote: Remote, client: httpx.Client
) -> None:
    mine = repository(remote.path, client).propose(request(), beat).commit
    git(remote.work, "fetch", "-q", "origin", BRANCH)
    git(remote.work, "checkout", "-q", "-b", "theirs", "FETCH_HEAD")
    git(remote.work, "commit", "-q", "--allow-empty", "-m", "A word of theirs")
    git(remote.work, "push", "-q", "origin", f"theirs:{BRANCH}")
    before = remote.refs()
    assert repository(remote.path, client).propose(request(), beat).commit == mine
    assert remote.refs() == before


def test_a_branch_of_another_operation_is_left_alone(remote: Remote, client: httpx.Client) -> None:
    repository(remote.path, client).propose(request("f" * 16), beat)
    before = remote.refs()
    with pytest.raises(Blocked, match="not by this operation"):
        repository(remote.path, client).propose(request(), beat)
    assert remote.refs() == before


@pytest.mark.parametrize("theirs", ["main", "other"])
def test_a_branch_that_appears_before_the_push_is_not_overwritten(
    remote: Remote, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, theirs: str
) -> None:
    """Even where our commit would be a fast-forward of it: made at the deployed commit."""
    if theirs == "other":
        git(remote.path, "branch", "other", "main")
        commit = git(remote.path, "commit-tree", "main^{tree}", "-m", "theirs")
        git(remote.path, "update-ref", "refs/heads/other", commit)
    looked = Copy.ours

    def late(copy: Copy, branch: str, op_id: str) -> str | None:
        found = looked(copy, branch, op_id)
        git(remote.path, "branch", branch, theirs)
        return found

    monkeypatch.setattr(Copy, "ours", late)
    with pytest.raises(Unreachable, match="at the same moment"):
        repository(remote.path, client).propose(request(), beat)
    assert remote.refs()[f"refs/heads/{BRANCH}"] == remote.refs()[f"refs/heads/{theirs}"]


def test_a_deployed_branch_that_moves_meanwhile_keeps_what_it_got(
    remote: Remote, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = Copy.ours

    def meanwhile(copy: Copy, branch: str, op_id: str) -> str | None:
        remote.commit({FILE: KUSTOMIZATION.replace("v3", "v4")})
        return looked(copy, branch, op_id)

    monkeypatch.setattr(Copy, "ours", meanwhile)
    before = remote.refs()["refs/heads/main"]
    revert = repository(remote.path, client).propose(request(), beat)
    assert revert.state is RevertState.PROPOSED
    assert git(remote.path, "rev-parse", f"{BRANCH}^") == before
    assert "v4" in remote.at("main")
    merge = subprocess.run(
        [GIT, "merge-tree", "--write-tree", "main", BRANCH],
        cwd=remote.path, capture_output=True, check=False,
    )  # fmt: skip
    assert merge.returncode == 1, "a merge of it is a conflict, which people see"


@pytest.mark.parametrize(
    ("tag", "state", "names"),
    [
        ("v2", RevertState.ALREADY_GOOD, Names.GOOD),
        ("v4", RevertState.MOVED_ON, Names.OTHER),
        ("1.0", RevertState.UNCLEAR, Names.UNCLEAR),
    ],
)
def test_nothing_is_pushed_where_the_bad_one_is_not_named(
    remote: Remote, client: httpx.Client, tag: str, state: RevertState, names: Names
) -> None:
    head = remote.commit({FILE: KUSTOMIZATION.replace("v3", tag)})
    before = remote.refs()
    there = repository(remote.path, client)
    assert there.propose(request(), beat).state is state
    found = there.desired(request(), beat)
    assert (found.names, found.commit) == (names, head)
    assert remote.refs() == before


def test_git_names_the_bad_one_until_the_revert_is_merged(
    remote: Remote, client: httpx.Client
) -> None:
    there = repository(remote.path, client)
    assert there.desired(request(), beat).names is Names.BAD
    there.propose(request(), beat)
    assert there.desired(request(), beat).names is Names.BAD
    git(remote.work, "fetch", "-q", "origin", BRANCH)
    git(remote.work, "merge", "-q", "--no-ff", "-m", "Merge", "FETCH_HEAD")
    git(remote.work, "push", "-q", "origin", "HEAD:main")
    assert there.desired(request(), beat).names is Names.GOOD
    assert there.propose(request(), beat).state is RevertState.ALREADY_GOOD


def test_several_files_keep_their_modes_and_line_ends(remote: Remote, client: httpx.Client) -> None:
    remote.commit({"a.yaml": "tag: v3\r\nx: ä\r\n", "b/c.json": '{"tag": "v3"}'})
    git(remote.work, "update-index", "--chmod=+x", "a.yaml")
    git(remote.work, "commit", "-q", "-m", "mode")
    git(remote.work, "push", "-q", "origin", "HEAD:main")
    repository(remote.path, client, **edits("a.yaml", "b/c.json")).propose(request(), beat)
    a, b = (
        subprocess.run(
            [GIT, "show", f"{BRANCH}:{file}"], cwd=remote.path, capture_output=True, check=True
        ).stdout
        for file in ("a.yaml", "b/c.json")
    )
    assert (a.decode(), b) == ("tag: v2\r\nx: ä\r\n", b'{"tag": "v2"}')
    assert git(remote.path, "ls-tree", BRANCH, "a.yaml").startswith("100755")
    assert git(remote.path, "diff", "--name-only", "main", BRANCH).split() == ["a.yaml", "b/c.json"]


def test_links_and_what_lies_behind_them_are_no_files(
    remote: Remote, client: httpx.Client, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("tag: v3\n")
    (remote.work / "link.yaml").symlink_to(outside)
    (remote.work / "inside.yaml").symlink_to(FILE)
    (remote.work / "folder").symlink_to(tmp_path)
    remote.commit({"real/x.yaml": "tag: v3\n"})
    before = remote.refs()
    for file in ("link.yaml", "inside.yaml", "folder/outside.yaml", "folder", "real", "gone.yaml"):
        there = repository(remote.path, client, **edits(file))
        revert = there.propose(request(), beat)
        assert revert.state is RevertState.UNCLEAR, file
        assert "no plain file" in revert.because or "no such file" in revert.because
    assert remote.refs() == before
    assert outside.read_text() == "tag: v3\n"


def test_hostile_files_are_unclear_and_quick(remote: Remote, client: httpx.Client) -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 99))
    files = {
        "huge.yaml": "tag: v3\n" + "# x\n" * 2_000_000,
        "anchor.yaml": "a: &x v3\ntag: *x\n",
        "deep.yaml": "tag: " + "[" * 50_000,
        "no.yaml": "tag: [",
        "bomb.yaml": bomb + "other: v3\n",
    }
    remote.commit(files)
    (remote.work / "latin.yaml").write_bytes("tag: v3 # \xe4\n".encode("latin-1"))
    (remote.work / "zero.yaml").write_bytes(b"tag: v3\0\n")
    remote.commit({"x": "y"})
    before = remote.refs()
    started = time.monotonic()
    for file in (*files, "latin.yaml", "zero.yaml"):
        found = repository(remote.path, client, **edits(file)).propose(request(), beat)
        assert found.state is RevertState.UNCLEAR, file
        assert file != "huge.yaml" or "too large" in found.because
    assert time.monotonic() - started < 60
    assert remote.refs() == before


def test_no_hook_filter_or_setting_of_repository_or_user_runs(
    remote: Remote, client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    ran.mkdir()
    home = tmp_path / "home"
    (home / "hooks").mkdir(parents=True)
    hooks = ("pre-receive", "update", "post-receive", "post-update", "reference-transaction",
             "pre-push", "post-checkout", "proc-receive", "push-to-checkout")  # fmt: skip
    for folder in (remote.path / "hooks", home / "hooks"):
        for hook in hooks:
            (folder / hook).write_text(f"#!/bin/sh\ntouch {ran}/{folder.parent.name}-{hook}\n")
            (folder / hook).chmod(0o755)
    alternate = tmp_path / "alternate.git"
    shutil.copytree(remote.path, alternate)
    (remote.path / "objects/info/alternates").write_text(f"{alternate}/objects\n")
    git(remote.path, "config", "core.alternateRefsCommand", f"touch {ran}/alternate")
    git(remote.path, "config", "uploadpack.packObjectsHook", f"touch {ran}/pack")
    (home / ".gitconfig").write_text(
        f"[core]\nhooksPath={home}/hooks\nsshCommand=touch {ran}/ssh\n"
        f"[alias]\nls-remote=!touch {ran}/alias\n[init]\ntemplateDir={home}\n"
        f'[filter "x"]\nsmudge=touch {ran}/smudge\nclean=touch {ran}/clean\n'
        f'[url "file:///nowhere"]\ninsteadOf=file://{remote.path}\n'
    )
    remote.commit({".gitattributes": "* filter=x\n"})
    for name in ("reference-transaction", "pre-receive"):
        assert (ran / f"deploy.git-{name}").exists(), "the hooks do run for others"
    for seen in ran.iterdir():
        seen.unlink()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", f"touch {ran}/diff")
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {ran}/ssh")
    revert = repository(remote.path, client).propose(request(), beat)
    assert revert.state is RevertState.PROPOSED
    assert [seen.name for seen in ran.iterdir()] == []


def test_a_repository_that_is_not_there_is_named(client: httpx.Client, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="is not there") as refused:
        repository(tmp_path / "gone.git", client).desired(request(), beat)
    assert refused.value.effect
    assert "catalogue" in refused.value.next_step


def test_a_branch_that_is_not_there_is_named(remote: Remote, client: httpx.Client) -> None:
    with pytest.raises(PermanentError, match="no branch live"):
        repository(remote.path, client, branch="live").desired(request(), beat)


def test_a_black_hole_ends_in_time_and_leaves_no_process(client: httpx.Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hole:  # takes connections, answers nothing
        url = f"http://127.0.0.1:{hole.getsockname()[1]}/team/deploy.git"
        started = time.monotonic()
        with pytest.raises(Unreachable, match="longer than 1 s"):
            Repository(source(url), client, Limits(ask_s=1, copy_s=1)).desired(request(), beat)
        assert time.monotonic() - started < 10
        assert _left(url) == []


def test_nobody_listening_is_worth_another_try(client: httpx.Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unreachable, match="failed"):
        repository(f"http://127.0.0.1:{port}/team/deploy.git", client).desired(request(), beat)


def test_what_the_beat_raises_ends_the_command(client: httpx.Client) -> None:
    def enough() -> None:
        raise KeyError("the worker ends")

    with socket.create_server(("127.0.0.1", 0)) as hole:
        url = f"http://127.0.0.1:{hole.getsockname()[1]}/team/deploy.git"
        with pytest.raises(KeyError):
            repository(url, client).desired(request(), enough)
        assert _left(url) == []


def _left(word: str) -> list[str]:
    """Processes with that word that stay; what was killed may need a moment to be gone."""
    until = time.monotonic() + 5
    while (found := _processes(word)) and time.monotonic() < until:
        time.sleep(0.02)
    return found


def _processes(word: str) -> list[str]:
    return [line for line in _command_lines() if word in line]


def _command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            yield path.read_bytes().decode(errors="replace")


def test_a_wrong_token_is_refused_and_told_nowhere(
    over_http: str, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_BOT", "wrong-" + CANARY)
    with pytest.raises(PermanentError, match="refuses us") as refused:
        repository(over_http, client, token=BOT).desired(request(), beat)
    assert CANARY not in repr(refused.value.__dict__) + str(refused.value)


def test_the_token_stands_in_no_argument_file_or_error(
    remote: Remote, over_http: str, client: httpx.Client, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    kept = tmp_path / "kept"
    started = Command._started
    arguments: list[str] = []

    def seen(command: Command, words: tuple[str, ...], files: tuple[int, int, int]) -> object:
        arguments.extend(words)
        shutil.copytree(command._folder, kept, dirs_exist_ok=True)
        return started(command, words, files)

    monkeypatch.setattr(Command, "_started", seen)
    caplog.set_level("DEBUG")
    there = repository(over_http, client, token=BOT)
    revert = there.propose(request(), beat)
    errors: list[RollbackError] = []
    git(remote.path, "config", "http.receivepack", "false")
    with pytest.raises(RollbackError) as refused:
        there.propose(request(rollback="rollback/prod/inc-8"), beat)
    errors.append(refused.value)
    told = [revert.model_dump_json(), caplog.text, *arguments, *(repr(e.__dict__) for e in errors)]
    files = [path.read_bytes().decode("latin-1") for path in kept.rglob("*") if path.is_file()]
    assert len(files) > 5
    for secret in (CANARY, LOGIN):
        assert not [text for text in (*told, *files) if secret in text]


def test_a_redirect_is_not_followed_with_the_token(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_BOT", CANARY)

    class Moved(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("location", f"http://127.0.0.2:1{self.path}")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Moved) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            there = repository(f"http://127.0.0.1:{server.server_port}/x", client, token=BOT)
            with pytest.raises(PermanentError, match="is elsewhere"):
                there.desired(request(), beat)
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def stand_in_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a program of the test's own in git's place: what git never does, but must not do."""

    def put(script: str) -> None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")

    return put


def test_a_secret_that_git_repeats_is_veiled(
    stand_in_git: Callable[[str], None], client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_BOT", CANARY)
    own = "env | sed -n 's/.*Basic //p'"
    stand_in_git(f'echo "fatal: $({own}) is $({own} | base64 -d)" >&2; exit 128')
    with pytest.raises(Unreachable, match=r"fatal: \*\*\* is x-access-token:\*\*\*") as refused:
        repository("https://git.example/a", client, token=BOT).desired(request(), beat)
    assert CANARY not in repr(refused.value.__dict__)
    assert LOGIN not in repr(refused.value.__dict__)


@pytest.mark.parametrize("goes_on", ["", "; sleep 60"])
def test_a_remote_that_talks_on_and_on_is_cut_off(
    stand_in_git: Callable[[str], None], client: httpx.Client, goes_on: str
) -> None:
    stand_in_git(f"head -c 3000000 /dev/zero{goes_on}")
    started = time.monotonic()
    with pytest.raises(PermanentError, match="said more than 1 MB"):
        repository("https://git.example/a", client).desired(request(), beat)
    assert time.monotonic() - started < 8


def test_a_copy_that_fills_the_disk_is_cut_off(
    stand_in_git: Callable[[str], None], client: httpx.Client
) -> None:
    stand_in_git("truncate -s 3G pack; sleep 60")
    with pytest.raises(PermanentError, match="more than 2 GB"):
        repository("https://git.example/a", client).desired(request(), beat)


def test_without_git_the_worker_says_what_to_install(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PermanentError, match="no command `git`") as refused:
        repository("https://git.example/a", client).desired(request(), beat)
    assert "Install git" in refused.value.next_step


def test_over_ssh_nobody_is_asked_and_no_strange_host_is_trusted(
    remote: Remote, client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in of the command `ssh`: it notes its arguments, and serves what is local."""
    (tmp_path / "bin").mkdir()
    said = tmp_path / "said"
    (tmp_path / "bin" / "ssh").write_text(
        f'#!/bin/sh\necho "$@" >> {said}\nfor last; do :; done\n'
        f'eval "$(echo "$last" | sed "s|/team|{tmp_path}/team|")"\n'
    )
    (tmp_path / "bin" / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nowhere")
    url, key = "ssh://git@git.example:2222/team/deploy.git", "/etc/rollback/it's-a-key"
    revert = repository(url, client, ssh_key=key).propose(request(), beat)
    assert revert.state is RevertState.PROPOSED
    assert remote.at(BRANCH) == KUSTOMIZATION.replace("v3", "v2")
    for line in said.read_text().splitlines():
        for option in ("-F /dev/null", "BatchMode=yes", "StrictHostKeyChecking=yes", f"-i {key}",
                       "IdentitiesOnly=yes", "-p 2222", "git@git.example"):  # fmt: skip
            assert option in line


def test_a_commit_is_signed_where_the_catalogue_names_a_key(
    remote: Remote, client: httpx.Client, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    words = ("-q", "-t", "ed25519", "-N", "", "-C", "bot", "-f", str(key))
    subprocess.run([shutil.which("ssh-keygen") or "", *words], check=True)
    public = key.with_suffix(".pub").read_text()
    (tmp_path / "signers").write_text(f"rollback-manager@localhost {public}")
    repository(remote.path, client, signing_key=str(key)).propose(request(), beat)
    git(remote.path, "config", "gpg.ssh.allowedSignersFile", str(tmp_path / "signers"))
    assert git(remote.path, "log", "-1", "--format=%G?", BRANCH) == "G"
    with pytest.raises(PermanentError, match="cannot be signed"):
        repository(remote.path, client, signing_key="/gone").propose(
            request(rollback="rollback/prod/inc-8"), beat
        )


@pytest.mark.parametrize("branch", ["main", "other", "rollback"])
def test_no_branch_but_ours_is_ever_pushed_to(remote: Remote, tmp_path: Path, branch: str) -> None:
    own = tmp_path / "own"
    own.mkdir()
    copy = Copy(Command(source(remote.path), own, beat), source(remote.path), Limits())
    copy.make()
    before = remote.refs()
    with pytest.raises(PermanentError, match="no branch of ours"):
        copy.pushed(branch, request(), copy.judged(request()))
    assert remote.refs() == before


def test_no_temporary_folder_stays(
    remote: Remote, client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(own))
    repository(remote.path, client).propose(request(), beat)
    assert list(own.iterdir()) == []
