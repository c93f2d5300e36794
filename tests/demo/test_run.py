"""The demo follows the rollback that an incident has named."""

from typing import cast

import pytest

from demo import run
from rollback_manager.client import Rollback
from rollback_manager.errors import NotFound
from rollback_manager.progress import RollbackStatus


class Late:
    """A rollback that begins a moment after its incident has named it. absent: looks until then."""

    def __init__(self, absent: int) -> None:
        self.absent = absent

    async def status(self) -> RollbackStatus:
        self.absent -= 1
        if self.absent >= 0:
            raise NotFound("there is no running or remembered rollback")
        return RollbackStatus.model_construct()


async def test_a_rollback_that_has_not_begun_yet_is_waited_for() -> None:
    assert await run._begun(cast("Rollback", Late(2)))


async def test_one_that_never_begins_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "BEGINS_WITHIN_S", 0.3)
    with pytest.raises(NotFound):
        await run._begun(cast("Rollback", Late(1000)))
