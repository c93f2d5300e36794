"""`make bench-kubernetes`: ours beside kubectl on a real control plane, in one run."""

import argparse
import asyncio
import json
import platform
from typing import Any

from benchmarks.figures import Figure, ratio
from benchmarks.kubernetes import fan_out, race, watched
from benchmarks.kubernetes.ground import ground
from benchmarks.kubernetes.objects import READY_S
from benchmarks.kubernetes.race import Taken
from demo.kubernetes import binaries
from workers.process import end

GOALS = {"ratio_all_old_ready": 1.1, "requests_per_s": 2}
WATCHED_S = 30.0


async def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Everything, one after the other; sides that are compared in turns."""
    lanes = race.lanes([int(size) for size in options.sizes.split(",") if size])
    spreads = fan_out.spreads(options.fan_out)
    services = dict(lane.ours for lane in lanes) | watched.placed(options.watched)
    for spread in spreads:
        services |= spread.placed
    fleets = {race.ENV: {}, race.WINDOW_ENV: {}, watched.ENV: {}, **fan_out.environments(spreads)}
    async with ground(services, fleets, {race.WINDOW_ENV: {}}) as made:
        answer: dict[str, Any] = {"race": {}, "fan_out": {}}
        for lane in lanes:
            answer["race"][lane.name] = raced(await race.race(made, lane, options.pairs))
        for spread in spreads:
            answer["fan_out"][spread.env] = await fan_out.fan_out(made, spread)
        for number in (fan_out.AT_ONCE, 1) if spreads else ():
            found = await fan_out.by_kubectl(made, spreads[0], number)
            answer["fan_out"][f"kubectl_{number}_at_once"] = found
        if options.watched:
            answer["watched"] = await watched.watched(made, options.watched, WATCHED_S)
    return answer


def raced(taken: Taken) -> dict[str, Any]:
    """Medians with their quartiles."""
    times = taken.seconds
    return {
        "ratio_all_old_ready": shown(ratio(times["ours"], times["kubectl"])),
        "ratio_verified_over_status": shown(ratio(times["ours_verified"], times["kubectl_status"])),
        **{f"{name}_s": shown(Figure.of(values)) for name, values in sorted(times.items())},
        "requests": shown(Figure.of([float(number) for number in taken.requests])),
        "requests_per_s": shown(Figure.of(taken.per_s)),
        "requests_in_busiest_second": max(taken.busiest),
        "kinds": taken.kinds[-1],
    }


def shown(figure: Figure) -> dict[str, Any]:
    """Median and quartiles."""
    return {"median": round(figure.median, 3), "quartiles": figure.spread}


def main() -> None:
    """The figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--sizes", default="5,50,500", help="pods of a service, by commas")
    parser.add_argument("--pairs", type=int, default=5, help="counted pairs of each size")
    parser.add_argument("--fan-out", type=int, default=200, help="services; 0: none")
    parser.add_argument("--watched", type=int, default=20, help="services; 0: none")
    options = parser.parse_args()
    figures = asyncio.run(measured(options)) | {
        "pairs": options.pairs,
        "goals": GOALS,
        "later_ready_s": READY_S,
        "verification": "as in proof/in_process.py: no window that has to fill; _window: 60 s",
        "versions": {
            "kubernetes": binaries.VERSION,
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
        },
    }
    print(json.dumps(figures, indent=None if options.json else 2), flush=True)
    end(0)


if __name__ == "__main__":
    main()
