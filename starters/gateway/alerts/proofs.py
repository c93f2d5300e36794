"""Whether an alert comes from who holds the secret: decided before anything of it is read. Pure.

Nobody is told what was wrong: a forger would learn from it.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence

WINDOW_S = 300
"""By so much may the sender's clock differ from ours, either way."""
REPLAYS_S = 2 * WINDOW_S
"""A signature is remembered until its time is over in any case."""
ID, SIGNATURE = "rollback-id", "rollback-signature"
"""Headers; what we send ourselves is signed in the same way."""
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


def is_bearer(authorization: str, secrets: Sequence[str]) -> bool:
    """Whether it is `Bearer SECRET` with one that is live; all are compared, in constant time."""
    scheme, _, token = authorization.partition(" ")
    given = token.encode("utf-8", "surrogateescape")
    same = [hmac.compare_digest(given, one.encode()) for one in secrets if one]
    return scheme.lower() == "bearer" and any(same)


def signed_by(
    id: str, signature: str, body: bytes, secrets: Sequence[str], now_s: float
) -> str | None:
    """What tells this request from all others, if it is signed and of now; otherwise None."""
    found = _SIGNATURE.fullmatch(signature)
    if _ID.fullmatch(id) is None or found is None:
        return None
    stamp, given = found.groups()
    if abs(now_s - int(stamp)) > WINDOW_S:
        return None
    same = [hmac.compare_digest(given, mac(one, id, stamp, body)) for one in secrets if one]
    return given if any(same) else None


def mac(secret: str, id: str, stamp: str, body: bytes) -> str:
    """HMAC-SHA256 over `id.timestamp.body`, in hex."""
    signed = f"{id}.{stamp}.".encode() + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
