"""The role of Git: what it names for a service, and the proposal that makes desired = live."""

from collections.abc import Callable
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import CancelledError

from activities.step import asked_to_stop
from rollback_manager.git_names import Names
from rollback_manager.revert import Desired, OpenRevert, Question, Revert, RevertState

NO_GIT = "the catalogue names no repository for this service"
Beat = Callable[[], None]


class Reverts(Protocol):
    """A repository that one service is deployed from; `beat` is called while it works."""

    def desired(self, question: Question, beat: Beat) -> Desired:
        """Which release the deployed branch names now; writes nothing."""
        ...

    def propose(self, request: OpenRevert, beat: Beat) -> Revert:
        """The revert on a branch of its own; proposing twice is proposing once."""
        ...


class RevertActivities:
    """Activities on the repositories that services are deployed from."""

    def __init__(self, reverts: Callable[[str, str], Reverts | None]) -> None:
        self._reverts = reverts

    @activity.defn(no_thread_cancel_exception=True)
    def open_revert(self, request: OpenRevert) -> Revert:
        """Propose the way back in Git. The deployed branch itself is never pushed to."""
        git = self._reverts(request.env, request.service)
        if git is None:
            return Revert(state=RevertState.NO_GIT, because=NO_GIT)
        return git.propose(request, _beat)

    @activity.defn(no_thread_cancel_exception=True)
    def look_at_git(self, question: Question) -> Desired:
        """Whether Git's deployed branch still names the bad release."""
        git = self._reverts(question.env, question.service)
        if git is None:
            return Desired(names=Names.UNCLEAR, because=NO_GIT)
        return git.desired(question, _beat)


def _beat() -> None:
    """Alive; or, where it should end, an error that ends the command under way.

    Every moment is a safe one: a branch is made whole or not at all, and a retry finds it.
    """
    activity.heartbeat()
    if asked_to_stop():
        raise CancelledError("the revert was not wanted any more")
