"""Which runs there are, and what was found in each. Pure."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from rollback_manager.values import Count, Ratio, Value

UP_BY_S = 16.0
"""From the world's start until v2 has met its first users, about: v1 is measured for 8 s of it."""
LATEST_S = 120.0
"""The fault begins at any moment from v2's first users until so long after them: also after the
90 s within which a release may be warming up, for the detector then goes by other rules."""

LATE_MS = 100.0
"""Of an answer of v1, which takes 5 ms."""
DISTURBED = 0.05
"""With more late answers of v1 its P95 is over LATE_MS: then the machine is what users wait for."""


class Asked(NamedTuple):
    """One run to be made. breaks_after_s: from the world's start to the fault."""

    seed: int
    number: int
    scenario: str
    breaks_after_s: float

    @property
    def name(self) -> str:
        """By which it is known again in a file of runs."""
        return f"{self.seed}/{self.number} {self.scenario}"


class Stages(Value):
    """Seconds from the first bad answer that a user got; None for what did not come.

    incident: opened, by Temporal's clock. decision: made. change: Envoy first gave v2 less than at
    its release. away: Envoy gave v2 nothing. verified: users were shown to be well.
    """

    incident: float | None = None
    decision: float | None = None
    change: float | None = None
    away: float | None = None
    verified: float | None = None


class Users(Value):
    """Users' requests from v2's first users to the end of the run.

    failed: answered with an error by a version. slow: answered, but as late as the fault makes it.
    by_us: failed without an answer of any version. unsent: more than 0 spoils the run.
    failed_when_well: failed after users were said to be well, the same count again.
    late_of_good: share of the answers of v1, and of what nobody answered, that came after more than
    LATE_MS or never; None where v1 has a fault itself.
    """

    total: Count
    failed: Count
    slow: Count
    by_us: Count
    unsent: Count
    failed_when_well: Count = 0
    late_of_good: Ratio | None = None

    @property
    def disturbed(self) -> bool:
        """Whether the machine was too busy for this world: a version without a fault was slow."""
        return self.late_of_good is not None and self.late_of_good > DISTURBED


class Run(Value):
    """What was found in one run.

    failure: why it is no measurement (the world did not start, it crashed); empty where it is one.
    incident: one was opened. rollback: id of the one that came of it, also where it only asked.
    rolled_back: Envoy changed v2's share, whatever anybody says.
    wrong: why it did not go as it should have; empty where it did. first_bad_s: from v2's first
    users to the first bad answer. watched_s: how long v2 was watched with users. asked_a_person:
    the decision waited for one, who agreed at once. kept: the folder of a run that went wrong.
    """

    seed: int
    number: int
    scenario: str
    began_at: datetime
    seconds: float
    load_average: float
    failure: str = ""
    incident: bool = False
    rollback: str = ""
    rolled_back: bool = False
    wrong: str = ""
    outcome: str = ""
    because: str = ""
    asked_a_person: bool = False
    first_bad_s: float | None = None
    watched_s: float | None = None
    stages: Stages = Stages()
    users: Users | None = None
    kept: str = ""

    @property
    def name(self) -> str:
        """As `Asked.name`."""
        return f"{self.seed}/{self.number} {self.scenario}"


def runs(scenarios: Sequence[str], rounds: int, seed: int) -> Iterator[Asked]:
    """So many times through the scenarios, in their order; one that stands twice comes twice."""
    for number in range(rounds * len(scenarios)):
        after_s = random.Random(f"{seed}/{number}").uniform(0, LATEST_S)  # noqa: S311 -- a fault
        yield Asked(seed, number, scenarios[number % len(scenarios)], UP_BY_S + after_s)
