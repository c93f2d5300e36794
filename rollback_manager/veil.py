"""Keeps secrets that this process has read out of what it tells: payloads, failures, logs.

Integrations drop secrets from what they say themselves. This is for texts of others, which repeat
what they were sent: an exception of a library, the body of an answer, a command that failed. It is
of the process, because logs and exceptions are.
"""

import json
import re
import threading
from collections import OrderedDict
from urllib.parse import unquote

HIDDEN = "***"
SHORTEST = 8
"""Characters: what is shorter is found by chance in innocent words."""
SHORTEST_IN_DATA = 16
"""In what programs read, where a hidden name would be another name: somebody's password may be the
word `production`."""
MOST = 500
"""Kept; the oldest are forgotten first, for secrets are replaced as time goes by."""
PEM = "-----"


class Veil:
    """What must not be told."""

    def __init__(self) -> None:
        self._secrets: OrderedDict[str, None] = OrderedDict()
        self._longest_first: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def remember(self, secret: str) -> str:
        """The secret itself; from now on it is hidden.

        A key in PEM is hidden line by line, and the password of a URL alone, too.
        """
        with self._lock:
            self._secrets.update(dict.fromkeys(_ways(secret)))
            while len(self._secrets) > MOST:
                self._secrets.popitem(last=False)
            self._sort()
        return secret

    def forget(self, secret: str) -> None:
        """It is worth nothing any more: it makes room for others."""
        with self._lock:
            for way in _ways(secret):
                self._secrets.pop(way, None)
            self._sort()

    def _sort(self) -> None:
        self._longest_first = tuple(sorted(self._secrets, key=len, reverse=True))

    def over(self, text: str) -> str:
        """The text with *** in place of each secret."""
        for secret in self._longest_first:
            text = text.replace(secret, HIDDEN)
        return text

    def over_data(self, data: bytes) -> bytes:
        """The same for what programs read, in UTF-8: of secrets that cannot be words of ours."""
        for secret in self._longest_first:
            if len(secret) < SHORTEST_IN_DATA:
                break
            data = data.replace(secret.encode(errors="replace"), HIDDEN.encode())
        return data


def _ways(secret: str) -> set[str]:
    """All that is hidden of it."""
    parts = secret.splitlines() if secret.startswith(PEM) else [secret, *_passwords(secret)]
    ways = {way for one in parts for way in (one, json.dumps(one)[1:-1])}
    return {one for one in ways if len(one) >= SHORTEST and not one.startswith(PEM)}


def _passwords(secret: str) -> list[str]:
    coded = re.findall(r"://[^/@:\s]*:([^@/\s]+)@", secret)
    return [*coded, *map(unquote, coded)]


VEIL = Veil()
"""Of this process."""
