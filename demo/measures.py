"""What the demo measured, from outside the product: the users' answers and Envoy's own counts."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from demo.load import summarise
from demo.stage import ShopWorld
from rollback_manager.plan import ActionKind, RollbackPlan
from rollback_manager.progress import RollbackOutcome, StepRecord


class SecondsTaken(TypedDict):
    """decide: start → go; execute: → share confirmed; verify: → users are well; total: all."""

    decide: float
    execute: float
    verify: float
    total: float


class Requests(TypedDict):
    """Users' requests. `_by_us`: failed answers that neither version's own fault explains."""

    total: int
    failed_before: int
    failed_during_rollback: int
    failed_during_rollback_by_us: int
    failed_after: int


class Figures(TypedDict):
    """The demo's last line of stdout with --json."""

    outcome: str
    # `from` is a keyword, so the two are put in by name.
    workflow_id: str
    seconds: SecondsTaken
    requests: Requests
    floor: int
    min_ready: int | None
    first_change_s: float | None
    report: str


class Readiness:
    """Samples, beside the product, how many instances could serve users at each moment."""

    EVERY_S = 0.1

    def __init__(self, world: ShopWorld) -> None:
        self._world = world
        self.lowest: int | None = None

    async def watch(self) -> None:
        """Until cancelled. Counts only versions that have traffic: those whom users meet."""
        while True:
            with contextlib.suppress(OSError):
                shares = self._world.shares()
                now = sum(self._world.healthy(v) for v, part in shares.items() if part)
                self.lowest = now if self.lowest is None else min(self.lowest, now)
            await asyncio.sleep(self.EVERY_S)


@dataclass(frozen=True)
class Moments:
    """When things happened, by this machine's clock."""

    released: datetime
    asked: datetime
    ended: datetime


def figures(
    plan: RollbackPlan,
    outcome: RollbackOutcome,
    moments: Moments,
    load: Path,
    lowest: int | None,
    report: str,
) -> dict[str, object]:
    """Everything in one object."""
    steps = outcome.services[0].steps if outcome.services else ()
    shifted = last_step(steps, ActionKind.REDIRECT_TRAFFIC)
    verified = last_step(steps, ActionKind.VERIFY)
    service = plan.services[0]
    measured: Figures = {
        "outcome": str(outcome.result),
        "workflow_id": outcome.rollback,
        "seconds": _seconds(moments, steps, shifted, verified),
        "requests": _requests(load, moments, verified),
        "floor": service.floor,
        "min_ready": lowest,
        "first_change_s": seconds_between(
            moments.asked, shifted.first_write_at if shifted else None
        ),
        "report": report,
    }
    return {"from": service.from_version, "to": service.to_version, **measured}


def _seconds(
    moments: Moments,
    steps: tuple[StepRecord, ...],
    shifted: StepRecord | None,
    verified: StepRecord | None,
) -> SecondsTaken:
    went = steps[0].started_at if steps else moments.ended
    back = shifted.finished_at if shifted else moments.ended
    well = verified.finished_at if verified else moments.ended
    return {
        "decide": seconds_between(moments.asked, went) or 0.0,
        "execute": seconds_between(went, back) or 0.0,
        "verify": seconds_between(back, well) or 0.0,
        "total": seconds_between(moments.asked, well) or 0.0,
    }


def _requests(load: Path, moments: Moments, verified: StepRecord | None) -> Requests:
    well = verified.finished_at if verified else moments.ended
    before = summarise(load, moments.released, moments.asked)
    during = summarise(load, moments.asked, well)
    after = summarise(load, well, datetime.now(UTC))
    return {
        "total": before.total + during.total + after.total,
        "failed_before": sum(before.failed.values()) + before.by_us,
        "failed_during_rollback": sum(during.failed.values()) + during.by_us,
        "failed_during_rollback_by_us": during.by_us,
        "failed_after": sum(after.failed.values()) + after.by_us,
    }


def last_step(steps: tuple[StepRecord, ...], kind: ActionKind) -> StepRecord | None:
    """The newest one of that kind; None where it did not come to it."""
    return next((record for record in reversed(steps) if record.kind is kind), None)


def seconds_between(first: datetime, second: datetime | None) -> float | None:
    """To the millisecond; None where the second moment never came."""
    return None if second is None else round((second - first).total_seconds(), 3)
