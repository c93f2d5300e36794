"""What tests of workflows share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from tests import rig
from tests.rig import Rig


@pytest.fixture
async def unmanned(client: Client, tmp_path: Path, cached: int) -> AsyncIterator[Rig]:
    """As `made`, but no worker runs: the test says when, and under which policy."""
    async with rig.rig(client, tmp_path, cached=cached, manned=False) as one:
        yield one
