"""Bearer tokens by reference: what stands in the catalogue says where one is, and never what."""

from rollback_manager.client.secrets import Environment, Files, NoSecret
from rollback_manager.errors import PermanentError
from rollback_manager.veil import VEIL

LONGEST_TOKEN = 16_384


def token_of(reference: str, what: str = "token", field: str = "token") -> str:
    """The token at `env:NAME` or `file:/PATH`, read anew each time, for it may be replaced.

    what: another secret of one line, in the catalogue's field of that name. Raises PermanentError,
    which names the reference and nothing of the token.
    """
    kind, _, place = reference.partition(":")
    store = Files() if kind == "file" else Environment()
    try:
        token = store.read(place).strip()
    except NoSecret as error:
        raise _unusable(reference, what, field, str(error)) from None
    if not token:
        raise _unusable(reference, what, field, "is empty or not set")
    if not (token.isascii() and token.isprintable()) or " " in token or len(token) > LONGEST_TOKEN:
        raise _unusable(reference, what, field, f"holds something that is no {what}")
    return VEIL.remember(token)


def _unusable(reference: str, what: str, field: str, because: str) -> PermanentError:
    return PermanentError(
        f"the {what} at {reference} {because}",
        effect="Nothing was asked.",
        next_step=f"Put it there for the worker's user, or correct `{field}` in the catalogue.",
    )
