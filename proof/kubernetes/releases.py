"""The records of one case: both releases, and what became of them."""

import contextlib
import threading
from collections.abc import Iterator

from activities.integrations.sql import SqlRecords, engine_for, upgrade
from activities.look import Looks
from proof.kill_matrix.placement import ENV
from proof.released import released
from rollback_manager.release import Standing
from workers.materials import catalogue_of, http_client
from workers.settings import Settings
from workers.targets import targets

UPGRADES = threading.Lock()
"""Alembic has one environment in a process."""


def record(settings: Settings, service: str) -> None:
    """Both, as `releases record` would, with the digests that the product gives."""
    with _records(settings) as records, http_client() as client:
        look = Looks(targets(catalogue_of(settings), client, records)(ENV, service)).take()
        for version, standing, ago in (
            ("v1", Standing.VERIFIED, 60),
            ("v2", Standing.CANDIDATE, 0),
        ):
            digest = look.versions[version].digest
            records.save_release(ENV, service, released(version, digest, standing, ago))


def called(settings: Settings, service: str) -> str:
    """What v2 is called by now."""
    with _records(settings) as records:
        found = records.releases(ENV, service)
    return next((str(one.standing) for one in found if one.version == "v2"), "unknown")


@contextlib.contextmanager
def _records(settings: Settings) -> Iterator[SqlRecords]:
    """Of one case, for a moment."""
    engine = engine_for(settings.records_url)
    with UPGRADES:
        upgrade(engine)
    yield SqlRecords(engine)
    engine.dispose()
