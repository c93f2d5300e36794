"""A release is marked, a review noted, a quarantine ended only as it was signed, and once."""

import time
from pathlib import Path

import pytest

from activities.integrations.anchor_file import AnchorFile
from activities.integrations.sql import SqlAudit, engine_for, upgrade
from rollback_manager.authority.token import Dec
from rollback_manager.contract import MarkRelease, ReleaseRequest
from rollback_manager.errors import PermanentError
from rollback_manager.release import Standing
from tests.chains import KEY
from tests.rig import Rig
from tests.secured import SecuredRig, secured_rig, signed_ask

ANA, BO = "ana@example.com", "bo@example.com"


async def test_a_mark_counts_as_it_was_signed_and_once(unmanned: Rig, tmp_path: Path) -> None:
    engine = engine_for(f"sqlite:///{tmp_path / 'audit.sqlite'}")
    upgrade(engine)
    chain = SqlAudit(engine, lambda: KEY, AnchorFile(tmp_path / "anchor.jsonl"))
    async with secured_rig(unmanned, audit=chain).at_work() as made:
        assert isinstance(made, SecuredRig)
        good = MarkRelease(
            env="test", service=made.service, version="v2", by=ANA, standing=Standing.VERIFIED
        )
        bad = good.model_copy(update={"standing": Standing.BAD})
        refused = {
            "not signed": good,
            "signed to record_release": signed_ask(good, dec=Dec.RECORD_RELEASE),
            "another plan": good.model_copy(update={"token": signed_ask(bad).token}),
            "another rollback": signed_ask(good, rid=f"release/test/{made.service}/v1"),
            "another environment": signed_ask(good, aud="rollback-manager/stage"),
            "a key that": signed_ask(good, kid="stranger"),
            "somebody else": signed_ask(good, sub=BO),
            "its signature ended": signed_ask(good, at=time.time() - 601),
        }
        for because, ask in refused.items():
            with pytest.raises(PermanentError, match=because):
                await made.rollbacks.releases(ReleaseRequest(ask=ask))
        assert _standing(made) is not Standing.VERIFIED
        once = signed_ask(good)
        await made.rollbacks.releases(ReleaseRequest(ask=once))
        assert _standing(made) is Standing.VERIFIED
        await made.rollbacks.releases(ReleaseRequest(ask=signed_ask(bad)))
        with pytest.raises(PermanentError, match="used by another run already"):
            await made.rollbacks.releases(ReleaseRequest(ask=once))
        assert _standing(made) is Standing.BAD
        outcomes = [one.outcome for one in chain.entries() if one.action == "mark_release"]
    assert len([one for one in outcomes if one.startswith("refused: ")]) == len(refused) + 1
    engine.dispose()


def _standing(made: Rig) -> Standing:
    known = made.records.releases("test", made.service)
    return next(one.standing for one in known if one.version == "v2")
