"""The bench of the kill tests, and which of them an ordinary run carries out."""

from collections.abc import AsyncIterator

import pytest

from proof.kill_matrix.bench import Bench


@pytest.fixture(scope="session")
async def bench() -> AsyncIterator[Bench]:
    """Real Temporal with its database on disk, Envoy, supervisord; brought up once."""
    async with Bench() as made:
        yield made
