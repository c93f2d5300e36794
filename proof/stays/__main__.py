"""`make stays`: who takes an undo back, with our hold and without it, in real times."""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from demo.kubernetes import binaries, crds
from demo.kubernetes.api import connected
from demo.kubernetes.control_plane import ControlPlane
from demo.kubernetes.kubelet import Kubelet
from proof.core_logs import errors_only
from proof.own_temporal import own_temporal
from proof.stays.cell import CASES, Cell, policy, run

DENY_LIST = Path(__file__).parents[2] / "deploy/kubernetes/deny-list.yaml"
CHECKS = [10.0, 240.0, 900.0]
WATCHED_S = 1200.0
"""Twenty minutes: what must be shown."""


def wrong(cell: Cell) -> list[str]:
    """What does not hold of one cell."""
    kept = cell.bad_served_after_s is None and cell.shrunk_to is None
    name = f"{cell.name} after {cell.after_s:g} s, {'held' if cell.held else 'not held'}"
    if cell.held:
        late = set(cell.checks) - {"stays"}
        return [f"{name}: did not stay"] if not kept or late or cell.named else []
    stopped = cell.rollback == "needs_human"  # in the middle: seen, named and not fought
    return (
        [] if cell.named and (stopped or not kept) else [f"{name}: not taken back, or nobody named"]
    )


async def prove(seconds: float, checks: list[float]) -> list[Cell]:
    """All cells side by side on one control plane."""
    with (
        tempfile.TemporaryDirectory(prefix="rb-") as name,
        ControlPlane(await binaries.find(_say), Path(name)) as plane,
        connected(plane.kubeconfig()) as api,
        Kubelet(api, nodes=2),
    ):
        await asyncio.to_thread(crds.install, api, crds.ARGO_CD)
        with policy(api, DENY_LIST.read_text(encoding="utf-8")):
            async with own_temporal() as temporal:
                client = await temporal.client()
                async with asyncio.TaskGroup() as group:
                    work = [
                        group.create_task(
                            run(case, client, api, plane.kubeconfig(), seconds, checks)
                        )
                        for case in CASES
                    ]
                return [one.result() for one in work]


def main() -> None:
    """Print one object per cell, and end with 1 where something does not hold."""
    parser = argparse.ArgumentParser(description="Does an undo stay undone?")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--seconds", type=float, default=WATCHED_S, help="watch for so long")
    given = parser.parse_args()
    errors_only()
    checks = [check for check in CHECKS if check < given.seconds] or [2.0, 4.0, 6.0]
    cells = asyncio.run(prove(given.seconds, checks))
    violations = [text for cell in cells for text in wrong(cell)]
    if given.json:
        print(json.dumps({"cells": [asdict(one) for one in cells], "violations": violations}))
    else:
        for cell in cells:
            print(_line(cell))
        print(f"violations: {violations or 'none'}")
    sys.exit(1 if violations else 0)


def _line(cell: Cell) -> str:
    bad = "never" if cell.bad_served_after_s is None else f"after {cell.bad_served_after_s} s"
    shrunk = f", shrunk to {cell.shrunk_to}" if cell.shrunk_to else ""
    return (
        f"{cell.name} {cell.after_s:g} s {'held' if cell.held else 'NOT held'}: bad version served"
        f" {bad}{shrunk} in {cell.watched_s:.0f} s; checks {cell.checks}; named: {cell.named}"
    )


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
