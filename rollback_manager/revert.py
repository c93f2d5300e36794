"""The revert in Git: asked for, answered, and worded for those who read the commit.

A hold keeps a GitOps controller from taking a rollback back; only Git can end the hold. The
product proposes the change and never makes it: people merge.
"""

import re
import textwrap
from enum import StrEnum

from rollback_manager.git_names import Names, Naming
from rollback_manager.git_source import OURS
from rollback_manager.values import Value

OPERATION = "Rollback-Operation"
"""The trailer by which a retry knows its own commit."""


class Question(Value):
    """Which of two releases does Git name for a service?"""

    env: str
    service: str
    bad: Naming
    good: Naming


class OpenRevert(Question):
    """Propose in Git that `service` goes back. op_id is the same for every attempt."""

    rollback: str
    """Workflow id: rollback/ENV/KEY."""
    plan_digest: str
    op_id: str
    because: str
    """Why it went back, in words for those who read the commit."""


class Desired(Value):
    """What the deployed branch names; GOOD: desired = live, and a hold may end."""

    names: Names
    because: str
    commit: str = ""


class RevertState(StrEnum):
    """How it stands with the revert of one service."""

    PROPOSED = "proposed"
    ALREADY_GOOD = "already_good"
    MOVED_ON = "moved_on"
    UNCLEAR = "unclear"
    """Nothing was pushed: a person must look at what `because` names."""
    NO_GIT = "no_git"
    """The catalogue names no repository for this service."""


class Revert(Value):
    """The branch, its commit, and the request for it where a forge takes one."""

    state: RevertState
    because: str
    branch: str = ""
    commit: str = ""
    request_url: str = ""


def branch_of(request: OpenRevert) -> str:
    """rollback/ENV/KEY/SERVICE: the rollback's own id and the service, as Git allows names."""
    parts = [*request.rollback.split("/")[1:], request.service]
    return OURS + "/".join(re.sub(r"\.(?=\.|$|lock$)", "-", part) for part in parts)


def title_of(request: OpenRevert) -> str:
    """The commit's first line and the request's title."""
    went = f"from {request.bad.version} to {request.good.version}"
    return f"Roll {request.service} back {went} in {request.env}"


def message_of(request: OpenRevert) -> str:
    """The commit's message; the trailers stand last, where no foreign text can come."""
    because = "".join(c if c.isprintable() else " " for c in request.because)[:1000]
    why = textwrap.fill(" ".join(because.split()) or "No reason was given.", 72)
    already = f"{request.env} runs {request.good.version} already; this makes Git say so."
    trailers = (
        f"Rollback: {request.rollback}\nPlan-Digest: {request.plan_digest}\n"
        f"{OPERATION}: {request.op_id}"
    )
    return f"{title_of(request)}\n\n{why}\n\n{already}\n\n{trailers}\n"


def is_of(message: str, op_id: str) -> bool:
    """Whether a commit with this message is of that operation."""
    last = message.strip().rsplit("\n\n", 1)[-1]
    return f"{OPERATION}: {op_id}" in last.splitlines()
