"""Judges that were brought along, on releases of world S: how often each blames a good one.

`python -m benchmarks.detection.imported`: each judge is asked at the end of every minute of the
half hour, as the watch asks it; errors alone, for world S has no P95 of a minute.
"""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

import numpy as np
import typer

from benchmarks.detection.world import HEALTHY, Fault, Releases, S
from rollback_manager.metrics.reading import Reading
from rollback_manager.statistics.evidence import Amounts, Answer, Arm
from rollback_manager.statistics.imported.findings import of_one
from rollback_manager.watch.argo_judge import ArgoJudge
from rollback_manager.watch.kayenta_judge import KayentaJudge

AT = datetime(2026, 1, 1, tzinfo=UTC)
ERRORS = {"name": "errors", "signal": "error_ratio", "groups": ["errors"]}
JUDGES: dict[str, KayentaJudge | ArgoJudge] = {
    "kayenta, any difference": KayentaJudge.model_validate(
        {"kind": "kayenta", "name": "k", "metrics": [ERRORS]}
    ),
    "kayenta, twice as many": KayentaJudge.model_validate(
        {"kind": "kayenta", "name": "k", "metrics": [{**ERRORS, "effect": 2}]}
    ),
    **{
        f"argo, 95 % good, {failures} may fail": ArgoJudge.model_validate(
            {
                "kind": "argo",
                "name": "a",
                "metrics": [
                    {
                        "name": "m",
                        "signal": "success_ratio",
                        "success": "result >= 0.95",
                        "failures": failures,
                    }
                ],
            }
        )
        for failures in (0, 3)
    },
}


class Minute(NamedTuple):
    """One minute of all releases."""

    new: Arm
    control: Arm


def minutes(fault: Fault, rps: float, count: int, seed: int) -> Iterator[Minute]:
    """The half hour of the watch."""
    kept: list[tuple[Arm, Arm]] = []
    for second in Releases(S, fault, rps, count, seed):
        if second.interval.at_s[0] <= 0:
            continue
        kept.append((second.interval.new, second.interval.control))
        if len(kept) == 60:
            yield Minute(*(_summed([pair[arm] for pair in kept]) for arm in (0, 1)))
            kept = []


def first_blamed(
    judge: KayentaJudge | ArgoJudge, fault: Fault, rps: float, count: int, seed: int
) -> Amounts:
    """Minutes from the start until each release is blamed; infinite: never."""
    first, seen = np.full(count, math.inf), list[Minute]()
    for age, minute in enumerate(minutes(fault, rps, count, seed), start=1):
        seen.append(minute)
        for place in map(int, np.flatnonzero(np.isinf(first))):
            new = [_reading("new", one.new, place) for one in seen]
            old = [_reading("old", one.control, place) for one in seen]
            findings = of_one(judge, new, old, age)
            if any(one.answer is Answer.REGRESSED for one in findings):
                first[place] = age
    return first


def _summed(arms: list[Arm]) -> Arm:
    fields = ("requests", "errors", "slow", "timed")
    return Arm(*(np.sum([getattr(arm, field) for arm in arms], axis=0) for field in fields))


def _reading(version: str, arm: Arm, place: int) -> Reading:
    return Reading(
        version=version,
        requests=int(arm.requests[place]),
        errors=int(arm.errors[place]),
        latency_p95_ms=None,
        window_s=60,
        taken_at=AT,
    )


def measure(
    count: Annotated[int, typer.Option(help="Good releases; a fifth as many bad ones.")] = 500,
    rps: Annotated[float, typer.Option(help="Requests per second of the new version.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 20261210,
) -> None:
    """Print one JSON object: by judge, false per 1,000 and median minutes to notice 11 % errors."""
    rows = {}
    for name, judge in JUDGES.items():
        good = first_blamed(judge, HEALTHY, rps, count, seed)
        bad = first_blamed(judge, Fault(errors=0.11), rps, count // 5, seed + 1)
        rows[name] = {
            "false_per_1000": 1000 * float(np.mean(np.isfinite(good))),
            "median_minutes": float(np.median(bad)),
        }
    print(json.dumps({"releases": count, "rps": rps, "seed": seed, "judges": rows}, indent=2))


if __name__ == "__main__":
    typer.run(measure)
