"""The long activity of the watch: looks at every release with traffic, and gives alarms.

It writes nothing into history but its beats and, where that changes, what it watches.
"""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Protocol

from temporalio import activity

from activities.incident_role import Incidents
from activities.records import Records
from activities.step import asked_to_stop
from activities.targets import Targets
from activities.watch.numbers import Numbers
from activities.watch.other_tests import OtherTests, Place
from activities.watch.service_watch import ServiceWatch, judge_together
from activities.watch.warm_ups import Histories, WarmUps
from activities.watch.young_releases import YoungReleases
from rollback_manager.catalogue import Catalogue
from rollback_manager.policy import DecisionPolicy
from rollback_manager.watch.watching import Trouble, Watch

EVERY_S = 1.0
"""Envoy's counters are current to the second; a look costs a few ms."""
PATIENCE_S = 2.0
"""A round waits so long for its looks, far below the heartbeat's 10 s; a slower one goes on beside
the next rounds, and no other service waits for it."""
STANDS_S = 60.0
"""Trouble is told when it has lasted so long: a restart of a proxy is nobody's business."""
ROUND_S = 55 * 60.0
"""Below the hour that one attempt may take."""
MOST_TOLD = 200
"""Releases whose last word goes with each beat: about 60 KB, below what Temporal takes (2 MB)."""
WATCHERS = 300
"""Services that are looked at at once, and so silent ones that nobody else has to wait for."""


class Kept(Records, WarmUps, Numbers, Protocol):
    """What is kept of releases, and of the numbers of their services."""


class WatchActivities:
    """The activity that watches. What it has seen stays in the process between its attempts."""

    def __init__(
        self,
        catalogue: Catalogue,
        records: Kept,
        targets: Targets,
        incidents: Incidents,
    ) -> None:
        self._catalogue = catalogue
        self._records = records
        self._targets = targets
        self._incidents = incidents
        self._services: dict[tuple[str, str], _Watcher] = {}
        self._histories: dict[str, Histories] = {}
        self._young: dict[str, YoungReleases] = {}
        self._reading: dict[str, Future[None]] = {}
        # Not READERS: a look that waits there for reads of its own could wait for ever.
        self._threads = ThreadPoolExecutor(WATCHERS, thread_name_prefix="watch")
        # An attempt that was given up may still be in a round; one environment waits for no other.
        self._rounds = {env: threading.Lock() for env in catalogue.environments}

    @activity.defn(no_thread_cancel_exception=True)
    def watch_releases(self, before: Watch) -> Watch:
        """Look again and again; answers when it watches something else, and after an hour."""
        first, seen = time.monotonic(), before
        while True:
            began = time.monotonic()
            _beat(seen)
            seen = self._look(before.env)
            if _differs(seen, before, began - first) or began - first >= ROUND_S:
                return seen
            if _breathe(seen, _rested(began)):
                return before

    def _look(self, env: str) -> Watch:
        names = [name for name, one in self._catalogue.services.items() if env in one.environments]
        watchers = [self._of(env, name) for name in names]
        with self._rounds[env]:
            self._read(env)
            begun = [look for one in watchers if (look := one.look(self._threads)) is not None]
            wait_for(begun, timeout=PATIENCE_S)
            judge_together(one.watch for one in watchers if one.rests)
            for one in watchers:
                one.maybe_speak(self._threads)
        return Watch(
            env=env,
            releases=tuple(one.watch.watched for one in watchers if one.watch.watched is not None),
            trouble=tuple(that for one in watchers if (that := one.trouble()) is not None),
            looked=True,
        )

    def _of(self, env: str, service: str) -> "_Watcher":
        key = env, service
        if key not in self._services:
            histories = self._histories.setdefault(env, Histories(self._records, env))
            watch = ServiceWatch(
                env,
                service,
                self._watched_s(env),
                self._releases_of(env),
                histories,
                self._targets,
                self._incidents,
                self._others(env, service),
                self._catalogue.placement(env, service).judges,
            )
            self._services[key] = _Watcher(service, watch)
        return self._services[key]

    def _others(self, env: str, service: str) -> OtherTests:
        """Tests that need other eyes than the traffic's counters."""
        placement, policy = self._catalogue.placement(env, service), self._decisions(env)
        return OtherTests(Place(env, service, placement), policy, self._targets, self._records)

    def _read(self, env: str) -> None:
        """Waited for until they were read once: records that hang must not stop the looks."""
        young, under_way = self._releases_of(env), self._reading.get(env)
        if under_way is None or under_way.done():
            self._reading[env] = under_way = self._threads.submit(young.read)
        if not young.known:
            wait_for([under_way], timeout=PATIENCE_S)

    def _releases_of(self, env: str) -> YoungReleases:
        if env not in self._young:
            self._young[env] = YoungReleases(self._records, env, self._watched_s(env))
        return self._young[env]

    def _watched_s(self, env: str) -> float:
        return self._decisions(env).watched_s

    def _decisions(self, env: str) -> DecisionPolicy:
        return self._catalogue.environments[env].decisions


class _Watcher:
    """One service's watch, at most one look at a time, and since when it cannot look."""

    def __init__(self, service: str, watch: ServiceWatch) -> None:
        self._service = service
        self.watch = watch
        self._under_way: Future[None] | None = None
        self._blind_since: float | None = None

    @property
    def rests(self) -> bool:
        """Whether nothing of it is under way."""
        return self._under_way is None or self._under_way.done()

    def look(self, threads: ThreadPoolExecutor) -> Future[None] | None:
        """A new look; None while one is under way, or came late and waits to be judged.

        Nobody waits twice for the same look: the others would be looked at seldom, too.
        """
        if not self.rests or self.watch.due is not None:
            return None
        self._under_way = threads.submit(self.watch.look)
        return self._under_way

    def maybe_speak(self, threads: ThreadPoolExecutor) -> None:
        """Beside the other services: Temporal may be slow to take an alarm."""
        if self.rests and self.watch.has_to_speak:
            self._under_way = threads.submit(self.watch.speak)

    def trouble(self) -> Trouble | None:
        """Why it cannot look, once that has lasted."""
        because = self.watch.trouble
        if not self.rests:
            because = because or "it does not answer"
        if not because:
            self._blind_since = None
            return None
        at = time.monotonic()
        self._blind_since = at if self._blind_since is None else self._blind_since
        if at - self._blind_since < STANDS_S:
            return None
        return Trouble(service=self._service, because=because)


def _differs(seen: Watch, before: Watch, looked_for_s: float) -> bool:
    """Whether people should know: trouble that comes and goes, at most once a minute."""
    if not before.looked or seen.names() != before.names():
        return True
    return seen.troubled() != before.troubled() and looked_for_s >= STANDS_S


def _beat(seen: Watch) -> None:
    """With what was seen: people read it there, and it never enters history."""
    activity.heartbeat(seen.first(MOST_TOLD))


def _rested(began: float) -> float:
    """When to look again: a rest is as long as the round, so that looks never fill a core."""
    at = time.monotonic()
    return max(began + EVERY_S, at + min(at - began, PATIENCE_S))


def _breathe(seen: Watch, until: float) -> bool:
    """Beat, and wait for the next look; whether somebody ended the watch meanwhile."""
    _beat(seen)
    if asked_to_stop():
        return True
    time.sleep(max(0.0, until - time.monotonic()))
    return False
