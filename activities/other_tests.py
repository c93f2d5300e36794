"""Tests of a release that need other eyes than the traffic's counters.

Each has its own interval and its own reads, bounded in time and in other threads than the looks';
what it has seen last is judged at every look.
"""

from concurrent.futures import Executor
from datetime import datetime

from activities.targets import Targets
from activities.timed import OTHERS
from activities.under_watch import Told
from activities.watched_instances import WatchedInstances
from rollback_manager.detected import speaks
from rollback_manager.policy import DecisionPolicy
from rollback_manager.release import Release
from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.statistics.release_watch import together
from rollback_manager.statistics.unknown import Unknown


class OtherTests:
    """All of one service; what is remembered of one release is not held against the next."""

    def __init__(
        self,
        env: str,
        service: str,
        policy: DecisionPolicy,
        targets: Targets,
        threads: Executor = OTHERS,
    ) -> None:
        self._policy = policy
        self._instances = WatchedInstances(lambda: targets(env, service).workloads, policy, threads)
        self._version = ""
        self._unknown = Unknown()

    def with_theirs(self, told: Told, release: Release, beside: str, at: datetime) -> Told:
        """What the looks told, with these tests' answers; the most evident regression is said.

        beside: the old version that has traffic too; empty: none.
        """
        if release.version != self._version:
            self._version, self._unknown = release.version, Unknown()
        own = self._findings(release, beside, at)
        unknown = self._not_known((*(told.tests or (told.verdict,)), *own), at)
        tests = (*told.tests, *own, unknown)
        return Told(_verdict(told.verdict, (*own, unknown)), tests)

    def _findings(self, release: Release, beside: str, at: datetime) -> tuple[Finding, ...]:
        """One answer per test."""
        return (self._instances.finding(release.version, beside, at),)

    def _not_known(self, findings: tuple[Finding, ...], at: datetime) -> Finding:
        """Nothing can be known of a release that still comes up, and that is no news."""
        if self._instances.starting(self._version):
            self._unknown = Unknown()
        else:
            self._unknown = self._unknown.with_more(findings, at)
        return self._unknown.finding(self._policy.cannot_tell_s)


def _verdict(of_looks: Finding, others: tuple[Finding, ...]) -> Finding:
    """The one answer. Trouble of the old version comes first; one regression outweighs the rest."""
    if of_looks.test == "common_mode":
        return of_looks
    worse = [one for one in others if one.answer is Answer.REGRESSED]
    if of_looks.answer is Answer.REGRESSED or worse:
        return together((of_looks, *worse))
    return next((one for one in others if speaks(one)), of_looks)
