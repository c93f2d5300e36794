"""Pull and merge requests at GitHub, GitLab and Gitea: found, or else opened. Never merged."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from activities.bearer import token_of
from activities.database_urls import veiled
from rollback_manager.errors import Blocked, PermanentError, TemporaryError, Unreachable
from rollback_manager.git_source import GitForge, GitSource
from rollback_manager.revert import OpenRevert, message_of, title_of

MOST_BYTES = 2_000_000
"""Of an answer: a page of requests."""
WITHIN_S = 15.0
"""For one whole answer."""
LONGEST_WAIT_S = 600.0
LONGEST_TEXT = 200


class Forge:
    """The forge of one repository."""

    def __init__(self, source: GitSource, client: httpx.Client) -> None:
        if source.forge is None or source.token is None:
            raise PermanentError("a forge takes requests with a token only")
        self._forge: GitForge = source.forge
        self._token = source.token
        self._project = source.project
        self._base = source.branch
        self._client = client

    def request(self, revert: OpenRevert, branch: str, beat: Callable[[], None]) -> str:
        """URL of the request to merge `branch`, whoever opened it and whatever became of it."""
        beat()
        found = self._found(branch)
        beat()
        return found or self._opened(revert, branch)

    @property
    def _url(self) -> str:
        api = self._forge.api.rstrip("/")
        if self._forge.kind == "gitlab":
            return f"{api}/projects/{quote(self._project, safe='')}/merge_requests"
        return f"{api}/repos/{quote(self._project)}/pulls"

    def _found(self, branch: str) -> str:
        """In any state: what people closed is not opened again.

        Gitea has no filter by branch, so the newest 50 are looked through, at every forge.
        """
        if self._forge.kind == "gitlab":
            asked = {"source_branch": branch, "target_branch": self._base, "state": "all"}
        else:
            owner = self._project.partition("/")[0]
            asked = {"head": f"{owner}:{branch}", "state": "all", "limit": "50"}
        answer = self._ask("GET", params=asked)
        rows = answer if isinstance(answer, list) else []
        return next((_address(row) for row in rows if _branch(row) == branch), "")

    def _opened(self, revert: OpenRevert, branch: str) -> str:
        title, text = title_of(revert), message_of(revert)
        if self._forge.kind == "gitlab":
            body = {"source_branch": branch, "target_branch": self._base, "description": text}
        else:
            body = {"head": branch, "base": self._base, "body": text}
        try:
            return _address(self._ask("POST", body={"title": title, **body}))
        except Blocked:  # another attempt may have been faster
            if found := self._found(branch):
                return found
            raise

    def _ask(
        self, method: str, params: Mapping[str, str] = {}, body: Mapping[str, str] | None = None
    ) -> Any:
        token, until = token_of(self._token), time.monotonic() + WITHIN_S
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        try:
            with self._client.stream(
                method, self._url, params=params or None, json=body, headers=headers,
                follow_redirects=False,  # the token is for this host alone
            ) as answer:  # fmt: skip
                said = b""
                for chunk in answer.iter_bytes():
                    said += chunk
                    if len(said) > MOST_BYTES:
                        raise self._refused("answered more than 2 MB", "Correct `git.forge.api`.")
                    if time.monotonic() > until:
                        raise httpx.ReadTimeout("still answering")
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            why = veiled(f"{type(error).__name__}: {error}", (token,))[:LONGEST_TEXT]
            raise Unreachable(
                f"{self._forge.api} does not answer: {why}", effect=PUSHED, next_step=AGAIN
            ) from None
        self._check(answer, veiled(said.decode(errors="replace"), (token,)))
        try:
            return json.loads(said)
        except (ValueError, RecursionError):
            raise self._refused("answered no JSON", "Correct `git.forge.api`.") from None

    def _check(self, answer: httpx.Response, said: str) -> None:
        status, words = answer.status_code, _words(said)
        wait_s = _wait_s(answer)
        if status == 429 or (status == 403 and wait_s is not None):
            raise TemporaryError(
                f"{self._forge.api} wants fewer requests ({status}{words})",
                retry_after_s=wait_s or 60,
                effect=PUSHED,
                next_step=AGAIN,
            )
        if status >= 500:
            raise Unreachable(
                f"{self._forge.api} failed ({status}{words})", effect=PUSHED, next_step=AGAIN
            )
        if status in (409, 422):
            raise self._refused(f"refuses the request ({status}{words})", BY_HAND, Blocked)
        if not 200 <= status < 300:
            what, next_step = REFUSED.get(status, ("answered", "Correct `git.forge.api`."))
            raise self._refused(f"{what} ({status}{words})", next_step)

    def _refused(
        self, what: str, next_step: str, kind: type[PermanentError] = PermanentError
    ) -> PermanentError:
        return kind(
            f"{self._forge.api} {what}, for {self._project}", effect=PUSHED, next_step=next_step
        )


PUSHED = "The branch is pushed; no request to merge it was opened."
AGAIN = "This is tried again by itself."
BY_HAND = "Open the request for the branch by hand."
REFUSED = {
    401: ("does not know the token", "Put a valid token where `git.token` says."),
    403: ("forbids it", "Give the token the right to open requests."),
    404: ("knows no such project with this token", "Correct the repository, or its rights."),
}


def _wait_s(answer: httpx.Response) -> float | None:
    """How long it wants us to wait; None if it does not say."""
    told = answer.headers.get("retry-after", "")
    if told.isascii() and told.isdecimal():
        return min(float(told), LONGEST_WAIT_S)
    return 60.0 if answer.headers.get("x-ratelimit-remaining") == "0" else None


def _branch(row: Any) -> str:
    if not isinstance(row, dict):
        return ""
    head = row.get("head")
    return str(head.get("ref") if isinstance(head, dict) else row.get("source_branch"))


def _address(row: Any) -> str:
    url = row.get("html_url") or row.get("web_url") if isinstance(row, dict) else ""
    return str(url)[:500] if str(url).startswith(("https://", "http://")) else ""


def _words(said: str) -> str:
    """What its JSON says for people; nothing of a page of HTML."""
    try:
        tree = json.loads(said)
    except (ValueError, RecursionError):
        return ""
    message = tree.get("message") or tree.get("error") if isinstance(tree, dict) else ""
    more = tree.get("errors") if isinstance(tree, dict) else ""
    text = " ".join(str(part) for part in (message, more) if part)
    return f": {''.join(c for c in text if c.isprintable())[:LONGEST_TEXT]}" if text else ""
