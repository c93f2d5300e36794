"""The stand-in beside the demo: its rollbacks are told there, and what people saw is shown."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ruamel.yaml import YAML

from demo.slack.stand_in import SlackStandIn

TOKEN = "ROLLBACK_DEMO_SLACK_TOKEN"  # noqa: S105 -- the name of a variable


@contextmanager
def told_in_slack(catalogue: Path) -> Iterator[SlackStandIn]:
    """A stand-in that every environment of this catalogue names from now on."""
    yaml = YAML(typ="safe")
    with SlackStandIn() as stand_in:
        tree = yaml.load(catalogue)
        told = {"kind": "slack", "channel": "C0OPS", "token": f"env:{TOKEN}", "api": stand_in.api}
        for environment in tree["environments"].values():
            environment["notifications"] = [told]
        yaml.dump(tree, catalogue)
        os.environ[TOKEN] = stand_in.token
        yield stand_in


def seen(stand_in: SlackStandIn) -> list[str]:
    """The message as it is now, then its thread, a line each."""
    now = [f"message: {one['text']}" for one in stand_in.posted()]
    return now + [f"  thread: {one['text']}" for one in stand_in.posted(thread=True)]
