"""What the environment says to the command line. `temporalio.envconfig` reads Temporal's part."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Read once, where a verb begins."""

    env: str | None = None
    """ROLLBACK_ENV: the environment that is meant when --env is not given. Default: none, because
    a rollback in the wrong environment is worse than one more word to type."""
    task_queue: str | None = None
    """ROLLBACK_TASK_QUEUE: where the workers poll. Default: the product's own."""
    gateway: str | None = None
    """ROLLBACK_GATEWAY: https address of the gateway, where reports can be seen. Default: none."""
    catalogue: Path | None = None
    """ROLLBACK_CATALOGUE: the file that workers here read; only `doctor` looks into it."""


def read() -> Settings:
    """The settings as they are in this process's environment; empty counts as not set."""
    catalogue = os.environ.get("ROLLBACK_CATALOGUE")
    return Settings(
        env=os.environ.get("ROLLBACK_ENV") or None,
        task_queue=os.environ.get("ROLLBACK_TASK_QUEUE") or None,
        gateway=(os.environ.get("ROLLBACK_GATEWAY") or "").rstrip("/") or None,
        catalogue=Path(catalogue) if catalogue else None,
    )
