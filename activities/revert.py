"""The role of Git: what it names for a service, and the proposal that makes desired = live."""

from collections.abc import Callable
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import CancelledError

from activities.step import asked_to_stop
from rollback_manager.git_names import Names, Naming
from rollback_manager.operation import op_id
from rollback_manager.owners import Agreement
from rollback_manager.release import Release
from rollback_manager.revert import Desired, OpenRevert, Question, Revert, RevertState
from rollback_manager.stays import AFTER_ALL_STEPS, Staying

NO_GIT = "the catalogue names no repository for this service"
Beat = Callable[[], None]


class Reverts(Protocol):
    """A repository that one service is deployed from; `beat` is called while it works."""

    def desired(self, question: Question, beat: Beat) -> Desired:
        """Which release the deployed branch names now; writes nothing."""

    def propose(self, request: OpenRevert, beat: Beat) -> Revert:
        """The revert on a branch of its own; proposing twice is proposing once."""


class RecordedReleases(Protocol):
    """What is known of the releases of a service."""

    def releases(self, env: str, service: str) -> list[Release]:
        """All recorded releases, newest first."""


class RevertActivities:
    """What Git has to do with a rollback that has ended: it still names the bad release."""

    def __init__(
        self, reverts: Callable[[str, str], Reverts | None], records: RecordedReleases
    ) -> None:
        self._reverts = reverts
        self._records = records

    @activity.defn(no_thread_cancel_exception=True)
    def open_revert(self, staying: Staying) -> Revert:
        """Propose the way back in Git. The deployed branch itself is never pushed to."""
        git = self._reverts(staying.env, staying.service)
        if git is None:
            return Revert(state=RevertState.NO_GIT, because=NO_GIT)
        return git.propose(self._request(staying), _beat)

    def agrees(self, staying: Staying) -> Agreement | None:
        """Whether the deployed branch names the good release; None where no Git is known."""
        git = self._reverts(staying.env, staying.service)
        if git is None:
            return None
        desired = git.desired(self._request(staying), _beat)
        return Agreement(agrees=desired.names is Names.GOOD, because=desired.because)

    def _request(self, staying: Staying) -> OpenRevert:
        rollback, service = staying.rollback, staying.service
        return OpenRevert(
            env=staying.env,
            service=service,
            bad=self._naming(staying, staying.bad),
            good=self._naming(staying, staying.version),
            rollback=rollback,
            plan_digest=staying.plan,
            op_id=op_id(rollback, service, AFTER_ALL_STEPS, staying.digest),
            because=f"{staying.bad} was rolled back by {rollback}.",
        )

    def _naming(self, staying: Staying, version: str) -> Naming:
        """With the one image that its instances reported, if they agreed on one."""
        known = self._records.releases(staying.env, staying.service)
        points = (one.restore_point for one in known if one.version == version)
        reported = {d for point in points if point for row in point.images.values() for d in row}
        return Naming(version=version, image_digest=reported.pop() if len(reported) == 1 else "")


def _beat() -> None:
    """Alive; or, where it should end, an error that ends the command under way.

    Every moment is a safe one: a branch is made whole or not at all, and a retry finds it.
    """
    activity.heartbeat()
    if asked_to_stop():
        raise CancelledError("the revert was not wanted any more")
