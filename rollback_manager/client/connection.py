"""The connection to Temporal, as `temporalio.envconfig` describes it."""

import asyncio

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig

from rollback_manager.client.refusals import no_temporal
from rollback_manager.errors import PermanentError

CONNECT_S = 3.0
"""A port that accepts and stays silent would be waited for without end; a server takes 10 ms."""


async def connect() -> Client:
    """A Temporal client by `temporalio.envconfig`; localhost:7233 where nothing is set."""
    try:
        config = ClientConfig.load_client_connect_config()
    except RuntimeError as error:
        raise _no_configuration(error) from error
    config.setdefault("target_host", "localhost:7233")
    try:
        async with asyncio.timeout(CONNECT_S):
            return await Client.connect(**config, data_converter=pydantic_data_converter)
    except ValueError as error:  # an address that is none
        raise _no_configuration(error) from error
    except (RuntimeError, TimeoutError) as error:
        raise no_temporal(str(config["target_host"])) from error


def _no_configuration(error: Exception) -> PermanentError:
    return PermanentError(
        f"Temporal's client is set up wrongly: {error}",
        effect="Nothing was started by this call; production is unchanged.",
        next_step="Mend TEMPORAL_ADDRESS, TEMPORAL_PROFILE or the file of TEMPORAL_CONFIG_FILE.",
    )
