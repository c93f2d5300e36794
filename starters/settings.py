"""What the environment says to the command line. `temporalio.envconfig` reads Temporal's part."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Gateway:
    """Where the gateway is, and how to sign in there."""

    url: str
    """ROLLBACK_GATEWAY: its https address."""
    token: str = ""
    """ROLLBACK_GATEWAY_TOKEN: reference to a credential, `env:NAME` or `file:/PATH`."""
    audience: str = ""
    """ROLLBACK_GATEWAY_AUDIENCE: for which a job asks GitHub for a token. Default: the address."""
    id_token: str = ""
    """ROLLBACK_ID_TOKEN: a job's own token, as GitLab puts it there."""
    github_url: str = ""
    """ACTIONS_ID_TOKEN_REQUEST_URL: where a job of GitHub asks for its token."""
    github_token: str = ""
    """ACTIONS_ID_TOKEN_REQUEST_TOKEN: with which it asks."""


def _gateway() -> Gateway | None:
    read = os.environ.get
    url = read("ROLLBACK_GATEWAY", "").rstrip("/")
    if not url:
        return None
    return Gateway(
        url,
        token=read("ROLLBACK_GATEWAY_TOKEN", ""),
        audience=read("ROLLBACK_GATEWAY_AUDIENCE", ""),
        id_token=read("ROLLBACK_ID_TOKEN", ""),
        github_url=read("ACTIONS_ID_TOKEN_REQUEST_URL", ""),
        github_token=read("ACTIONS_ID_TOKEN_REQUEST_TOKEN", ""),
    )


@dataclass(frozen=True)
class Settings:
    """Read once, where a verb begins."""

    env: str | None = None
    """ROLLBACK_ENV: the environment that is meant when --env is not given. Default: none, because
    a rollback in the wrong environment is worse than one more word to type."""
    task_queue: str | None = None
    """ROLLBACK_TASK_QUEUE: where the workers poll. Default: the product's own."""
    by_gateway: Gateway | None = None
    """The gateway by which verbs go. Default: none, they speak to Temporal."""
    catalogue: Path | None = None
    """ROLLBACK_CATALOGUE: the file that workers here read; only `doctor` looks into it."""


def read() -> Settings:
    """The settings as they are in this process's environment; empty counts as not set."""
    catalogue = os.environ.get("ROLLBACK_CATALOGUE")
    return Settings(
        env=os.environ.get("ROLLBACK_ENV") or None,
        task_queue=os.environ.get("ROLLBACK_TASK_QUEUE") or None,
        by_gateway=_gateway(),
        catalogue=Path(catalogue) if catalogue else None,
    )
