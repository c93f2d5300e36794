"""Two starts in the same instant: one winner each. `make races` has a thousand of them."""

from pathlib import Path

from temporalio.client import Client

from proof.converting import data_converter
from proof.races import race


async def test_of_two_starts_within_an_instant_exactly_one_wins(
    client: Client, tmp_path: Path
) -> None:
    address = client.service_client.config.target_host
    other = await Client.connect(address, data_converter=data_converter())
    raced = await race((client, other), tmp_path, 20)
    assert raced.violations == ()
    assert (raced.races, raced.one_winner, raced.same_key) == (20, 20, 10)
