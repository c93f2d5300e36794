"""One server that asks for tokens, for all of these tests."""

from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from proof.temporal_server.programs import SERVER
from tests.claims import temporal
from tests.claims.temporal import Guarded


@pytest.fixture(scope="session")
async def guarded() -> AsyncIterator[Guarded]:
    """With its namespace, ready."""
    with TemporaryDirectory(prefix="rb-") as name:
        async with temporal.guarded(SERVER.cached(), Path(name)) as one:
            yield one
