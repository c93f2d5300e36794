"""Users for the demo: a load at a fixed rate, and what became of each of its requests."""

import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.processes import Children

TIMEOUT_S = 12.0
"""Above Envoy's route timeout, so that a slow version is its 504 and not our impatience."""
SENDER = Path(__file__).with_name("load_sender.py")
BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Answer:
    """What became of one request."""

    sent_at: datetime
    latency_ms: float
    status: int
    """0 if there was no answer."""
    version: str
    """Who answered; empty if the proxy did, or nobody."""
    failed: str
    """`refused`, `reset`, `timeout`, `unsent`; empty if there was an answer."""

    @property
    def is_error(self) -> bool:
        """Whether the user was failed, by whomever."""
        return self.failed not in ("", "unsent") or self.status >= 500

    @property
    def is_by_us(self) -> bool:
        """Whether no version's own fault explains it: it was moving the traffic that failed."""
        return self.is_error and not self.version


@dataclass(frozen=True)
class Second:
    """The requests sent within one second, by version; those that none answered under ""."""

    at: datetime
    count: dict[str, int]
    errors: dict[str, int]


@dataclass(frozen=True)
class Summary:
    """Counts over a window; by version, those that no version answered under ""."""

    total: int
    count: dict[str, int]
    failed: dict[str, int]
    """Errors that a version answered itself, by version."""
    by_us: int
    """Refused, reset, timed out, or the proxy's own 5xx."""
    unsent: int
    """Not sent for want of sockets here: anything but 0 spoils the measurement."""
    latency_p95_ms: float
    """Over all that were sent, lost ones with the time until they were given up; nan for none."""
    seconds: tuple[Second, ...] = field(repr=False)


class Load:
    """The load as a process of its own, started and ended from here; it ends with us."""

    def __init__(
        self, url: str, out: Path, *, rate: float = 250.0, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.out = out
        self._timeout_s = timeout_s
        self._command = [sys.executable, "-I", "-S", str(SENDER), "--url", url, "--out", str(out)]
        self._command += ["--rate", f"{rate:g}", "--timeout-s", f"{timeout_s:g}"]
        self._child: Children | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """End it."""
        self.stop()

    def start(self) -> None:
        """Begin to send, a fifth of a second from now; earlier lines of the file stay."""
        self.out.touch()
        self._child = Children(self.out.parent)
        self._child.start("load", self._command)

    def stop(self) -> None:
        """Send nothing more, wait for the answers in flight, end it. Twice is as once.

        Raises:
            WorldError: it had ended by itself, so that its file tells less than happened.
        """
        if self._child is None:
            return
        child, self._child = self._child, None
        try:
            child.check()
        finally:
            child.end(self._timeout_s + 3, meanwhile=lambda: None)

    @property
    def pid(self) -> int:
        """The process id, to measure or to kill it; 0 if it does not run."""
        return self._child.pids().get("load", 0) if self._child else 0

    def summary(self, since: datetime = BEGINNING, until: datetime = END) -> Summary:
        """What has become of the requests so far; the file is at most 0.2 s behind."""
        return summarise(self.out, since, until)


def summarise(file: Path, since: datetime = BEGINNING, until: datetime = END) -> Summary:
    """Count what became of the requests *sent* in the window [since, until)."""
    all_of_it = [answer for answer in read(file) if since <= answer.sent_at < until]
    sent = [answer for answer in all_of_it if answer.failed != "unsent"]
    return Summary(
        total=len(sent),
        count=dict(Counter(answer.version for answer in sent)),
        failed=_errors(answer for answer in sent if answer.version),
        by_us=sum(answer.is_by_us for answer in sent),
        unsent=len(all_of_it) - len(sent),
        latency_p95_ms=percentile([answer.latency_ms for answer in sent], 0.95),
        seconds=tuple(_by_second(sent)),
    )


def read(file: Path) -> Iterator[Answer]:
    """The outcomes written so far; a line that is only half written is left for later."""
    for line in file.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            shown = json.loads(line)
            yield Answer(
                sent_at=datetime.fromtimestamp(shown["at"], UTC),
                latency_ms=shown["ms"],
                status=shown.get("status", 0),
                version=shown.get("version", ""),
                failed=shown.get("failed", ""),
            )


def percentile(values: list[float], ratio: float) -> float:
    """The smallest value that `ratio` of all values do not exceed (nearest rank); nan of none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(ratio * len(values)) - 1)]


def _by_second(answers: list[Answer]) -> Iterator[Second]:
    by_second: dict[datetime, list[Answer]] = {}
    for answer in answers:
        by_second.setdefault(answer.sent_at.replace(microsecond=0), []).append(answer)
    for second in sorted(by_second):
        sent = by_second[second]
        yield Second(second, dict(Counter(answer.version for answer in sent)), _errors(sent))


def _errors(answers: Iterable[Answer]) -> dict[str, int]:
    return dict(Counter(answer.version for answer in answers if answer.is_error))
