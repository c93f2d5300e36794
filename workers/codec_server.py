"""The codec server put together: for Temporal's Web UI, where payloads are encrypted."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request
from temporalio.client import Client

from rollback_manager.audit import AuditLog
from rollback_manager.authority.people import Person
from rollback_manager.client.codec import Encryption
from starters.gateway.codec_server import CodecDoors, make_codec_app
from starters.gateway.doors import Doors
from starters.gateway.identity import SIGN_IN, local_operator
from starters.gateway.problems import Refused
from workers import gateway_parts, materials
from workers.settings import Settings

PATH = "/codec"
"""Below the gateway's own address."""


def mount(app: FastAPI, client: Client, settings: Settings) -> None:
    """Into the gateway's app; nothing where nothing is encrypted."""
    codec = client.data_converter.payload_codec
    if isinstance(codec, Encryption):
        doors: Doors = app.state.doors
        app.mount(PATH, codec_app(codec, doors, settings.web_ui, _chain(doors, settings)))


def codec_app(codec: Encryption, doors: Doors, ui: str, audit: AuditLog) -> FastAPI:
    """For who may see the gateway's pages. ui: the exact origin of the Web UI.

    Where decisions are signed nobody decides from Temporal's own pages, so nothing is encrypted.
    """
    levels = {one.security for one in doors.catalogue.environments.values()}
    return make_codec_app(
        CodecDoors(
            keys=codec.keys,
            namespaces=frozenset({codec.namespace}),
            origin=ui,
            hosts=doors.binding.hosts,
            who=_who(doors),
            audit=audit,
            may_encode="secured" not in levels,
        )
    )


def _chain(doors: Doors, settings: Settings) -> AuditLog:
    secrets = materials.secrets_of(doors.catalogue)
    return gateway_parts.chain(settings, gateway_parts.engine(settings, secrets), secrets)


def _who(doors: Doors) -> Callable[[Request], Awaitable[Person]]:
    """Who has signed in; at level `local` the operator of this machine."""

    async def who(request: Request) -> Person:
        if doors.sign_in is None:
            return local_operator(doors)
        found = doors.sign_in.signed_in(request)
        if found is None:
            raise Refused(401, "not-signed-in", "nobody is signed in", next_step=SIGN_IN)
        return found.person_at(doors.now())

    return who
