"""A repository that a service is deployed from: what it names, and the revert that is proposed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from activities.integrations.git.command import USUAL, Command, Limits
from activities.integrations.git.copy import Copy
from activities.integrations.git.forge import Forge
from rollback_manager.git_names import Names
from rollback_manager.git_source import GitSource
from rollback_manager.revert import Desired, OpenRevert, Question, Revert, RevertState, branch_of


class Repository:
    """One service's repository. Each call makes a shallow copy of its own, and removes it."""

    def __init__(self, source: GitSource, client: httpx.Client, limits: Limits = USUAL) -> None:
        self._source = source
        self._forge = Forge(source, client) if source.forge else None
        self._limits = limits

    def desired(self, question: Question, beat: Callable[[], None]) -> Desired:
        """Which release the deployed branch names now."""
        with self._copy(beat) as copy:
            judged = copy.judged(question)
            return Desired(names=judged.names, because=judged.because, commit=copy.head())

    def propose(self, request: OpenRevert, beat: Callable[[], None]) -> Revert:
        """The revert on a branch of its own, and the request for it; a retry finds both."""
        branch = branch_of(request)
        with self._copy(beat) as copy:
            judged = copy.judged(request)
            if (state := _NOTHING_TO_DO.get(judged.names)) is not None:
                return Revert(state=state, because=judged.because)
            commit = copy.ours(branch, request.op_id) or copy.pushed(branch, request, judged)
        url = self._forge.request(request, branch, beat) if self._forge else ""
        return Revert(
            state=RevertState.PROPOSED,
            because=judged.because,
            branch=branch,
            commit=commit,
            request_url=url,
        )

    @contextmanager
    def _copy(self, beat: Callable[[], None]) -> Iterator["Copy"]:
        with TemporaryDirectory(prefix="rollback-git-") as folder:
            git = Command(self._source, Path(folder), beat)
            copy = Copy(git, self._source, self._limits)
            copy.make()
            yield copy


_NOTHING_TO_DO: Mapping[Names, RevertState] = {
    Names.GOOD: RevertState.ALREADY_GOOD,
    Names.OTHER: RevertState.MOVED_ON,
    Names.UNCLEAR: RevertState.UNCLEAR,
}
