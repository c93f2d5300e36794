"""The connection to Temporal, as `temporalio.envconfig` describes it, and with our token."""

import asyncio
import ipaddress
import os
from importlib.util import find_spec

from temporalio.client import Client
from temporalio.envconfig import ClientConfig, ClientConnectConfig

from rollback_manager.client.codec import Keys
from rollback_manager.client.converter import converter
from rollback_manager.client.keyring import KeyringByReference
from rollback_manager.client.refusals import no_temporal, not_permitted
from rollback_manager.client.secrets import Secrets
from rollback_manager.client.temporal_token import TEMPORAL_TOKEN, TokenByReference
from rollback_manager.errors import PermanentError
from rollback_manager.veil import VEIL

CONNECT_S = 3.0
"""A port that accepts and stays silent would be waited for without end; a server takes 10 ms."""


CODEC_KEYS = "ROLLBACK_CODEC_KEYS"
"""Reference to the keyring with which payloads are encrypted; not set: they are not."""


async def connect(
    keys: Keys | None = None, *, takes_unbound: bool = False, secrets: Secrets | None = None
) -> Client:
    """A Temporal client by `temporalio.envconfig`; localhost:7233 where nothing is set.

    keys: None: those of CODEC_KEYS, if it is set. takes_unbound: see `Encryption`. secrets: know
    where the token of TEMPORAL_TOKEN may be, besides `env:` and `file:`.
    """
    keys = keys or codec_keys()
    try:
        config = ClientConfig.load_client_connect_config()
    except RuntimeError as error:
        raise _no_configuration(error) from error
    config.setdefault("target_host", "localhost:7233")
    namespace = config.setdefault("namespace", "default")
    token = _with_token(config, secrets or Secrets())
    data_converter = converter(keys, namespace, takes_unbound=takes_unbound)
    try:
        async with asyncio.timeout(CONNECT_S):
            client = await Client.connect(**config, data_converter=data_converter)
    except ValueError as error:  # an address that is none
        raise _no_configuration(error) from error
    except (RuntimeError, TimeoutError) as error:
        if "PermissionDenied" in str(error):
            raise not_permitted(str(config["target_host"])) from error
        raise no_temporal(str(config["target_host"])) from error
    if token:
        token.keep(client)
    return client


def _with_token(config: ClientConnectConfig, secrets: Secrets) -> TokenByReference | None:
    """Put our token where Temporal's client takes one from, and let none go in the clear."""
    token = None
    if reference := os.environ.get(TEMPORAL_TOKEN, ""):
        if "api_key" in config or "authorization" in config.get("rpc_metadata", {}):
            raise _two_tokens()
        token = TokenByReference(secrets, reference)
        config["api_key"] = token.current
        config.setdefault("tls", True)
    if key := config.get("api_key"):
        VEIL.remember(key)
        if not config.get("tls") and not is_loopback(config["target_host"]):
            raise _in_the_clear(config["target_host"])
    return token


def is_loopback(address: str) -> bool:
    """Whether `host:port` is this machine; a name other than localhost is not taken for it."""
    host = address.rpartition(":")[0].strip("[]") or address
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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


def _two_tokens() -> PermanentError:
    return PermanentError(
        f"{TEMPORAL_TOKEN} is set, and Temporal's own settings hold another token",
        effect="Neither was sent; nothing was started by this call.",
        next_step="Keep one: unset TEMPORAL_API_KEY and TEMPORAL_GRPC_META_AUTHORIZATION, and take"
        " api_key out of the profile",
    )


def _in_the_clear(where: str) -> PermanentError:
    return PermanentError(
        f"Temporal at {where} is not on this machine, and TLS is switched off: the token would go"
        " in the clear",
        effect="It was not sent; nothing was started by this call.",
        next_step="Take TEMPORAL_TLS=false away; a certificate authority of your own is named by"
        " TEMPORAL_TLS_SERVER_CA_CERT_PATH",
    )
