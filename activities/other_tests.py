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
from rollback_manager.policy import DecisionPolicy
from rollback_manager.release import Release
from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.statistics.release_watch import together


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
        self._instances = WatchedInstances(lambda: targets(env, service).workloads, policy, threads)

    def with_theirs(self, told: Told, release: Release, beside: str, at: datetime) -> Told:
        """What the looks told, with these tests' answers; the most evident regression is said."""
        tests = (*told.tests, *self.findings(release, beside, at))
        worse = [one for one in tests if one.answer is Answer.REGRESSED]
        held = told.verdict.answer is Answer.CANNOT_TELL and told.verdict.test == "common_mode"
        return Told(told.verdict if held or not worse else together(worse), tests)

    def findings(self, release: Release, beside: str, at: datetime) -> tuple[Finding, ...]:
        """One answer per test. beside: the old version that has traffic too; empty: none."""
        return (self._instances.finding(release.version, beside, at),)
