"""`make attack`: every door of the gateway under attack, on real Temporal; nothing may get in."""

import argparse
import asyncio
import json
from collections.abc import Mapping
from typing import Any

from proof.attack import alerts_run, ci_run, slack_run
from proof.own_temporal import own_temporal
from rollback_manager.values import Value
from workers.process import end


class Found(Value):
    """What came of all of it.

    accepted: requests that should have been refused and were not; server_errors: answers of 5xx.
    decisions: that the replayed requests of Slack and of an alert brought about, and credentials
    those of CI were worth; one for each replayed request is right.
    """

    tried: int
    accepted: int
    server_errors: int
    replays: int
    decisions: int
    replayed: int
    doors: Mapping[str, Any]

    @property
    def holds(self) -> bool:
        """Nothing got in, nothing broke, and each replayed request counted once."""
        return not self.accepted and not self.server_errors and self.decisions == self.replayed


async def attack(*, quick: bool) -> Found:
    """One door after another."""
    async with own_temporal() as own:
        client = await own.client()
        of_slack = await slack_run.attack(client, own.folder, quick=quick)
        of_alerts = await alerts_run.attack(client, own.folder, quick=quick)
        of_ci = await ci_run.attack(own.folder / "ci", quick=quick)
    parts = (of_slack.forged, of_alerts.forged, of_alerts.senseless, of_ci)
    replays = sum(of_slack.replays.values()) + sum(of_alerts.replays.values()) + of_ci.replays
    return Found(
        tried=sum(one.tried for one in parts),
        accepted=sum(one.accepted for one in parts),
        server_errors=sum(one.server_errors for one in parts),
        replays=replays,
        decisions=of_slack.decisions + of_alerts.decisions + of_ci.credentials,
        replayed=4,  # a click, an alert, a token of each of two issuers
        doors={
            "slack": of_slack.model_dump(),
            "alerts": of_alerts.model_dump(),
            "ci": of_ci.model_dump(),
        },
    )


def main() -> None:
    """0 when nothing got in and nothing broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="a sample")
    options = parser.parse_args()
    found = asyncio.run(attack(quick=options.quick))
    print(json.dumps(found.model_dump(), indent=None if options.json else 2), flush=True)
    end(0 if found.holds else 1)


if __name__ == "__main__":
    main()
