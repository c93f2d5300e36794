"""The stand-in of Slack beside the demo."""

from pathlib import Path

from demo.catalogue import EXAMPLE
from demo.slack.beside import TOKEN, seen, told_in_slack
from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.telling.channels import SlackChannel


def test_the_demo_is_told_in_a_stand_in_that_its_catalogue_names(tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    with told_in_slack(catalogue) as stand_in:
        known = read_catalogue(catalogue.read_text(encoding="utf-8"))
        (channel,) = known.environments["demo"].notifications
        assert isinstance(channel, SlackChannel)
        assert (channel.api, channel.token) == (stand_in.api, f"env:{TOKEN}")
        assert seen(stand_in) == []
