"""The watch's probes of single instances, through the role of workloads."""

from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime, timedelta

from activities.targets import InstanceState, Workloads
from activities.watch.timed import OTHERS, Timed
from rollback_manager.policy import DecisionPolicy
from rollback_manager.statistics.evidence import Finding, cannot_tell
from rollback_manager.statistics.instances import COMPARATOR, IN_A_ROW
from rollback_manager.statistics.probes import Probe, Probes

TEST = "instances"


class WatchedInstances:
    """Readiness of every instance, asked at the policy's interval."""

    def __init__(
        self,
        workloads: Callable[[], Workloads],
        policy: DecisionPolicy,
        threads: Executor = OTHERS,
    ) -> None:
        self._gap = timedelta(seconds=IN_A_ROW * policy.probe_every_s)
        self._rounds = Timed(lambda _: workloads().instances(), policy.probe_every_s, threads)
        self._probes = Probes(policy.start_within_s)
        self._trouble = ""
        self._of = "", ""
        self._said: Finding | None = None

    def finding(self, version: str, control: str, at: datetime) -> Finding:
        """Of the newest round; cannot tell while there is none, or it is old: after a pause."""
        news = self._rounds.news(at)
        if news is not None:
            self._trouble, self._said = news.trouble, None
            self._take(news.value or (), news.at)
        if trouble := self._trouble or self._rounds.late(at):
            return cannot_tell(TEST, COMPARATOR, f"they cannot be probed: {trouble}")
        if self._probes.at is None:
            return cannot_tell(TEST, COMPARATOR, "not probed yet")
        if self._said is None or self._of != (version, control):
            self._of, self._said = (version, control), self._probes.finding(version, control)
        return self._said

    def starting(self, version: str, at: datetime) -> bool:
        """Whether the release has not come up yet, and still may; old probes excuse nothing."""
        probed_at = self._probes.at
        if probed_at is None or not self._rounds.stands(probed_at, at):
            return False
        return self._probes.starting(version)

    def _take(self, found: tuple[InstanceState, ...], at: datetime) -> None:
        if self._trouble:
            return
        if self._probes.at is not None and at - self._probes.at > self._gap:
            self._probes = self._probes.forgotten()
        probes = (Probe(one.name, one.version, one.ready, one.started_at) for one in found)
        self._probes = self._probes.with_round(probes, at)
