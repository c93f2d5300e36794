"""An environment that was secured once is not found local by mistake."""

from pathlib import Path

import pytest

from activities.integrations.sql import SqlRecords, engine_for, upgrade
from rollback_manager.authority.level import SecurityLevel
from rollback_manager.catalogue import Catalogue
from rollback_manager.errors import Blocked
from tests.rig import catalogue
from tests.secured import secured
from workers.wiring import must_not_be_lowered


def lowered(known: Catalogue, because: str) -> Catalogue:
    test = known.environments["test"].model_copy(update={"lowered_because": because})
    return known.model_copy(update={"environments": {"test": test}})


def test_what_was_secured_starts_as_local_only_where_the_catalogue_says_why(
    tmp_path: Path,
) -> None:
    engine = engine_for(f"sqlite:///{tmp_path / 'records.sqlite'}")
    upgrade(engine)
    records, local = SqlRecords(engine), catalogue("shop", {})
    assert local.environments["test"].security is SecurityLevel.LOCAL
    must_not_be_lowered(local, records)
    must_not_be_lowered(secured(local), records)
    with pytest.raises(Blocked, match="test was of level secured") as refused:
        must_not_be_lowered(local, records)
    assert "environments.test.lowered_because" in refused.value.next_step
    must_not_be_lowered(lowered(local, "the drill is over, nobody deploys there"), records)
    engine.dispose()
