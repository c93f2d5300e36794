"""What a catalogue says of the bench's world: one file per strategy, the same service in each."""

import json
from collections.abc import Mapping
from pathlib import Path

from demo.world import World

ENV, SERVICE = "test", "shop"
STRATEGIES = ("blue_green", "canary", "rolling_update", "generic")

POLICY: Mapping[str, object] = {
    # A P95 of 5 ms trebles when two cores are busy with other lanes; it is not what is tested here.
    "verification": {
        "min_window_s": 1,
        "max_window_s": 20,
        "error_ratio_margin": 0.05,
        "latency_factor": 40,
    },
    "slices": {"percents": [33, 100], "min_s": 0.5, "requests": 10, "max_s": 20},
    "batch_fraction": 0.5,
    "confirmed_requests": 30,
    "timeouts": {
        "prepare_s": 20,
        "redirect_traffic_s": 20,
        "drain_s": 20,
        "stop_batch_s": 20,
        "clean_up_s": 20,
        "heartbeat_s": 2,
    },
}
"""Windows of a second and two batches, so that a run takes seconds; a dead worker is missed after
two. Order, guard, marks and checks are those of any policy."""

INITIAL: Mapping[str, tuple[dict[str, int], dict[str, int]]] = {
    "blue_green": ({"v1": 0, "v2": 100}, {"v1": 2, "v2": 4}),
    "canary": ({"v1": 75, "v2": 25}, {"v1": 3, "v2": 1}),
    "rolling_update": ({"v1": 0, "v2": 100}, {"v1": 0, "v2": 4}),
    "generic": ({"v1": 0, "v2": 100}, {"v1": 2, "v2": 4}),
}
"""Shares and running instances when the release is found to be bad."""


def write_catalogue(
    file: Path, strategy: str, world: World, doors: Mapping[str, str], *, asks: bool = False
) -> Path:
    """doors: where the worker finds supervisord's socket, Envoy's admin port and the route file."""
    policy = {**POLICY, "approval": {"required": asks, "deadline_s": 60}}
    placed = {
        "workloads": {
            "kind": "supervisord",
            "socket": doors["socket"],
            "program": world.service,
        },
        "traffic": {
            "kind": "envoy",
            "admin": doors["admin"],
            "routes": doors["routes"],
            "route": world.service,
        },
        "journeys": [{"name": "front page", "get": f"{world.front_url}/", "contains": "version"}],
    }
    service = {"strategy": strategy, "environments": {ENV: placed}}
    whole = {
        "version": 1,
        "environments": {ENV: {"policy": policy}},
        "services": {SERVICE: service},
    }
    file.write_text(json.dumps(whole))
    return file
