"""`rollback-manager serve`: everything that one machine needs: Temporal, its Web UI, a worker."""

import asyncio
import contextlib

from temporalio.client import Client
from temporalio.envconfig import ClientConfig

from rollback_manager.client.converter import converter
from rollback_manager.contract import SEARCH_ATTRIBUTES
from starters.console import SECURITY_LINE
from workers import codec_server, gateway, materials, wiring, worker
from workers.anchoring import anchoring
from workers.process import run, say
from workers.settings import Settings, SignInSettings
from workers.telemetry import set_up
from workers.temporal_binary import find_binary
from workers.temporal_server import NAMESPACE, TemporalServer


async def serve(settings: Settings) -> None:
    """Until TERM or Ctrl-C. A Temporal that the environment names is used instead of an own one."""
    address = ClientConfig.load_client_connect_config().get("target_host")
    if address:
        say(f"TEMPORAL_ADDRESS names {address}: it is used, and only the worker runs here")
        await worker.work(settings)
        return
    materials.catalogue_of(settings)  # a mistake in it must not cost a build of minutes first
    materials.make_data_folder(settings)
    server = await temporal(settings)
    async with server:
        say(SECURITY_LINE)
        say(f"Temporal: {server.address}   Web UI: {server.ui_url}   data: {settings.data}")
        await _work_beside(server, settings)


async def temporal(settings: Settings) -> TemporalServer:
    """The dev server with its database on disk, found or built, not yet started."""
    found = await find_binary(say)
    say(f"Temporal's dev server: {found.how}")
    return TemporalServer(
        found.path,
        settings.data / "temporal.sqlite",
        settings.port,
        settings.ui_port,
        settings.data / "temporal.log",
        search_attributes=SEARCH_ATTRIBUTES,
        ui_codec=f"{_origin(settings)}{codec_server.PATH}" if settings.codec_keys else "",
    )


def _origin(settings: Settings) -> str:
    """The gateway's."""
    return gateway.binding(settings, SignInSettings()).origin


async def _work_beside(server: TemporalServer, settings: Settings) -> None:
    parts, telemetry = wiring.parts(settings), set_up()
    encrypting = converter(parts.codec, NAMESPACE, takes_unbound=parts.takes_unbound)
    client = await Client.connect(server.address, namespace=NAMESPACE, data_converter=encrypting)
    stop = asyncio.Event()
    worker.stop_on_signals(stop)
    keeping = asyncio.create_task(server.keep_alive(say))
    try:
        ours = worker.make_worker(client, settings, parts, telemetry.interceptors)
        async with gateway.opened(client, settings) as at:
            say(f"gateway: {at.origin}")
            say("ready; Ctrl-C stops all, and what runs goes on at the next start")
            async with anchoring(parts.audit):
                await worker.run_until(stop, ours, parts.catalogue.environments)
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        telemetry.flush()
        say("stopped")


def main() -> None:
    """`rollback-manager serve`."""
    run("Run Temporal, its Web UI and a worker on this machine.", serve)
