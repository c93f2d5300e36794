"""`rollback-manager gateway`: the HTTP door for people and machines, put together and served."""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import uvicorn
from fastapi import FastAPI
from temporalio.client import Client

from activities.integrations.sql import engine_for, upgrade
from activities.integrations.sql.replays import SqlReplays
from activities.secrets import Secrets
from rollback_manager.client import RollbackClient, connect
from rollback_manager.errors import Blocked
from starters import naming
from starters.console import SECURITY_LINE
from starters.gateway.app import make_app
from starters.gateway.doors import Binding, Doors
from workers import slack, wiring
from workers.process import of_no_build, run, say
from workers.settings import Settings, SlackSettings
from workers.worker import stop_on_signals

GRACE_S = 5
"""For answers under way when it is to end; what was started runs in Temporal."""


def app_of(client: Client, settings: Settings) -> FastAPI:
    """The app over this Temporal, as the settings say."""
    by_slack, catalogue = SlackSettings(), wiring.catalogue_of(settings)
    secrets = wiring.secrets_of(catalogue)
    doors = Doors(
        rollbacks=RollbackClient(client, task_queue=settings.task_queue),
        catalogue=catalogue,
        binding=binding(settings),
        now=lambda: datetime.now(UTC),
        operator=naming.operator(),
        replays=replays(settings, secrets) if by_slack.is_set_up else None,
        slack=slack.door(by_slack, secrets.resolve, settings.pages_url),
    )
    return make_app(doors)


def replays(settings: Settings, secrets: Secrets) -> SqlReplays:
    """In the records, which are one for all gateways."""
    wiring.make_data_folder(settings)
    engine = engine_for(wiring.records_url(settings, secrets))
    upgrade(engine)
    return SqlReplays(engine)


def binding(settings: Settings) -> Binding:
    """Where it listens: on this machine alone, for nobody signs in at level `local`."""
    host, port = settings.gateway_host, settings.gateway_port
    if not _is_loopback(host):
        raise Blocked(
            f"the gateway would listen on {host}, and nobody has to sign in",
            effect="Nothing was started; production is unchanged.",
            next_step="Listen on this machine: ROLLBACK_GATEWAY_HOST=127.0.0.1",
        )
    shown = f"[{host}]" if ":" in host else host
    names = dict.fromkeys((shown, "127.0.0.1", "localhost", "[::1]"))
    return Binding(host, port, f"http://{shown}:{port}", tuple(f"{name}:{port}" for name in names))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """The process has handlers of its own."""
        yield

    async def is_up(self, serving: asyncio.Task[None]) -> None:
        """Until it listens, or has given up."""
        while not self.started and not serving.done():  # noqa: ASYNC110 -- it has no event for it
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def served(app: FastAPI, at: Binding) -> AsyncIterator[None]:
    """Listening within the block; Blocked where the port is taken."""
    config = uvicorn.Config(
        app,
        host=at.host,
        port=at.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config)
    serving = asyncio.create_task(_served(server))
    await server.is_up(serving)
    if serving.done():
        raise Blocked(
            f"the gateway cannot listen at {at.origin}",
            effect="Nothing was started; production is unchanged.",
            next_step="Free the port, or name another: ROLLBACK_GATEWAY_PORT=PORT",
        )
    try:
        yield
    finally:
        app.state.doors.following.end()  # whoever follows a rollback would keep it up to the end
        server.should_exit = True
        await serving


async def _served(server: uvicorn.Server) -> None:
    with contextlib.suppress(SystemExit):  # how uvicorn says that it cannot listen
        await server.serve()


async def gateway(settings: Settings) -> None:
    """Until TERM or Ctrl-C."""
    stop = asyncio.Event()
    stop_on_signals(stop)
    client = await connect(wiring.codec(settings, wiring.secrets_of(wiring.catalogue_of(settings))))
    app = app_of(client, settings)
    at = binding(settings)
    async with served(app, at):
        say(SECURITY_LINE)
        say(f"gateway: {at.origin}")
        await stop.wait()


def main() -> None:
    """`rollback-manager gateway`."""
    run(
        "Answer people and machines over HTTP, for the Temporal that you have.",
        of_no_build(gateway),
    )


if __name__ == "__main__":
    main()
