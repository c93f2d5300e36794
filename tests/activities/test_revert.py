"""The activities that propose a revert in Git, and ask what it names."""

from pathlib import Path

import httpx
import pytest
from temporalio.exceptions import CancelledError
from temporalio.testing import ActivityEnvironment

from activities.integrations.git import Repository
from activities.revert import Beat, RevertActivities, Reverts
from rollback_manager.git_names import Names
from rollback_manager.git_source import GitSource
from rollback_manager.revert import Desired, OpenRevert, Question, Revert, RevertState
from tests.activities.integrations.git.deployed import BRANCH, FILE, KEY, Remote, request


def test_a_revert_is_proposed_and_git_is_asked(tmp_path: Path) -> None:
    remote = Remote(tmp_path)
    source = GitSource.model_validate(
        {"repository": str(remote.path), "edits": [{"file": FILE, "key": KEY}]}
    )
    with httpx.Client() as client:
        own = RevertActivities(lambda env, service: Repository(source, client))
        run = ActivityEnvironment().run
        found = run(own.look_at_git, request())
        revert = run(own.open_revert, request())
    assert found.names is Names.BAD
    assert (revert.state, revert.branch) == (RevertState.PROPOSED, BRANCH)


def test_a_service_without_a_repository_has_no_revert() -> None:
    own = RevertActivities(lambda env, service: None)
    run = ActivityEnvironment().run
    assert run(own.open_revert, request()).state is RevertState.NO_GIT
    assert run(own.look_at_git, request()).names is Names.UNCLEAR


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
    own = RevertActivities(lambda env, service: Beating(environment.cancel))
    with pytest.raises(CancelledError):
        environment.run(own.open_revert, request())
    assert len(beats) == 2
