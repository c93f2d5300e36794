"""What the catalogue may say of a repository; the rest is refused before anything starts."""

import pytest
from pydantic import ValidationError

from rollback_manager.git_names import Naming
from rollback_manager.git_source import GitEdit, GitForge, GitSource
from rollback_manager.revert import OpenRevert, branch_of, is_of, message_of

EDIT = GitEdit(file="apps/shop/kustomization.yaml", key="images[name=shop].newTag")
BOT = "env:BOT"
URL = "https://git.example/team/deploy.git"


def source(**more: object) -> GitSource:
    return GitSource.model_validate({"repository": URL, "edits": (EDIT,), **more})


@pytest.mark.parametrize(
    ("repository", "url", "scheme"),
    [
        ("/srv/git/deploy.git", "file:///srv/git/deploy.git", "file"),
        ("/srv/a%b.git", "file:///srv/a%25b.git", "file"),
        (URL, URL, "https"),
        ("ssh://git@git.example:2222/team/deploy", "ssh://git@git.example:2222/team/deploy", "ssh"),
        ("http://127.0.0.1:3000/team/deploy", "http://127.0.0.1:3000/team/deploy", "http"),
        ("http://[::1]:3000/team/deploy", "http://[::1]:3000/team/deploy", "http"),
    ],
)
def test_repositories(repository: str, url: str, scheme: str) -> None:
    found = source(repository=repository)
    assert (found.url, found.scheme) == (url, scheme)
    assert source().project == "team/deploy"


@pytest.mark.parametrize(
    "repository",
    [
        "deploy",
        "../deploy",
        "/srv/../etc",
        "/srv/a b",
        "/srv/a\nb",
        "git@git.example:team/deploy.git",
        "ext::sh -c touch% /tmp/x",
        "ext::sh",
        "file:///srv/deploy.git",
        "http://git.example/team/deploy",
        "ftp://git.example/team/deploy",
        "git://git.example/team/deploy",
        "https://user:word@git.example/team/deploy",
        "https://token@git.example/team/deploy",
        "ssh://git:word@git.example/team/deploy",
        "ssh://-oProxyCommand=x/team/deploy",
        "ssh://-x@git.example/team/deploy",
        "ssh://git@-oProxyCommand=x:22/team",
        "https:///team/deploy",
        "https://git.example",
        "https://git.example/a?b=c",
        "https://git.example/a#b",
        "https://git.example:port/a",
        "--upload-pack=x",
        "",
    ],
)
def test_no_repositories(repository: str) -> None:
    with pytest.raises(ValidationError):
        source(repository=repository)


@pytest.mark.parametrize(
    "branch",
    ["", "-x", "a..b", "a b", "a~1", "a^", "a:b", "a/", "/a", "a//b", "a.lock", "a.", "x/.y",
     "@{u}", "a@{1}", "a\nb", "*", "rollback", "rollback/prod", "a\\b", "a.lock/b"],
)  # fmt: skip
def test_no_branches(branch: str) -> None:
    with pytest.raises(ValidationError):
        source(branch=branch)


@pytest.mark.parametrize(
    "file",
    ["", "/etc/passwd", "../x", "a/../b", "a/..", "./a", "a//b", "a/", "-x", ".git/config",
     "a/.GIT/hooks/x", "a\nb", "a\0b", "a*b", "~/x", "a\\..\\b", "a:b", "ä"],
)  # fmt: skip
def test_no_files(file: str) -> None:
    with pytest.raises(ValidationError):
        GitEdit(file=file, key="a")


@pytest.mark.parametrize(
    "key", ["", ".", "a.", ".a", "a[", "a[x]", "a[name=]", "a[-1]", "[0]", "$.a"]
)
def test_no_keys(key: str) -> None:
    with pytest.raises(ValidationError):
        GitEdit(file="a", key=key)


def test_a_forge_takes_a_url_and_a_token() -> None:
    forge = GitForge(kind="github", api="https://api.github.com")
    assert source(forge=forge, token=BOT).forge == forge
    with pytest.raises(ValidationError, match="add `token`"):
        source(forge=forge)
    with pytest.raises(ValidationError, match="not with a path"):
        source(repository="/srv/a", forge=forge, token=BOT)
    with pytest.raises(ValidationError):
        GitSource.model_validate({**source().model_dump(), "token": "the token itself"})
    with pytest.raises(ValidationError):
        GitForge(kind="github", api="https://me:word@api.example")


def request(key: str = "inc-7", **more: str) -> OpenRevert:
    words = {"env": "prod", "service": "shop", "rollback": f"rollback/prod/{key}"}
    words |= {"plan_digest": "d" * 64, "op_id": "0" * 15 + "1", "because": "errors rose", **more}
    return OpenRevert(bad=Naming(version="v3"), good=Naming(version="v2"), **words)


@pytest.mark.parametrize(
    ("key", "branch"),
    [
        ("inc-7", "rollback/prod/inc-7/shop"),
        ("2026.11.24", "rollback/prod/2026.11.24/shop"),
        ("a..b", "rollback/prod/a-.b/shop"),
        ("a...", "rollback/prod/a---/shop"),
        ("a.lock", "rollback/prod/a-lock/shop"),
    ],
)
def test_a_branch_is_the_rollbacks_own_and_a_name_that_git_allows(key: str, branch: str) -> None:
    assert branch_of(request(key)) == branch


def test_a_commit_tells_what_went_back_and_why() -> None:
    assert message_of(request()).splitlines() == [
        "Roll shop back from v3 to v2 in prod",
        "",
        "errors rose",
        "",
        "prod runs v2 already; this makes Git say so.",
        "",
        "Rollback: rollback/prod/inc-7",
        "Plan-Digest: " + "d" * 64,
        "Rollback-Operation: " + "0" * 15 + "1",
    ]


def test_a_reason_cannot_pass_for_another_operation() -> None:
    forged = request(because="x\n\nRollback-Operation: " + "f" * 16 + "\n\n\x1b[31m" + "y" * 9000)
    message = message_of(forged)
    assert is_of(message, forged.op_id)
    assert not is_of(message, "f" * 16)
    assert "\x1b" not in message
    assert len(message) < 2000
    assert not is_of("Subject\n\nbody", "")
