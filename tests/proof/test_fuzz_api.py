"""A fixed sample of `make fuzz-api`, and that it finds what is wrong."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from proof import fuzz_api

EACH, SEED = 1, 1


async def test_several_hundred_requests_by_the_description_find_nothing(
    client: Client, tmp_path: Path
) -> None:
    found = await fuzz_api.over(client, tmp_path, EACH, SEED)
    assert found.cases >= 500
    assert (found.findings, found.exit_code, found.kinds) == (0, 0, ())


@pytest.mark.long
async def test_an_answer_that_is_not_as_described_is_found(client: Client, tmp_path: Path) -> None:
    def bent(schema: dict[str, Any]) -> dict[str, Any]:
        """Services would be counted, in place of being listed."""
        fields = schema["components"]["schemas"]["ServicesListed"]["properties"]
        fields["services"] = {"type": "integer"}
        return schema

    found = await fuzz_api.over(client, tmp_path, EACH, SEED, described=bent)
    assert (found.findings, found.exit_code) == (1, 1)
    assert found.kinds == ("ST108 Response violates schema",)
