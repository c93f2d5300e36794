"""What forbids a rollback that begins by itself, whatever the confidence. Pure.

Every cap only ever lowers what may happen: it asks people first, or leaves it to them, or says
that going back is wrong. None makes anything more automatic.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from enum import StrEnum

from rollback_manager.decision.calibration import Calibrated, calibrated
from rollback_manager.decision.facts import Action, DecisionFacts
from rollback_manager.incidents.incident import automation_of, burning, fired_by
from rollback_manager.incidents.indicators import STRONG, Indicator
from rollback_manager.incidents.triggers import Automation, Finding, Fired, Source, TriggerKind
from rollback_manager.policy import DecisionPolicy
from rollback_manager.tier import Tier
from rollback_manager.values import Count, Value


class CapName(StrEnum):
    """Each of the caps."""

    AUTOMATION = "automation level of the trigger"
    TIER = "tier"
    DATA_AND_SECURITY = "data and security"
    BUDGET = "fleet budget"
    COOL_DOWN = "cool-down"
    BURNING_BEFORE = "already burning"
    OUTAGE_UPSTREAM = "known outage upstream"
    COMMON_MODE = "old version hit as well"
    OTHER_CHANGE = "another change"
    OPEN_CONTRACT = "open schema contract"
    NO_WAY_BACK = "no way back"
    NO_STRONG_SIGN = "no sign of the release"
    CALIBRATION = "calibrated confidence"
    RECOVERED = "recovered"


class Cap(Value):
    """One cap that holds: what a rollback becomes, or how many should agree to it, and why."""

    cap: CapName
    to: Action
    votes: Count = 0
    because: str


def caps(facts: DecisionFacts, policy: DecisionPolicy) -> tuple[Cap, ...]:
    """All caps that hold, in the order of `CapName`."""
    found = ((name, ask(facts, policy)) for name, ask in CAPS.items())
    return tuple(
        Cap(cap=name, to=answer[0], votes=answer[1], because=answer[2])
        for name, answer in found
        if answer is not None
    )


def strongest(action: Action, found: Iterable[Cap]) -> Action:
    """What is left of an action: only a rollback can be lowered."""
    if action is not Action.ROLLBACK:
        return action
    return max((cap.to for cap in found), key=list(Action).index, default=action)


def votes(found: Iterable[Cap]) -> int:
    """How many people should agree: the most that any cap asks for."""
    return max((cap.votes for cap in found), default=0)


def agreement(needed: int) -> str:
    """In words, how many agree first. More than one is advice: only the first vote is counted."""
    return "1 must agree" if needed == 1 else f"{needed} should agree"


FIRST_COUNTS = "at level local the first vote counts, so ask the others yourself"
"""What stands beside `agreement` of more than one; at level secured so many are counted."""


def confidence(facts: DecisionFacts, policy: DecisionPolicy) -> Calibrated:
    """The calibrated confidence of the alarm that past ones of its kind support best.

    All alarms are false together no more often than the best of them is alone.
    """
    alarms = [
        calibrated(facts.calibration, one.newest.trigger, one.strongest.nats, policy)
        for one in facts.incident.joined
        if one.strongest.finding is Finding.REGRESSED
    ]
    none = Calibrated(confidence=None, because="not calibrated: no alarm")
    return max(alarms, key=lambda one: one.confidence or 0.0, default=none)


_Answer = tuple[Action, int, str] | None
"""What the rollback becomes, how many should agree, why; None where the cap does not hold."""


def _all_fired(facts: DecisionFacts, policy: DecisionPolicy) -> tuple[Fired, ...]:
    return fired_by(facts.incident, policy.limits)


def _automation(facts: DecisionFacts, policy: DecisionPolicy) -> _Answer:
    """Semi-automated: all is prepared, one person says yes. Silence never does (design §3)."""
    level = automation_of(_all_fired(facts, policy))
    if level is None or level is Automation.FULL:
        return None
    action, needed = _LEFT_BY[level]
    return action, needed, f"the trigger allows: {level}"


_LEFT_BY = {
    Automation.SEMI: (Action.ROLLBACK, 1),
    Automation.MANUAL_APPROVAL: (Action.ROLLBACK, 1),
    Automation.MANUAL_WITH_AUTOMATION: (Action.ROLLBACK, 2),
    Automation.MANUAL_WITH_PROCEDURES: (Action.MANUAL_REVIEW, 0),
    Automation.MANUAL: (Action.MANUAL_REVIEW, 0),
}
"""What each level leaves of a rollback, and how many should agree to it."""


def _tier(facts: DecisionFacts, policy: DecisionPolicy) -> _Answer:
    """T1 needs nobody where a detector has just said "regressed" (security §3)."""
    needed = {Tier.T0: 0, Tier.T1: 1, Tier.T2: 1, Tier.T3: 2}[facts.way_back.tier]
    if facts.way_back.tier is Tier.T1 and _fresh_alarm(facts, policy):
        needed = 0
    because = f"{facts.way_back.tier} ({facts.way_back.tier_because})"
    if facts.way_back.tier is Tier.T1:
        because += f", and no detector has said so within {policy.fresh_s:.0f} s"
    return (Action.ROLLBACK, needed, because) if needed else None


def _fresh_alarm(facts: DecisionFacts, policy: DecisionPolicy) -> bool:
    limit = timedelta(seconds=policy.fresh_s)
    newest = [one.newest for one in facts.incident.joined]
    return any(
        one.source is Source.DETECTOR
        and one.finding is Finding.REGRESSED
        and facts.now - one.fired_at <= limit
        for one in newest
    )


def _data_and_security(facts: DecisionFacts, policy: DecisionPolicy) -> _Answer:
    """Two people, whatever else fired: what is lost here does not come back by itself."""
    reasons = [str(one.trigger) for one in _all_fired(facts, policy) if one.trigger in _GRAVE]
    reasons += ["the release changed data"] if facts.analysis.has_data_changes else []
    return (Action.ROLLBACK, 2, "; ".join(reasons)) if reasons else None


_GRAVE = (TriggerKind.SECURITY_INCIDENT, TriggerKind.DATA_CORRUPTION)


def _budget(facts: DecisionFacts, policy: DecisionPolicy) -> _Answer:
    if facts.budget_left is None or facts.budget_left > 0:
        return None
    because = "the environment's budget of rollbacks is used up: many at once have one cause"
    return Action.MANUAL_REVIEW, 0, because


def _cool_down(facts: DecisionFacts, policy: DecisionPolicy) -> _Answer:
    ended = facts.history.last_ended_at
    if ended is None or (facts.now - ended).total_seconds() >= policy.cool_down_s:
        return None
    ago_s, limit_s = (facts.now - ended).total_seconds(), policy.cool_down_s
    return Action.ROLLBACK, 1, f"it was rolled back {ago_s:.0f} s ago, cool-down {limit_s:.0f} s"


def _burning_before(facts: DecisionFacts, policy: DecisionPolicy) -> _Answer:
    since = facts.analysis.burning_since
    if since is None:
        return None
    return Action.MANUAL_REVIEW, 0, f"it burns since {since:%H:%MZ}, before the release went out"


def _outage_upstream(facts: DecisionFacts, policy: DecisionPolicy) -> _Answer:
    if not facts.analysis.outages:
        return None
    because = "; ".join(facts.analysis.outages)
    if facts.analysis.says(Indicator.VERSION_SPECIFIC):
        return Action.MANUAL_REVIEW, 0, f"{because}; yet the new version alone is hit"
    return _wait(facts, policy), 0, because


def _common_mode(facts: DecisionFacts, policy: DecisionPolicy) -> _Answer:
    said = facts.analysis.common_mode
    return (_wait(facts, policy), 0, said) if said else None


def _wait(facts: DecisionFacts, policy: DecisionPolicy) -> Action:
    """Wait and see; but never with data or security at stake: there a person looks."""
    grave = any(one.trigger in _GRAVE for one in _all_fired(facts, policy))
    return Action.MANUAL_REVIEW if grave else Action.MONITOR


def _other_change(facts: DecisionFacts, policy: DecisionPolicy) -> _Answer:
    """Is it really us? Something else changed between the release and the trouble."""
    others = facts.analysis.other_changes
    if not others or facts.analysis.says(Indicator.VERSION_SPECIFIC):
        return None
    near = others[0]
    because = f"{near.service} changed at {near.at:%H:%MZ} ({near.kind}: {near.what})"
    return Action.ROLLBACK, 1, because


def _open_contract(facts: DecisionFacts, policy: DecisionPolicy) -> _Answer:
    """The old version cannot live with the schema of now (reliability R9): only forward."""
    step = facts.analysis.open_contract
    because = f"{step}: the old version cannot live with it"
    return (Action.FIX_FORWARD, 0, because) if step else None


def _no_way_back(facts: DecisionFacts, policy: DecisionPolicy) -> _Answer:
    if facts.way_back.target:
        return None
    return Action.MANUAL_REVIEW, 0, "no verified release is recorded to go back to"


def _no_strong_sign(facts: DecisionFacts, policy: DecisionPolicy) -> _Answer:
    """Weak signs alone point elsewhere, however many they are: 0.3 + 0.4, × 1.2 = 0.84 > 0.8."""
    if facts.analysis.says(*STRONG):
        return None
    return Action.MANUAL_REVIEW, 0, "nothing says that the release is the cause"


def _calibration(facts: DecisionFacts, policy: DecisionPolicy) -> _Answer:
    """A past that cannot be read might have forbidden it: then one person agrees first."""
    past = confidence(facts, policy)
    if facts.calibration.unread:
        return Action.ROLLBACK, 1, past.because
    if past.confidence is None or past.confidence > policy.rule_confidence:
        return None
    because = f"{past.confidence:.2f}, above {policy.rule_confidence:g} is needed: {past.because}"
    return Action.MANUAL_REVIEW, 0, because


def _recovered(facts: DecisionFacts, policy: DecisionPolicy) -> _Answer:
    if burning(facts.incident) or not _all_fired(facts, policy):
        return None
    return _wait(facts, policy), 0, "no source says any more that it is worse"


CAPS: dict[CapName, Callable[[DecisionFacts, DecisionPolicy], _Answer]] = {
    CapName.AUTOMATION: _automation,
    CapName.TIER: _tier,
    CapName.DATA_AND_SECURITY: _data_and_security,
    CapName.BUDGET: _budget,
    CapName.COOL_DOWN: _cool_down,
    CapName.BURNING_BEFORE: _burning_before,
    CapName.OUTAGE_UPSTREAM: _outage_upstream,
    CapName.COMMON_MODE: _common_mode,
    CapName.OTHER_CHANGE: _other_change,
    CapName.OPEN_CONTRACT: _open_contract,
    CapName.NO_WAY_BACK: _no_way_back,
    CapName.NO_STRONG_SIGN: _no_strong_sign,
    CapName.CALIBRATION: _calibration,
    CapName.RECOVERED: _recovered,
}
"""Each cap and the question that it asks, in the order of `CapName`."""
