"""Two starts in the same instant, fifty times: one winner each."""

from pathlib import Path

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from proof.races import race


async def test_of_two_starts_within_an_instant_exactly_one_wins(
    client: Client, tmp_path: Path
) -> None:
    address = client.service_client.config.target_host
    other = await Client.connect(address, data_converter=pydantic_data_converter)
    for _ in range(2):
        raced = await race((client, other), tmp_path, 25)
        assert raced.violations == ()
        assert (raced.races, raced.one_winner, raced.same_key) == (25, 25, 13)
