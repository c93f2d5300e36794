"""Slack's settings become a door, or stop the start."""

import pytest

from activities.secrets import Secrets
from rollback_manager.errors import PermanentError
from workers import slack
from workers.settings import SlackSettings

SET_UP = {
    "signing_secrets": "env:NOW, env:NEXT",
    "token": "env:BOT",
    "teams": "T024BE7LD",
    "apps": "A1,A2",
}


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("NOW", "NEXT", "BOT"):
        monkeypatch.setenv(name, f"secret-{name}")
    return monkeypatch


def settings(**more: str) -> SlackSettings:
    return SlackSettings.model_validate({**SET_UP, **more})


def test_without_a_secret_there_is_no_door() -> None:
    assert slack.door(SlackSettings(), Secrets().resolve) is None
    assert not SlackSettings().is_set_up


def test_two_secrets_are_live_at_once_and_are_read_anew(secrets: pytest.MonkeyPatch) -> None:
    door = slack.door(settings(), Secrets().resolve, "https://x.example")
    assert door is not None
    assert door.secrets is not None
    assert door.secrets() == ("secret-NOW", "secret-NEXT")
    secrets.setenv("NOW", "rotated")
    assert door.secrets() == ("rotated", "secret-NEXT")
    assert (sorted(door.teams), sorted(door.apps)) == (["T024BE7LD"], ["A1", "A2"])
    assert door.page("rollback/prod/k") == "https://x.example/rollback/prod/k"


@pytest.mark.parametrize(
    "wrong",
    [
        {"signing_secrets": "8f742231b10e8888abcd99yyyzzz85a5"},
        {"token": "xoxb-1"},
        {"token": ""},
        {"teams": ""},
        {"teams": "*"},
        {"apps": "our app"},
    ],
)
@pytest.mark.usefixtures("secrets")
def test_a_wrong_setting_stops_the_start_and_is_named(wrong: dict[str, str]) -> None:
    with pytest.raises(PermanentError) as error:
        slack.door(settings(**wrong), Secrets().resolve)
    (name,) = wrong
    assert f"ROLLBACK_GATEWAY_SLACK_{name.upper()}" in str(error.value)
    assert "8f742231b10e8888abcd99yyyzzz85a5" not in str(error.value)
