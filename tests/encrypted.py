"""Whole tests with all payloads encrypted: `pytest --encrypted`.

The option sets the product's own setting, so that every client, worker and command of the tests
encrypts. What each test says must hold all the same.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure

from rollback_manager.client.codec import ENCRYPTED
from rollback_manager.client.connection import CODEC_KEYS
from rollback_manager.client.opened import NEVER_ENCRYPTED
from tests import keys

OPTION = "--encrypted"
NULL = b"binary/null"
"""Of nothing at all."""
OF_THE_SDK = frozenset({"data", "patch-data"})
"""Details of markers that its core writes: which local activity it was, which patch."""


def switch_on() -> None:
    """For this process, and by `setting` for those that tests start."""
    folder = Path(tempfile.mkdtemp(prefix="rb-keys-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[CODEC_KEYS] = f"file:{keys.write(folder / 'codec.json')}"


def is_on() -> bool:
    """Whether this run encrypts."""
    return bool(os.environ.get(CODEC_KEYS))


def setting() -> dict[str, str]:
    """What a process that a test starts must be told, if it speaks to Temporal."""
    return {CODEC_KEYS: os.environ[CODEC_KEYS]} if is_on() else {}


def plain_in(message: Message, where: str = "") -> Iterator[str]:
    """Where a history holds a payload or the words of a failure that anybody could read.

    Left out is what Temporal must read, or the SDK writes for itself and never encrypts: search
    attributes, headers of traces, the names of short local activities and of patches.
    """
    if isinstance(message, NEVER_ENCRYPTED):
        return
    if isinstance(message, Payload):
        if message.metadata.get("encoding") not in {ENCRYPTED, NULL}:
            yield f"{where}: {message.data[:80]!r}"
        return
    if isinstance(message, Failure) and _of_ours(message) and not _is_encoded(message):
        yield f"{where}: {message.message}"
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE:
            continue
        for name, part in _parts(value):
            if field.name != "details" or name not in OF_THE_SDK:
                yield from plain_in(part, f"{where}.{field.name}{name}")


def _of_ours(failure: Failure) -> bool:
    """Raised by code of ours; Temporal words its own timeouts and cancels."""
    return failure.HasField("application_failure_info")


def _is_encoded(failure: Failure) -> bool:
    """Its words are elsewhere; or nowhere, where the server has cut a long failure short."""
    return failure.message == "Encoded failure" and not failure.stack_trace


def _parts(value: Any) -> list[tuple[str, Message]]:
    if isinstance(value, Message):
        return [("", value)]
    named = value.items() if hasattr(value, "items") else (("", one) for one in value)
    return [(str(name), one) for name, one in named if isinstance(one, Message)]
