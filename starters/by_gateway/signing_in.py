"""As whom the command line comes to the gateway: by a credential, or by the token of its CI job."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from rollback_manager.errors import NotPermitted
from starters.by_gateway import web
from starters.refusals import UNCHANGED, UsageError
from starters.settings import Gateway


def credential(gateway: Gateway) -> str:
    """The credential to send; "" where none is set: a gateway on this machine asks for none.

    Raises NotPermitted where the gateway does not take the token of this job.
    """
    if gateway.token:
        return _of_reference(gateway.token)
    token = _token_of_job(gateway)
    if not token:
        return ""
    answer = web.send("POST", f"{gateway.url}/api/v1/ci/credentials", {"token": token})
    given = answer.document.get("credential")
    if answer.status != 201 or not isinstance(given, str):
        raise NotPermitted(
            str(answer.document.get("detail", f"the gateway answered {answer.status}"))[:300],
            effect=UNCHANGED,
            next_step=str(answer.document.get("next_step", "See docs/ci.md"))[:300],
        )
    return given


def _token_of_job(gateway: Gateway) -> str:
    """GitLab's stands in the environment; GitHub's is asked for, a new one each time."""
    if gateway.id_token:
        return gateway.id_token
    if not gateway.github_url:
        return ""
    url = f"{gateway.github_url}&audience={quote(gateway.audience or gateway.url, safe='')}"
    asked = web.send("GET", url, headers={"Authorization": f"bearer {gateway.github_token}"})
    token = asked.document.get("value")
    if asked.status != 200 or not isinstance(token, str):
        raise NotPermitted(
            f"GitHub gives this job no token ({asked.status})",
            effect=UNCHANGED,
            next_step="Allow it: permissions: {id-token: write}",
        )
    return token


def _of_reference(reference: str) -> str:
    kind, _, place = reference.partition(":")
    given = ""
    with suppress(OSError, ValueError):  # then there is none
        given = _read(kind, place).strip()
    if given.isascii() and given.isprintable() and given and " " not in given:
        return given
    raise UsageError(
        "ROLLBACK_GATEWAY_TOKEN refers to no credential",
        effect=UNCHANGED,
        next_step="Name where it is: ROLLBACK_GATEWAY_TOKEN=env:NAME, or file:/PATH",
    )


def _read(kind: str, place: str) -> str:
    match kind:
        case "env":
            return os.environ.get(place, "")
        case "file":
            return Path(place).read_text(encoding="utf-8")
        case _:
            return ""
