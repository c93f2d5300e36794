"""The connection to Temporal, as `temporalio.envconfig` describes it."""

import asyncio
import os
from importlib.util import find_spec

from temporalio.client import Client
from temporalio.envconfig import ClientConfig

from rollback_manager.client.codec import Keys
from rollback_manager.client.converter import converter
from rollback_manager.client.keyring import KeyringByReference
from rollback_manager.client.refusals import no_temporal
from rollback_manager.client.secrets import Secrets
from rollback_manager.errors import PermanentError

CONNECT_S = 3.0
"""A port that accepts and stays silent would be waited for without end; a server takes 10 ms."""


CODEC_KEYS = "ROLLBACK_CODEC_KEYS"
"""Reference to the keyring with which payloads are encrypted; not set: they are not."""


async def connect(keys: Keys | None = None, *, takes_unbound: bool = False) -> Client:
    """A Temporal client by `temporalio.envconfig`; localhost:7233 where nothing is set.

    keys: None: those of CODEC_KEYS, if it is set. takes_unbound: see `Encryption`.
    """
    keys = keys or codec_keys()
    try:
        config = ClientConfig.load_client_connect_config()
    except RuntimeError as error:
        raise _no_configuration(error) from error
    config.setdefault("target_host", "localhost:7233")
    namespace = config.setdefault("namespace", "default")
    data_converter = converter(keys, namespace, takes_unbound=takes_unbound)
    try:
        async with asyncio.timeout(CONNECT_S):
            return await Client.connect(**config, data_converter=data_converter)
    except ValueError as error:  # an address that is none
        raise _no_configuration(error) from error
    except (RuntimeError, TimeoutError) as error:
        raise no_temporal(str(config["target_host"])) from error


def codec_keys(secrets: Secrets | None = None, reference: str = "") -> Keys | None:
    """The keyring of CODEC_KEYS, or of `reference`; None: payloads are not encrypted.

    secrets: knows more than `env:` and `file:`, as a worker does. Raises PermanentError where the
    keyring cannot be used.
    """
    reference = reference or os.environ.get(CODEC_KEYS, "")
    if not reference:
        return None
    if find_spec("cryptography") is None:
        raise PermanentError(
            f"{CODEC_KEYS} is set, and cryptography is not installed",
            effect="Nothing was sent; production is unchanged.",
            next_step="Install it: pip install cryptography",
        )
    return KeyringByReference(secrets or Secrets(), reference)


def _no_configuration(error: Exception) -> PermanentError:
    return PermanentError(
        f"Temporal's client is set up wrongly: {error}",
        effect="Nothing was started by this call; production is unchanged.",
        next_step="Mend TEMPORAL_ADDRESS, TEMPORAL_PROFILE or the file of TEMPORAL_CONFIG_FILE.",
    )
