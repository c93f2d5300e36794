"""How we turn values and errors into Temporal's payloads: veiled, and encrypted where asked for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import PydanticPayloadConverter, pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverter, PayloadConverter

from rollback_manager.client.codec import Encryption, Keys
from rollback_manager.veil import VEIL


class VeiledPayloads(PydanticPayloadConverter):
    """Pydantic's, with no secret in it that this process has read."""

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """As Pydantic spells them."""
        payloads = super().to_payloads(values)
        for payload in payloads:
            if (veiled := VEIL.over_data(payload.data)) != payload.data:
                payload.data = veiled
        return payloads


class VeiledFailures(DefaultFailureConverter):
    """The SDK's, with no secret in message or trace, of causes neither."""

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """Called for each cause as well."""
        super().to_failure(exception, payload_converter, failure)
        failure.message = VEIL.over(failure.message)
        failure.stack_trace = VEIL.over(failure.stack_trace)


class EncodedFailures(VeiledFailures):
    """The same, with message and trace where the codec encrypts them."""

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """As the SDK's own converter with `encode_common_attributes` does it."""
        super().to_failure(exception, payload_converter, failure)
        words = {"message": failure.message, "stack_trace": failure.stack_trace}
        failure.encoded_attributes.CopyFrom(payload_converter.to_payloads([words])[0])
        failure.message, failure.stack_trace = "Encoded failure", ""


VEILED = replace(
    pydantic_data_converter,
    payload_converter_class=VeiledPayloads,
    failure_converter_class=VeiledFailures,
)
"""Unencrypted."""


def converter(keys: Keys | None, namespace: str, *, takes_unbound: bool = False) -> DataConverter:
    """The one of every process of ours. keys: None: nothing is encrypted."""
    if keys is None:
        return VEILED
    return replace(
        VEILED,
        payload_codec=Encryption(keys, namespace, takes_unbound=takes_unbound),
        failure_converter_class=EncodedFailures,
    )
