"""The records of one case: both releases, and what became of them."""

import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from activities.integrations.sql import SqlRecords, engine_for, upgrade
from activities.look import Looks
from proof.kill_matrix.placement import ENV
from proof.kubernetes.users import RATE
from rollback_manager.release import Baseline, Release, RestorePoint, Standing
from workers.materials import catalogue_of, http_client
from workers.settings import Settings
from workers.targets import targets

UPGRADES = threading.Lock()
"""Alembic has one environment in a process."""


def record(settings: Settings, service: str) -> None:
    """Both, as `releases record` would, with the digests that the product gives."""
    with _records(settings) as records, http_client() as client:
        look = Looks(targets(catalogue_of(settings), client, records)(ENV, service)).take()
        for version, standing in (("v1", Standing.VERIFIED), ("v2", Standing.CANDIDATE)):
            digest = look.versions[version].digest
            records.save_release(ENV, service, _release(version, digest, standing))


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


def _release(version: str, digest: str, standing: Standing) -> Release:
    at = datetime.now(UTC) - timedelta(hours=1 if standing is Standing.VERIFIED else 0)
    return Release(
        version=version,
        digest=digest,
        recorded_at=at,
        recorded_by="bench",
        standing=standing,
        because="an hour without an error",
        restore_point=RestorePoint(digest=digest, instances=4, shares={version: 100}, taken_at=at),
        baseline=Baseline(
            requests=10_000,
            error_ratio=0.0,
            latency_p95_ms=10,
            requests_per_s=RATE,
            window_s=100,
            taken_at=at,
        ),
    )
