"""URLs of databases hold passwords: what is told of them, and of errors about them, holds none."""

import re
from collections.abc import Iterable

HIDDEN = "***"
PASSWORDS = ("password", "sslpassword")
"""Settings of libpq that hold one."""


class NoDatabaseUrl(Exception):
    """A text that cannot be read as a database's URL; it says nothing of what is in it."""


def check_places(*places: str | None) -> None:
    """NoDatabaseUrl where a host or database has an @, as after one in a password, written raw."""
    if any("@" in place for place in places if place):
        raise NoDatabaseUrl


def veiled(text: str, secrets: Iterable[str], user: str = "") -> str:
    """`text` without the secrets, and without the user's name where it is told as one."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return re.sub(rf'\b(user|role) "{re.escape(user)}"', rf'\1 "{HIDDEN}"', text) if user else text
