"""Requests to merge the revert: real Git over HTTP beside a stand-in of the forge's API."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from activities.integrations.git import Repository
from activities.integrations.git.forge import MOST_BYTES
from rollback_manager.errors import PermanentError, TemporaryError, Unreachable
from rollback_manager.git_source import GitSource
from rollback_manager.revert import Revert, RevertState
from tests.activities.integrations.git.deployed import (
    BRANCH,
    CANARY,
    FILE,
    KEY,
    Remote,
    StandInForge,
    git,
    request,
    served,
)

KINDS = {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"}
PATHS = {
    "github": "/api/v3/repos/team/deploy/pulls",
    "gitlab": "/api/v4/projects/team%2Fdeploy/merge_requests",
    "gitea": "/api/v1/repos/team/deploy/pulls",
}


class Place:
    """A remote repository, and the forge in front of it."""

    def __init__(self, remote: Remote, forge: StandInForge, url: str, client: httpx.Client) -> None:
        self.remote, self.forge, self.url, self._client = remote, forge, url, client

    def propose(self, kind: str = "github", **more: object) -> Revert:
        source = GitSource.model_validate(
            {
                "repository": f"{self.url}/team/deploy.git",
                "edits": [{"file": FILE, "key": KEY}],
                "token": "env:GIT_BOT",
                "forge": {"kind": kind, "api": self.url + KINDS[kind]},
                **more,
            }
        )
        return Repository(source, self._client).propose(request(), lambda: None)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("GIT_BOT", CANARY)
    remote, forge = Remote(tmp_path), StandInForge()
    git(remote.path, "config", "http.receivepack", "true")
    with served(tmp_path, forge) as url, httpx.Client(trust_env=False, timeout=2) as client:
        yield Place(remote, forge, url, client)


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_is_opened_once_and_found_again(place: Place, kind: str) -> None:
    revert = place.propose(kind)
    assert revert.state is RevertState.PROPOSED
    assert re.fullmatch(r"https://forge\.example/(pr|mr)/1", revert.request_url)
    body = place.forge.rows[0]["body"]
    assert isinstance(body, dict)
    assert body["title"] == "Roll shop back from v3 to v2 in prod"
    assert (body.get("head") or body["source_branch"]) == BRANCH
    assert (body.get("base") or body["target_branch"]) == "main"
    assert "errors rose to 12 %" in (body.get("body") or body["description"])
    assert place.propose(kind) == revert
    path = PATHS[kind]
    assert place.forge.asked == [f"GET {path}", f"POST {path}", f"GET {path}"]


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_another_attempt_opened_meanwhile_is_found(place: Place, kind: str) -> None:
    first = place.propose(kind)
    place.forge.lose_the_race = True
    assert place.propose(kind) == first
    assert len(place.forge.rows) == 1


def test_one_that_people_closed_is_not_opened_again(place: Place) -> None:
    first = place.propose()
    place.forge.rows[0]["state"] = "closed"
    assert place.propose() == first
    assert len(place.forge.rows) == 1


def test_a_request_for_another_branch_is_not_taken_for_ours(place: Place) -> None:
    other = {"head": {"ref": "x"}, "state": "open", "html_url": "https://forge.example/pr/99"}
    place.forge.answer = (200, {}, json.dumps([other]).encode())
    assert place.propose().request_url == "", "nor is an answer that is no request one"


@pytest.mark.parametrize(
    ("status", "headers", "kind", "said"),
    [
        (401, {}, PermanentError, "does not know the token"),
        (403, {}, PermanentError, "forbids it"),
        (403, {"x-ratelimit-remaining": "0"}, TemporaryError, "fewer requests"),
        (403, {"retry-after": "7"}, TemporaryError, "fewer requests"),
        (404, {}, PermanentError, "no such project"),
        (301, {"location": "http://127.0.0.2/"}, PermanentError, "answered (301"),
        (409, {}, PermanentError, "refuses the request (409: no: such"),
        (422, {}, PermanentError, "refuses the request (422: no: such"),
        (429, {"retry-after": "7"}, TemporaryError, "fewer requests"),
        (429, {}, TemporaryError, "fewer requests"),
        (500, {}, Unreachable, "failed (500"),
        (503, {}, Unreachable, "failed (503"),
    ],
)
def test_each_refusal_says_what_it_means_and_what_to_do(
    place: Place, status: int, headers: dict[str, str], kind: type[Exception], said: str
) -> None:
    message = json.dumps({"message": f"no: such {CANARY} \x1b[31m" + "x" * 5000})
    place.forge.answer = (status, headers, message.encode())
    with pytest.raises(kind) as refused:
        place.propose()
    error = refused.value
    assert isinstance(error, PermanentError | TemporaryError)
    assert said in error.what
    assert error.effect == "The branch is pushed; no request to merge it was opened."
    assert error.next_step
    assert CANARY not in str(error)
    assert "\x1b" not in str(error)
    assert len(error.what) < 500
    if isinstance(error, TemporaryError) and status < 500:
        assert error.retry_after_s == (7 if "retry-after" in headers else 60)
    assert place.remote.count(BRANCH) == 1

    place.forge.answer = None
    assert place.propose().request_url, "a later attempt goes on from the branch"
    assert place.remote.count(BRANCH) == 1


@pytest.mark.parametrize("body", [b"<html>", b"", b"[" * 100_000, b" " * (MOST_BYTES + 1)])
def test_an_answer_that_is_none_is_refused(place: Place, body: bytes) -> None:
    place.forge.answer = (200, {}, body)
    with pytest.raises(PermanentError, match=r"answered (no JSON|more than 2 MB)"):
        place.propose()


def test_a_forge_that_is_down_is_worth_another_try(place: Place) -> None:
    forge = {"kind": "github", "api": "http://127.0.0.2:1/api/v3"}
    with pytest.raises(Unreachable, match="does not answer") as refused:
        place.propose(forge=forge)
    assert CANARY not in str(refused.value)
    assert place.propose().request_url
