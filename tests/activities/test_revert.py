"""The activities that propose a revert in Git, and ask what it names."""

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from temporalio.exceptions import CancelledError
from temporalio.testing import ActivityEnvironment

from activities.integrations.git import Repository
from activities.revert import Beat, RevertActivities, Reverts
from rollback_manager.git_source import GitSource
from rollback_manager.release import Release, RestorePoint
from rollback_manager.revert import Desired, OpenRevert, Question, Revert, RevertState
from rollback_manager.stays import Staying
from tests.activities.integrations.git.deployed import BRANCH, FILE, KEY, Remote, request


def test_a_revert_is_proposed_and_git_is_asked(tmp_path: Path) -> None:
    remote = Remote(tmp_path)
    source = GitSource.model_validate(
        {"repository": str(remote.path), "edits": [{"file": FILE, "key": KEY}]}
    )
    with httpx.Client() as client:
        own = RevertActivities(lambda env, service: Repository(source, client), NOTHING)
        run = ActivityEnvironment().run
        found = run(own.agrees, about())
        revert = run(own.open_revert, about())
    assert found is not None
    assert not found.agrees
    assert (revert.state, revert.branch) == (RevertState.PROPOSED, BRANCH)


def test_images_are_named_as_instances_reported_them() -> None:
    digest = f"sha256:{'a' * 64}"
    asked = list[OpenRevert]()
    own = RevertActivities(lambda env, service: Asked(asked), Recorded({"v2": digest}))
    ActivityEnvironment().run(own.open_revert, about())
    assert (asked[0].good.image_digest, asked[0].bad.image_digest) == (digest, "")
    assert asked[0].plan_digest == "f" * 64


def test_a_service_without_a_repository_has_no_revert() -> None:
    own = RevertActivities(lambda env, service: None, NOTHING)
    assert ActivityEnvironment().run(own.open_revert, about()).state is RevertState.NO_GIT
    assert own.agrees(about()) is None, "whoever is held is asked itself"


class Recorded:
    """Releases with the image that all their instances reported."""

    def __init__(self, images: dict[str, str]) -> None:
        self._images = images

    def releases(self, env: str, service: str) -> list[Release]:
        """All of them."""
        at = datetime(2026, 1, 1, tzinfo=UTC)
        return [
            Release(
                version=version,
                digest="sha256:template",
                recorded_at=at,
                recorded_by="test",
                restore_point=RestorePoint(
                    digest="sha256:template",
                    instances=1,
                    shares={version: 100},
                    taken_at=at,
                    images={"main": (image,)},
                ),
            )
            for version, image in self._images.items()
        ]


NOTHING = Recorded({})


def about() -> Staying:
    """What went back, as the request of these tests has it."""
    own = request()
    return Staying(
        env=own.env,
        service=own.service,
        rollback=own.rollback,
        version=own.good.version,
        digest="sha256:template",
        bad=own.bad.version,
        floor=1,
        epoch=1,
        since=datetime(2026, 1, 1, tzinfo=UTC),
        plan="f" * 64,
    )


class Asked(Reverts):
    """A repository that keeps what it is asked for."""

    def __init__(self, asked: list[OpenRevert]) -> None:
        self._asked = asked

    def desired(self, question: Question, beat: Beat) -> Desired:
        raise NotImplementedError

    def propose(self, request: OpenRevert, beat: Beat) -> Revert:
        self._asked.append(request)
        return Revert(state=RevertState.ALREADY_GOOD, because="it is so already")


class Beating(Reverts):
    """A repository that takes long, and lives as long as its heartbeat lets it."""

    def __init__(self, before: Beat) -> None:
        self._before = before

    def desired(self, question: Question, beat: Beat) -> Desired:
        raise NotImplementedError

    def propose(self, request: OpenRevert, beat: Beat) -> Revert:
        beat()
        self._before()
        beat()
        return Revert(state=RevertState.PROPOSED, because="it was not stopped")


def test_it_beats_and_ends_when_it_is_not_wanted_any_more() -> None:
    environment, beats = ActivityEnvironment(), list[object]()
    environment.on_heartbeat = lambda *details: beats.append(details)
    own = RevertActivities(lambda env, service: Beating(environment.cancel), NOTHING)
    with pytest.raises(CancelledError):
        environment.run(own.open_revert, about())
    assert len(beats) == 2
