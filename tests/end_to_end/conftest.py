"""The bench of the kill tests, and which of them an ordinary run carries out."""

from collections.abc import AsyncIterator

import pytest

from tests.end_to_end.bench import Bench


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "kill: a worker or Temporal is killed in a small real world")
    config.addinivalue_line("markers", "whole_matrix: of those, what only `-m kill` carries out")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a `-m` that names `kill`: the fixed sample of the kill matrix."""
    if "kill" in str(config.getoption("markexpr")):
        return
    left_out = [item for item in items if item.get_closest_marker("whole_matrix")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
async def bench() -> AsyncIterator[Bench]:
    """Real Temporal with its database on disk, Envoy, supervisord; brought up once."""
    async with Bench() as made:
        yield made
