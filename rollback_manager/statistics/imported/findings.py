"""All judges of one placement, on the minutes of one release: what may alarm, and what advises.

For the watch: one `Judging` per release under watch. It is given each minute that ended, and says
what the judges made of the last one. An alarm's trigger is `judges.trigger_of(finding.test)`.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from rollback_manager.metrics.reading import NoReading, Reading
from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.statistics.imported.argo import judge_argo
from rollback_manager.statistics.imported.kayenta import judge_kayenta
from rollback_manager.statistics.imported.signals import Minutes
from rollback_manager.watch.argo_judge import ArgoJudge
from rollback_manager.watch.judges import minutes_kept
from rollback_manager.watch.kayenta_judge import KayentaJudge
from rollback_manager.watch.signals import Role


class Heard(NamedTuple):
    """What the judges say. Each has the same findings at every look, by their `test`."""

    alarming: tuple[Finding, ...] = ()
    advising: tuple[Finding, ...] = ()


class Judging:
    """The judges of one release under watch, and the minutes that they look back over."""

    def __init__(self, judges: Sequence[KayentaJudge | ArgoJudge], age_minutes: int = 0) -> None:
        """age_minutes: since the new version's first users, before the first minute is taken."""
        self._judges, kept = tuple(judges), minutes_kept(judges)
        self._new: deque[Reading | NoReading] = deque(maxlen=kept)
        self._old: deque[Reading | NoReading] = deque(maxlen=kept)
        self._age_minutes = age_minutes
        self._said = Heard()

    def take(self, new: Reading | NoReading, old: Reading | NoReading | None) -> None:
        """One more minute of both versions; old: None where nothing runs beside."""
        self._new.append(new)
        self._old.append(old or NoReading(version="", because="nothing runs beside"))
        self._age_minutes += 1
        both = tuple(self._new), tuple(self._old)
        self._said = judged(self._judges, *both, self._age_minutes)

    def heard(self, common_mode: str = "") -> Heard:
        """What they said of the last minute; empty before the first.

        common_mode: why the old version is in trouble too. Then none of them blames the release,
        for an analysis of Argo Rollouts does not look beside it.
        """
        if not common_mode:
            return self._said
        return Heard(*(_held(findings, common_mode) for findings in self._said))


def _held(findings: Sequence[Finding], because: str) -> tuple[Finding, ...]:
    held = {"answer": Answer.CANNOT_TELL, "because": because, "lasted_s": None}
    return tuple(
        one.model_copy(update=held) if one.answer is Answer.REGRESSED else one for one in findings
    )


def judged(
    judges: Sequence[KayentaJudge | ArgoJudge], new: Minutes, old: Minutes, age_minutes: int
) -> Heard:
    """What all of them say now.

    new, old: one reading per minute and version, of the same minutes, the newest last; `old` is
    empty where nothing runs beside. age_minutes: since the new version's first users.
    """
    by_role: dict[Role, list[Finding]] = {Role.ALARMS: [], Role.ADVISES: []}
    for one in judges:
        by_role[one.role] += of_one(one, new, old, age_minutes)
    return Heard(tuple(by_role[Role.ALARMS]), tuple(by_role[Role.ADVISES]))


def of_one(
    judge: KayentaJudge | ArgoJudge, new: Minutes, old: Minutes, age_minutes: int
) -> tuple[Finding, ...]:
    """The findings of one judge, one per subject."""
    match judge:
        case ArgoJudge():
            return judge_argo(judge, new, age_minutes)
        case KayentaJudge():
            beside = old or [NoReading(version="", because="nothing runs beside")] * len(new)
            return judge_kayenta(judge, new, beside, age_minutes)


def in_words(findings: Sequence[Finding]) -> str:
    """What people should know of advice: each bad word of it, else how many judges say what."""
    bad = [one for one in findings if one.answer is Answer.REGRESSED]
    if bad:
        return "; ".join(f"{one.test} says {one.answer}: {one.because}" for one in bad)
    return ", ".join(
        f"{count} imported {'finding' if count == 1 else 'findings'}: {answer}"
        for answer in Answer
        if (count := sum(one.answer is answer for one in findings))
    )
