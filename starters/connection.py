"""The connection of a verb: opened, and said aloud where it is less than it seems."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client

from rollback_manager.client import RollbackClient
from rollback_manager.client.connection import is_loopback
from rollback_manager.contract import TASK_QUEUE
from starters import settings
from starters.console import say


@asynccontextmanager
async def connected() -> AsyncIterator[RollbackClient]:
    """A client of the gateway, where one is named; else of `temporalio.envconfig`'s Temporal."""
    if gateway := settings.read().by_gateway:
        from starters.by_gateway.client import GatewayClient

        async with GatewayClient(gateway) as client:
            yield client
        return
    async with RollbackClient(task_queue=task_queue()) as client:
        if is_exposed(client.temporal):
            say(
                f"security: Temporal at {address(client.temporal)} is not on this machine and has"
                " no TLS: whoever is on the way can read and start rollbacks"
            )
        yield client


def task_queue() -> str:
    """The queue that the workers poll."""
    return settings.read().task_queue or TASK_QUEUE


def address(client: Client) -> str:
    """`host:port` of the server."""
    return client.service_client.config.target_host


def is_exposed(client: Client) -> bool:
    """Whether the server is elsewhere and neither TLS nor a key of its API protects the way."""
    config = client.service_client.config
    return not (config.tls or config.api_key or is_loopback(config.target_host))
