"""What Temporal keeps, made readable: payloads decrypted, failures with their words.

Of histories and descriptions, which come as they are stored; what the SDK itself decodes needs none
of this. A payload that cannot be decrypted stays without content.
"""

import json
from typing import Any, TypeVar

from google.protobuf.message import Message
from temporalio.api.common.v1 import Header, Payload, SearchAttributes
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client
from temporalio.converter import PayloadCodec

from rollback_manager.client.codec import Encryption

M = TypeVar("M", bound=Message)

NEVER_ENCRYPTED = (SearchAttributes, Header)


async def opened(client: Client, message: M) -> M:
    """A copy that can be read; the message itself where nothing is encrypted."""
    codec = client.data_converter.payload_codec
    if codec is None:
        return message
    if isinstance(codec, Encryption):
        codec = codec.reading()
    copy = type(message)()
    copy.CopyFrom(message)
    await _open(codec, copy)
    return copy


async def _open(codec: PayloadCodec, message: Message) -> None:
    if isinstance(message, NEVER_ENCRYPTED):
        return
    if isinstance(message, Payload):
        (plain,) = await codec.decode([message])
        message.CopyFrom(plain)
        return
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE:
            continue
        for part in _parts(value):
            await _open(codec, part)
    if isinstance(message, Failure) and message.HasField("encoded_attributes"):
        _tell(message)


def _parts(value: Any) -> list[Message]:
    """The messages of a field: of one, of a list, of a map from names."""
    if isinstance(value, Message):
        return [value]
    values = value.values() if hasattr(value, "values") else value
    return [one for one in values if isinstance(one, Message)]


def _tell(failure: Failure) -> None:
    """Put its own words back in place of "Encoded failure"."""
    try:
        words = json.loads(failure.encoded_attributes.data)
    except ValueError:  # it could not be decrypted
        return
    failure.message, failure.stack_trace = words["message"], words["stack_trace"]
