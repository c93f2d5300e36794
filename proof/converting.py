"""The converter of clients and workers that proofs and tests make by themselves."""

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter

from rollback_manager.client.connection import codec_keys
from rollback_manager.client.converter import converter

NAMESPACE = "default"


def data_converter() -> DataConverter:
    """The product's encrypting one where ROLLBACK_CODEC_KEYS is set, so that all of a proof is."""
    keys = codec_keys()
    if keys is None:
        return pydantic_data_converter
    return converter(keys, NAMESPACE, takes_unbound=True)  # as `serve` does, for its Web UI
