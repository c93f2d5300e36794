"""The server's end of a WebSocket (RFC 6455), as far as Socket Mode needs it: short text frames."""

import base64
import hashlib
import struct
from typing import Protocol


class Stream(Protocol):
    """What a server reads from."""

    def read(self, size: int, /) -> bytes:
        """So many bytes; fewer at the end."""


MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""Of RFC 6455."""
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


def accepted(key: str) -> str:
    """What the server answers to a client's `Sec-WebSocket-Key`."""
    return base64.b64encode(hashlib.sha1(f"{key}{MAGIC}".encode()).digest()).decode()  # noqa: S324 -- RFC 6455 says so


def frame(kind: int, payload: bytes) -> bytes:
    """One whole frame, unmasked, as a server sends it."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | kind, size)
    elif size < 65_536:
        head = struct.pack("!BBH", 0x80 | kind, 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | kind, 127, size)
    return head + payload


def read(stream: Stream) -> tuple[int, bytes] | None:
    """The next frame of a client: its kind and what it says. None: the connection has ended."""
    head = stream.read(2)
    if len(head) < 2:
        return None
    size = head[1] & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", stream.read(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", stream.read(8))
    mask = stream.read(4) if head[1] & 0x80 else b"\0\0\0\0"
    payload = stream.read(size)
    return head[0] & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
