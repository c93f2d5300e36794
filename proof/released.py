"""A release as the records of a proof have it."""

from datetime import UTC, datetime, timedelta

from rollback_manager.release import Baseline, Release, RestorePoint, Standing

PODS = 4


def released(version: str, digest: str, standing: Standing, minutes_ago: float) -> Release:
    """With a restore point of all pods and a healthy baseline, as old as that."""
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return Release(
        version=version,
        digest=digest,
        recorded_at=at,
        recorded_by="proof",
        standing=standing,
        because="an hour without an error",
        restore_point=RestorePoint(
            digest=digest, instances=PODS, shares={version: 100}, taken_at=at
        ),
        baseline=Baseline(
            requests=10_000,
            error_ratio=0.0,
            latency_p95_ms=10,
            requests_per_s=100,
            window_s=100,
            taken_at=at,
        ),
    )
