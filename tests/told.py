"""A rig whose rollbacks are told to channels, for tests of order."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from activities.secrets import Secrets
from demo.slack import SlackStandIn
from rollback_manager.catalogue import Catalogue
from tests.rig import Rig
from workers import materials, wiring
from workers.channels import channels

SLACK_TOKEN = "TEST_SLACK_BOT_TOKEN"  # noqa: S105 -- the name of a variable
OPS = "C0OPS"


def slack(stand_in: SlackStandIn, **more: object) -> dict[str, object]:
    """What a catalogue says of the stand-in."""
    token = f"env:{SLACK_TOKEN}"
    return {"kind": "slack", "channel": OPS, "token": token, "api": stand_in.api, **more}


@contextmanager
def fitted(
    made: Rig, *notifications: dict[str, object], page: str = "", tier_up: bool = False
) -> Iterator[Rig]:
    """The same rig with those channels, whose worker is started anew. At T1, or T2 by tier_up."""
    client = materials.http_client()

    def fit(parts: wiring.Parts) -> wiring.Parts:
        tree = parts.catalogue.model_dump(mode="json")
        env = tree["environments"]["test"]
        env["notifications"] = list(notifications)
        env["decisions"]["tier_up_without_evidence"] = tier_up
        known = Catalogue.model_validate(tree)
        return replace(
            parts,
            catalogue=known,
            channels=channels(known, client, Secrets().resolve),
            page=lambda rollback: f"{page}/{rollback}" if page else "",
        )

    try:
        yield replace(made, fit=fit)
    finally:
        client.close()
