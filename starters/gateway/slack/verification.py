"""Whether Slack sent it, decided on the raw bytes: security.md §5.1, in exactly its order. Pure.

Nothing is parsed, logged or looked up before this has said yes.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

MOST_BYTES = 64 * 1024
WINDOW_S = 300
"""Slack's own advice: older requests may be a replay."""
REMEMBERED_S = 600
"""A signature is remembered for the whole window on both sides of now."""

FORMS = frozenset(
    {"application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8"}
)
"""As Slack writes it, letter by letter: whatever else is written was not written by Slack."""
TYPE, STAMP, SIGNATURE = "content-type", "x-slack-request-timestamp", "x-slack-signature"

Headers = Mapping[str, Sequence[str]]
"""Lower-case name → all its values: one that is there twice is not the one that was signed."""


class NotSlack(Exception):
    """The request does not prove that Slack sent it. because: for the log, never for the sender."""

    def __init__(self, because: str) -> None:
        super().__init__(because)
        self.because = because


def verified(headers: Headers, body: bytes, secrets: Sequence[str], now_s: float) -> str:
    """The signature, which is the key of its replay record. Raises NotSlack.

    secrets: all that are live, two while one is replaced. now_s: seconds since 1970 of our clock.
    """
    if len(body) > MOST_BYTES:
        raise NotSlack("too long")
    if _only(headers, TYPE) not in FORMS:
        raise NotSlack("not a form")
    stamp = _only(headers, STAMP)
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise NotSlack("no time")
    if abs(now_s - int(stamp)) > WINDOW_S:
        raise NotSlack("too old or too new")
    signature = _only(headers, SIGNATURE)
    if not _is_signed(signature, stamp, body, secrets):
        raise NotSlack("wrong signature")
    return signature


def _only(headers: Headers, name: str) -> str:
    values = headers.get(name, ())
    return values[0] if len(values) == 1 else ""


def _is_signed(signature: str, stamp: str, body: bytes, secrets: Sequence[str]) -> bool:
    """Every secret is tried, in constant time, so that the time tells nothing about them."""
    given, signed = signature.encode("utf-8", "surrogateescape"), f"v0:{stamp}:".encode() + body
    fits = False
    for secret in secrets:
        mac = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        fits |= hmac.compare_digest(f"v0={mac}".encode(), given)
    return fits
