"""What git says when it fails: whether it is worth another try, and what a person does else."""

import pytest

from activities.integrations.git.failures import Failed, told
from rollback_manager.errors import Blocked, PermanentError, RollbackError, Unreachable

URL = "https://git.example/team/deploy.git"


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (f"fatal: unable to access '{URL}': Could not resolve host: git.example", Unreachable, ""),
        (f"fatal: unable to access '{URL}': Failed to connect to x port 443", Unreachable, ""),
        (
            f"fatal: unable to access '{URL}': The requested URL returned error: 429",
            Unreachable,
            "",
        ),
        (
            f"fatal: unable to access '{URL}': The requested URL returned error: 503",
            Unreachable,
            "",
        ),
        ("error: RPC failed; curl 56 GnuTLS recv error (-54)\nfatal: early EOF", Unreachable, ""),
        ("ssh: connect to host x port 22: Connection timed out\nfatal: x", Unreachable, ""),
        ("ssh: Could not resolve hostname x: Name or service not known", Unreachable, ""),
        ("! [rejected] a -> b (stale info)\nerror: failed to push", Unreachable, "same moment"),
        ("error: cannot lock ref 'refs/heads/x': reference already exists", Unreachable, "moment"),
        (f"fatal: Authentication failed for '{URL}/'", PermanentError, "refuses us"),
        (f"fatal: could not read Username for '{URL}': disabled", PermanentError, "refuses us"),
        (f"fatal: unable to access '{URL}': returned error: 403", PermanentError, "refuses us"),
        ("git@x: Permission denied (publickey).\nfatal: Could not", PermanentError, "refuses us"),
        ("Host key verification failed.\nfatal: Could not read", PermanentError, "refuses us"),
        ("remote: Repository not found.\nfatal: repository not found", PermanentError, "not there"),
        ("fatal: '/srv/x' does not appear to be a git repository", PermanentError, "not there"),
        ("fatal: detected dubious ownership in repository", PermanentError, "another user"),
        (f"fatal: unable to access '{URL}': returned error: 302", PermanentError, "elsewhere"),
        ("fatal: SSL certificate problem: self-signed certificate", PermanentError, "elsewhere"),
        ("! [remote rejected] a -> b (pre-receive hook declined)", Blocked, "no such branch"),
        ("", Unreachable, "it said nothing"),
        ("x" * 9000 + "\x1b[31m", Unreachable, "xxx"),
    ],
)
def test_the_words_of_git(words: str, kind: type[RollbackError], said: str) -> None:
    error = told(Failed("push", URL, 128, words))
    assert type(error) is kind
    assert said in error.what
    assert URL in error.what
    assert error.effect
    assert error.next_step
    assert len(error.what) < 500
    assert error.what.isprintable()


def test_a_repositorys_own_name_decides_nothing() -> None:
    url = "https://git.example/team/certificate-not-found.git"
    words = f"fatal: unable to access '{url}': Connection reset by peer"
    assert type(told(Failed("clone", url, 128, words))) is Unreachable


def test_what_fails_here_is_no_fault_of_the_remotes() -> None:
    error = told(Failed("write-tree", URL, 128, "fatal: object not readable"))
    assert type(error) is PermanentError
    assert error.what == "git write-tree ended with 128: fatal: object not readable"
