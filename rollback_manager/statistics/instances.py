"""Unhealthy instances of the new version, by their probes.

With three instances the seed's "more than 30 %" is one instance: at 0.5 % spurious failures and a
probe every 10 s, 93 % of good half-hour watches have a failed probe, 0.007 % have three in a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rollback_manager.statistics.evidence import Answer, Finding, cannot_tell

IN_A_ROW = 3
UNHEALTHY_SHARE = 0.3
"""The seed's: more than 30 % of the instances."""
LEAST_INSTANCES = 1
"""Fewer unhealthy ones never condemn a release; raise it where single instances come and go."""
COMPARATOR = "healthy instances"


@dataclass(frozen=True)
class Instance:
    """One instance. passed: its probes, oldest first. starting: not yet expected to pass."""

    version: str
    passed: tuple[bool, ...]
    starting: bool = False

    @property
    def unhealthy(self) -> bool:
        """The last three probes all failed."""
        return len(self.passed) >= IN_A_ROW and not any(self.passed[-IN_A_ROW:])


def judge_instances(
    instances: Sequence[Instance], version: str, least: int = LEAST_INSTANCES
) -> Finding:
    """Whether too many instances of `version` are unhealthy; other versions do not count.

    Fine once every one that is not starting passed its last probe. The evidence is the share of
    unhealthy ones, not nats.
    """
    running = [one for one in instances if one.version == version and not one.starting]
    if not running:
        return cannot_tell("instances", COMPARATOR, f"no instance of {version} is up")
    unhealthy = sum(one.unhealthy for one in running)
    share = unhealthy / len(running)
    return Finding(
        test="instances",
        answer=_answer(running, share > UNHEALTHY_SHARE and unhealthy >= max(least, 1)),
        evidence_nats=share,
        threshold_nats=UNHEALTHY_SHARE,
        requests=sum(len(one.passed) for one in running),
        comparator=COMPARATOR,
        because=f"{unhealthy} of {len(running)} instances failed {IN_A_ROW} probes in a row",
        effect=share,
    )


def _answer(running: Sequence[Instance], too_many: bool) -> Answer:
    if too_many:
        return Answer.REGRESSED
    well = all(one.passed and one.passed[-1] for one in running)
    return Answer.FINE_SO_FAR if well else Answer.CANNOT_TELL
