"""Which build a rollback runs on: the one that it began on, also when a newer one is deployed."""

from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

from rollback_manager.errors import Blocked, Unreachable
from starters.builds import DEPLOYMENT, Routing, make_current, routing
from starters.refusals import told


def deployment(build_id: str) -> WorkerDeploymentConfig | None:
    """What makes a worker one of that build; None: it has none, and takes whatever comes."""
    if not build_id:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=build_id),
        use_worker_versioning=True,
    )


async def told_at_start(client: Client, build_id: str) -> tuple[str, ...]:
    """What a person must know about the build of a worker that starts; nothing if it has none.

    A worker only says it: which build is trusted with new rollbacks is a person's to decide.
    """
    if not build_id:
        return ()
    try:
        found = await routing(client)
    except Unreachable as error:
        return f"build: {build_id}", told(error)
    if build_id == found.current:
        return (f"build: {build_id}, the current one",)
    return f"build: {build_id}", told(_not_current(build_id, found)), make_current(build_id)


def _not_current(build_id: str, found: Routing) -> Blocked:
    return Blocked(
        f"Build {build_id} is not the current build of the deployment {DEPLOYMENT!r};"
        f" the current one: {found.in_words()}",
        effect=f"Unchanged. {_what_waits(found)}",
        next_step="Once you trust it, give it the new rollbacks with the line below.",
    )


def _what_waits(found: Routing) -> str:
    if found.current:
        return "This worker goes on with what began on its build, and gets nothing new."
    return "Workers without a build get what is new; where there is none, it waits."
