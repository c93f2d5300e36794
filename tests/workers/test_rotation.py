"""Each key is replaced while a rollback runs, and the rollback ends as if nothing had happened.

Whoever brings a key adds a `Rotation` to ROTATIONS: how it is replaced, and how it shows that the
new one is used and what the old one made still counts.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from temporalio.client import Client

from activities.audit_key import audit_key, made_at_first_start
from activities.integrations.anchor_file import AnchorFile
from activities.integrations.sql import SqlAudit, engine_for, upgrade
from activities.secrets import Secrets
from proof.stand_ins import Gate
from rollback_manager.audit import verify
from rollback_manager.client import Rollback
from rollback_manager.client.codec import KEY_ID
from rollback_manager.client.converter import converter
from rollback_manager.client.opened import opened
from rollback_manager.progress import Result, State
from tests import keys, rig
from tests.rig import Rig


@dataclass
class Site:
    """Everything that has a key: a rig with an audit chain, whose payloads are encrypted."""

    folder: Path
    rig: Rig
    chain: SqlAudit


class Rotation(Protocol):
    """One key of the product."""

    def rotate(self, site: Site) -> None:
        """Replace it, as an operator does it, while everything runs."""

    async def check(self, site: Site, rollback: Rollback) -> None:
        """Fails unless old and new were used, and both still count."""


class AuditKeyRotation:
    """A new file in the place of the old one; the old public half stays in the second place."""

    def rotate(self, site: Site) -> None:
        (site.folder / "audit.pem").unlink()
        made_at_first_start(site.folder / "audit.pem")

    async def check(self, site: Site, rollback: Rollback) -> None:
        entries, anchors = list(site.chain.entries()), site.chain.anchors()
        assert len({one.key_id for one in entries}) == 2
        assert verify(entries, {one.key_id for one in anchors}, anchors).holds


class CodecKeyRotation:
    """Added for all first, then made the current one; what was written before is still read."""

    def rotate(self, site: Site) -> None:
        keys.write(site.folder / "codec.json", "old", old=keys.OLD, new=keys.NEW)
        keys.write(site.folder / "codec.json", "new", old=keys.OLD, new=keys.NEW)

    async def check(self, site: Site, rollback: Rollback) -> None:
        history = await rollback.history()
        raw = b"".join(event.SerializeToString() for event in history.events)
        assert all(KEY_ID.encode() + b"\x12\x03" + name in raw for name in (b"old", b"new"))
        read = [await opened(site.rig.client, event) for event in history.events]
        assert b"requested_by" in b"".join(event.SerializeToString() for event in read)


# Without a cache every workflow task reads the whole history again, by the keys of that moment.
pytestmark = pytest.mark.filterwarnings("ignore:Cannot find activity to cancel")

ROTATIONS: dict[str, Callable[[], Rotation]] = {
    "audit": AuditKeyRotation,
    "codec": CodecKeyRotation,
}


@pytest.fixture
async def site(client: Client, tmp_path: Path) -> AsyncIterator[Site]:
    engine = engine_for(f"sqlite:///{tmp_path}/records.sqlite")
    upgrade(engine)
    key = audit_key(Secrets(), made_at_first_start(tmp_path / "audit.pem"))
    chain = SqlAudit(engine, key, AnchorFile(tmp_path / "anchor" / "audit.jsonl"))
    config = client.config(active_config=True)
    ring = keys.ring(keys.write(tmp_path / "codec.json"))
    config["data_converter"] = converter(ring, client.namespace)
    policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 60}}
    async with rig.rig(Client(**config), tmp_path, cached=0, policy=policy, audit=chain) as made:
        yield Site(tmp_path, made, chain)
    engine.dispose()


@pytest.mark.parametrize("moment", ["while a person is asked", "in the middle of the shift"])
@pytest.mark.parametrize("name", ROTATIONS)
async def test_a_key_is_rotated_while_a_rollback_runs(site: Site, name: str, moment: str) -> None:
    rotation, made = ROTATIONS[name](), site.rig
    gate = Gate("set_shares" if moment == "in the middle of the shift" else "never")
    made.world.before_write = gate
    rollback = await made.start()
    await made.until(rollback, State.WAITING_FOR_APPROVAL)
    if moment == "while a person is asked":
        rotation.rotate(site)
    await made.approve(rollback)
    if moment == "in the middle of the shift":
        assert await asyncio.to_thread(gate.reached.wait, 20)
        rotation.rotate(site)
        gate.open()
    assert (await rollback.result()).result is Result.VERIFIED
    await rotation.check(site, rollback)
