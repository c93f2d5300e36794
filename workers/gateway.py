"""`rollback-manager gateway`: the HTTP door for people and machines, put together and served."""

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI
from temporalio.client import Client

from activities.integrations.sql.replays import SqlReplays
from rollback_manager.client import RollbackClient, connect
from rollback_manager.client.connection import is_loopback
from rollback_manager.errors import Blocked
from starters import naming
from starters.console import SECURITY_LINE
from starters.gateway.app import make_app
from starters.gateway.auditing import Auditing
from starters.gateway.doors import Binding, Doors
from starters.gateway.limits import Limits
from workers import ci, codec_server, gateway_parts, materials, slack
from workers.anchoring import anchoring
from workers.patience import Patience
from workers.process import of_no_build, run, say
from workers.settings import CiSettings, Settings, SignInSettings, SlackSettings
from workers.sign_in import People, people
from workers.worker import stop_on_signals

GRACE_S = 5
"""For answers under way when it is to end; what was started runs in Temporal."""


def app_of(client: Client, settings: Settings, people: People) -> FastAPI:
    """The app over this Temporal, as the settings say."""
    catalogue = materials.catalogue_of(settings)
    secrets = gateway_parts.secrets_of(catalogue)
    records = gateway_parts.engine(settings, secrets)
    replays = SqlReplays(records)
    return make_app(
        Doors(
            rollbacks=RollbackClient(client, task_queue=settings.task_queue),
            catalogue=catalogue,
            binding=binding(settings, SignInSettings()),
            now=now,
            operator=naming.operator(),
            replays=replays,
            ci=ci.door(CiSettings(), replays, secrets, materials.http_client()),
            sns=gateway_parts.sns(catalogue, materials.http_client()),
            alert_secrets=gateway_parts.alert_secrets(catalogue, secrets),
            auditing=Auditing(gateway_parts.chain(settings, records, secrets), now),
            signer=gateway_parts.signer(settings, catalogue, secrets),
            seal=people.seal,
            sign_in=people.sign_in,
            slack=slack.door(SlackSettings(), secrets.resolve, settings.pages_url),
        )
    )


def now() -> datetime:
    """The one clock of the process: for windows, signatures and the chain alike."""
    return datetime.now(UTC)


def binding(settings: Settings, sign_in: SignInSettings) -> Binding:
    """Where it listens: on this machine alone, unless people sign in and come by https."""
    host, port = settings.gateway_host, settings.gateway_port
    shown = f"[{host}]" if ":" in host else host
    names = dict.fromkeys((shown, "127.0.0.1", "localhost", "[::1]"))
    hosts = tuple(f"{name}:{port}" for name in names)
    if sign_in.issuer and settings.pages_url.startswith("https://"):
        public = urlsplit(settings.pages_url).netloc
        return Binding(host, port, f"https://{public}", (public, *hosts))
    if not is_loopback(f"{shown}:{port}"):
        raise _open(host, sign_in)
    return Binding(host, port, f"http://{shown}:{port}", hosts)


def _open(host: str, sign_in: SignInSettings) -> Blocked:
    """Why it does not listen on an address that others reach."""
    why = "its address for people is not https" if sign_in.issuer else "nobody has to sign in"
    return Blocked(
        f"the gateway would listen on {host}, and {why}",
        effect="Nothing was started; production is unchanged.",
        next_step="Listen on this machine: ROLLBACK_GATEWAY_HOST=127.0.0.1; or have people sign in:"
        " ROLLBACK_GATEWAY_SIGN_IN_ISSUER and ROLLBACK_PAGES_URL=https://…",
    )


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
async def served(
    app: FastAPI, at: Binding, monotonic: Callable[[], float] = time.monotonic
) -> AsyncIterator[None]:
    """Listening within the block; Blocked where the port is taken. monotonic: of the limits."""
    config = uvicorn.Config(
        Limits(app, monotonic),
        http=Patience,
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


def settle() -> None:
    """What is there now stays: the collector of garbage need not look through it in a storm."""
    gc.collect()
    gc.freeze()


async def _served(server: uvicorn.Server) -> None:
    with contextlib.suppress(SystemExit):  # how uvicorn says that it cannot listen
        await server.serve()


@contextlib.asynccontextmanager
async def opened(client: Client, settings: Settings) -> AsyncIterator[Binding]:
    """The gateway, answering within the block."""
    sign_in = SignInSettings()
    at = binding(settings, sign_in)
    secrets = materials.secrets_of(materials.catalogue_of(settings))
    async with people(sign_in, secrets, at.origin) as known:
        app = app_of(client, settings, known)
        codec_server.mount(app, client, settings)
        async with served(app, at):
            yield at


async def gateway(settings: Settings) -> None:
    """Until TERM or Ctrl-C."""
    stop = asyncio.Event()
    stop_on_signals(stop)
    secrets = materials.secrets_of(materials.catalogue_of(settings))
    client = await connect(materials.codec(settings, secrets), secrets=secrets)
    issuer = SignInSettings().issuer
    chain = materials.audit(settings, gateway_parts.engine(settings, secrets), secrets)
    async with opened(client, settings) as at, anchoring(chain):
        settle()
        say(f"security: people sign in at {issuer}" if issuer else SECURITY_LINE)
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
