"""Which CI jobs may ask for what: the catalogue's `services.X.ci`. By ids, never by a name.

A repository that is renamed, moved or deleted leaves its name to whoever takes it next; its id is
never given out again. `sub` is such a name, so nothing here compares it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from rollback_manager.values import Value

OF_A_STRANGER = ("pull_request", "merge_request", "external_pull_request")
"""Events that run code which somebody proposed; none of them may touch production."""


class Source(StrEnum):
    """Whose CI signs the token."""

    GITHUB = "github"
    GITLAB = "gitlab"


def _as_text(value: object) -> object:
    """YAML reads an id as a number; a token carries it as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _of_ours(event: str) -> str:
    if is_of_a_stranger(event):
        raise ValueError(f"{event} runs what somebody proposed; it may not touch production")
    return event


def is_of_a_stranger(event: str) -> bool:
    """Whether such an event runs code that nobody has agreed to yet."""
    return event.startswith(OF_A_STRANGER)


Id = Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^[0-9]{1,20}$")]
Exact = Annotated[str, Field(min_length=1, max_length=512)]
"""Compared as it is: no patterns, for each of them once let somebody in."""
Event = Annotated[Exact, AfterValidator(_of_ours)]
Names = tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")], ...]


class GithubRule(Value):
    """One workflow of one repository of GitHub, as its OIDC token must describe it."""

    repository_id: Id
    repository_owner_id: Id
    environment: Exact
    """GitHub's environment of the job; with its own reviewers and branches."""
    job_workflow_ref: Exact
    """As `acme/shop/.github/workflows/deploy.yml@refs/heads/main`."""
    job_workflow_sha: Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$")] = ""
    """The commit of that workflow; empty: any, for its ref is checked."""
    ref: Exact
    """Branch or tag that runs, as `refs/heads/main`."""
    event_name: Annotated[tuple[Event, ...], Field(min_length=1)] = ("push", "workflow_dispatch")
    runner_environment: Exact = "github-hosted"
    acts_in: Names = ()
    """Environments of this catalogue; left out: the one that is called as GitHub's."""


class GitlabRule(Value):
    """One project of GitLab, as its ID token must describe it; its ref is always protected."""

    project_id: Id
    environment: Exact
    ref: Annotated[str, Field(max_length=512)] = ""
    """Branch or tag; empty: any that is protected."""
    pipeline_source: Annotated[tuple[Event, ...], Field(min_length=1)] = ("push", "web", "api")
    acts_in: Names = ()
    """Environments of this catalogue; left out: the one that is called as GitLab's."""


class CiRule(Value):
    """One job that may ask for plans and rollbacks of a service; it never approves one."""

    github: GithubRule | None = None
    gitlab: GitlabRule | None = None

    @model_validator(mode="after")
    def _is_one(self) -> CiRule:
        if (self.github is None) == (self.gitlab is None):
            raise ValueError("write one of github and gitlab")
        return self

    @property
    def environments(self) -> tuple[str, ...]:
        """Environments of the catalogue in which the job may act."""
        rule = self.github or self.gitlab
        assert rule is not None  # noqa: S101 -- held by the validator
        return rule.acts_in or (rule.environment,)
