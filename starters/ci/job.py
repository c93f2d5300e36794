"""The CI job in which a verb runs, and the key under which its rollback is always the same one."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

LONGEST_READABLE = 45
"""Characters of a key that are there for people; the whole is a name of at most 63."""


class Source(StrEnum):
    """Whose job it is."""

    GITHUB = "github"
    GITLAB = "gitlab"


@dataclass(frozen=True)
class Job:
    """One job. run: of the whole pipeline; it stays when the job is run again, unlike an attempt.

    summary, output: files of GitHub, for the job's page and for later steps.
    """

    source: Source
    repository: str
    run: str
    name: str
    summary: Path | None = None
    output: Path | None = None

    @property
    def is_github(self) -> bool:
        """Whether its log understands GitHub's commands."""
        return self.source is Source.GITHUB

    def key(self, services: Sequence[str]) -> str:
        """The same for every attempt of this job at these services, and for nothing else.

        The services count: two starts within one job are two rollbacks. The digest at its end is
        of the exact words, which may look alike once they are made into a name.
        """
        exact = "\0".join((self.source, self.repository, self.run, self.name, *sorted(services)))
        digest = hashlib.sha256(exact.encode()).hexdigest()[:12]
        words = f"ci-{self.repository.rpartition('/')[2]}-{self.run}-{self.name}".lower()
        readable = re.sub(r"[^a-z0-9.]+", "-", words)[:LONGEST_READABLE].strip("-.")
        return f"{readable}-{digest}"


def this_job() -> Job | None:
    """The job in which this process runs; None: in none that is known."""
    read = os.environ.get
    if read("GITHUB_ACTIONS") == "true":
        return Job(
            Source.GITHUB,
            read("GITHUB_REPOSITORY", ""),
            read("GITHUB_RUN_ID", ""),
            read("GITHUB_JOB", ""),
            _file(read("GITHUB_STEP_SUMMARY")),
            _file(read("GITHUB_OUTPUT")),
        )
    if read("GITLAB_CI") == "true":
        return Job(
            Source.GITLAB,
            read("CI_PROJECT_PATH", ""),
            read("CI_PIPELINE_ID", ""),
            read("CI_JOB_NAME", ""),
        )
    return None


def _file(named: str | None) -> Path | None:
    return Path(named) if named else None
