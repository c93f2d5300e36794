"""The control: what a script does in a hurry. Stop a new one, start an old one, shift, go on."""

import subprocess
import sys

from demo.world import World
from proof.rolling.scene import BAD, DESIRED, GOOD


def roll_back(world: World) -> None:
    """Instance by instance; supervisorctl waits until each has stopped or started."""
    for done in range(1, DESIRED + 1):
        _control(world, "stop", BAD, DESIRED - done)
        _control(world, "start", GOOD, done - 1)
        part = 100 * done // DESIRED
        world.set_shares({GOOD: part, BAD: 100 - part}, f"script-{done}")


def _control(world: World, verb: str, version: str, place: int) -> None:
    group = f"{world.service}-{version}"
    names = sorted(_names(world, group))
    subprocess.run(
        [*_supervisorctl(world), verb, f"{group}:{names[place]}"],
        check=True,
        capture_output=True,
    )


def _names(world: World, group: str) -> list[str]:
    told = subprocess.run(
        [*_supervisorctl(world), "status", f"{group}:*"],
        check=False,  # 3 where some do not run
        capture_output=True,
        text=True,
    )
    return [line.split()[0].partition(":")[2] for line in told.stdout.splitlines()]


def _supervisorctl(world: World) -> list[str]:
    return [sys.executable, "-m", "supervisor.supervisorctl", "-s", f"unix://{world.socket}"]
