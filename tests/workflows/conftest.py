"""What tests of workflows share."""

import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities import metrics, reconciler, slices
from tests import rig
from tests.rig import Rig


@pytest.fixture(autouse=True)
def looks_follow_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in answers at once: a quarter of the pause between looks makes the same course."""
    monkeypatch.setattr(reconciler, "POLL_S", reconciler.POLL_S / 4)
    monkeypatch.setattr(metrics, "POLL_S", reconciler.POLL_S)
    monkeypatch.setattr(slices, "POLL_S", reconciler.POLL_S)


@pytest.fixture(autouse=True)
def a_lost_local_activity_is_no_error() -> None:
    """Without a cache the SDK cancels local activities that have ended, and warns of it.

    As an error, which every warning is here, it would end the worker.
    """
    warnings.filterwarnings("ignore", message="Cannot find activity to cancel")


@pytest.fixture
async def unmanned(client: Client, tmp_path: Path, cached: int) -> AsyncIterator[Rig]:
    """As `made`, but no worker runs: the test says when, and under which policy."""
    async with rig.rig(client, tmp_path, cached=cached, manned=False) as one:
        yield one
