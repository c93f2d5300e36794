"""The codec server put together: for the Web UI, where payloads are encrypted."""

from fastapi import FastAPI, Request

from activities.audit import Chain
from rollback_manager.authority.people import Kind, Person
from rollback_manager.client.codec import Keys
from starters import naming
from starters.gateway.codec_server import CodecDoors, make_codec_app
from starters.gateway.doors import Binding
from workers.wiring import Parts

PATH = "/codec"
"""Below the gateway's own address."""


def mount(app: FastAPI, parts: Parts, namespace: str, ui: str, at: Binding) -> None:
    """Below the gateway's own address; nothing where nothing is encrypted, or nobody audits."""
    if parts.codec is None or parts.audit is None:
        return
    may_encode = parts.takes_unbound
    made = codec_app(parts.codec, namespace, ui, at, parts.audit, may_encode=may_encode)
    app.mount(PATH, made)


def codec_app(
    keys: Keys, namespace: str, ui: str, at: Binding, audit: Chain, *, may_encode: bool
) -> FastAPI:
    """On this machine alone: whoever can open its port is the local operator.

    ui: the exact origin of the Web UI. may_encode: whether it may send as well.
    """
    return make_codec_app(
        CodecDoors(
            keys=keys,
            namespaces=frozenset({namespace}),
            origin=ui,
            hosts=at.hosts,
            who=_operator,
            audit=audit,
            may_encode=may_encode,
        )
    )


async def _operator(_: Request) -> Person:
    return Person(subject=naming.operator(), kind=Kind.LOCAL, method="local")
