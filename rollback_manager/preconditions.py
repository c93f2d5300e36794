"""What must be so before a service can go back on its platform; each mistake with its remedy.

Pure: from what was seen of the platform to gates. A gate that failed blocks the plan.
"""

from collections.abc import Callable, Iterable, Iterator

from rollback_manager.gates import GateAnswer, GateResult, Group
from rollback_manager.plan import ServicePlan
from rollback_manager.platform_facts import ControllerFacts, PlatformFacts

Found = tuple[GateAnswer, str]
"""What one look found, in words; nothing found is a pass."""


def preconditions(
    seen: PlatformFacts, plan: ServicePlan, locked: Iterable[str] = ()
) -> tuple[GateResult, ...]:
    """One gate per matter. locked: objects that must be written and are immutable."""
    judges: dict[str, tuple[Callable[[], Iterable[Found]], str]] = {
        "namespace": (lambda: _namespace(seen), "it is there to stay"),
        "controllers": (lambda: _controllers(seen, plan), "they replace pods as the plan needs"),
        "room": (lambda: _room(seen), _fits(seen)),
        "disruption_budgets": (lambda: _budgets(seen, plan), "none is violated"),
        "routing": (lambda: _routing(seen), "every Service that is named is there"),
        "helm_release": (lambda: _helm(seen), f"{seen.helm} is not in the middle of anything"),
        "configuration": (lambda: _locked(seen, locked), "what returns can be written"),
        "preflight": (lambda: _refused(seen), f"{seen.tried} writes tried by a dry run"),
        "deny_list": (lambda: (), "it can be written"),
    }
    return tuple(
        _gate(name, list(judge()), passed, seen.not_asked.get(name, ""))
        for name, (judge, passed) in judges.items()
        if (name != "helm_release" or seen.helm) and (name != "deny_list" or name in seen.not_asked)
    )


def _gate(name: str, found: list[Found], passed: str, not_asked: str) -> GateResult:
    """The worst answer, with everything that was found."""
    if not found:
        answer = GateAnswer.INCONCLUSIVE if not_asked else GateAnswer.PASSED
        because = f"not asked: {not_asked}" if not_asked else passed
        return GateResult(group=Group.BEFORE, gate=name, answer=answer, because=because)
    failed = any(answer is GateAnswer.FAILED for answer, _ in found)
    return GateResult(
        group=Group.BEFORE,
        gate=name,
        answer=GateAnswer.FAILED if failed else GateAnswer.INCONCLUSIVE,
        because="; ".join(words for _, words in found),
    )


def _namespace(seen: PlatformFacts) -> Iterator[Found]:
    if seen.is_leaving:
        yield (
            GateAnswer.FAILED,
            f"{seen.namespace} is being deleted: nothing can be made there any more;"
            " restore it, or point the catalogue elsewhere",
        )


def _controllers(seen: PlatformFacts, plan: ServicePlan) -> Iterator[Found]:
    for one in seen.controllers if seen.in_place else ():
        if one.paused:
            resume = f"{seen.kubectl} rollout resume {one.argument}"
            yield GateAnswer.FAILED, f"{one.argument} is paused: {resume}"
        if one.kind == "deployment":
            yield from _deployment(seen, one, plan)
        else:
            yield from _set(seen, one, plan)


def _deployment(seen: PlatformFacts, one: ControllerFacts, plan: ServicePlan) -> Iterator[Found]:
    if one.ready < plan.floor:  # too few serve already: it cannot be made worse
        return
    patch = f"{seen.kubectl} patch {one.argument} -p"
    if one.strategy == "Recreate":
        body = '{"spec":{"strategy":{"type":"RollingUpdate"}}}'
        yield (
            GateAnswer.FAILED,
            f"{one.argument} has strategy Recreate: it would stop all {one.ready} pods first;"
            f" {patch} '{body}'",
        )
        return
    wanted = max(one.replicas, plan.desired)
    if wanted - one.unavailable < plan.floor:
        most = wanted - plan.floor
        also = ',"maxSurge":1' if most == 0 and one.surge == 0 else ""
        body = f'{{"spec":{{"strategy":{{"rollingUpdate":{{"maxUnavailable":{most}{also}}}}}}}}}'
        yield (
            GateAnswer.FAILED,
            f"{one.argument} may be short of {one.unavailable} of {wanted} pods while it replaces"
            f" them, below the floor of {plan.floor}; {patch} '{body}'",
        )


def _set(seen: PlatformFacts, one: ControllerFacts, plan: ServicePlan) -> Iterator[Found]:
    patch = f"{seen.kubectl} patch {one.argument} -p"
    if one.strategy == "OnDelete":
        body = '{"spec":{"updateStrategy":{"type":"RollingUpdate"}}}'
        yield (
            GateAnswer.FAILED,
            f"{one.argument} has strategy OnDelete: it replaces no pod by itself; {patch} '{body}'",
        )
        return
    if one.behind:
        body = '{"spec":{"updateStrategy":{"rollingUpdate":{"partition":0}}}}'
        yield (
            GateAnswer.FAILED,
            f"{one.argument} has partition {one.partition}: {', '.join(one.behind)} would stay"
            f" what they are; {patch} '{body}'",
        )
    if one.stuck:
        delete = f"{seen.kubectl} delete pod --wait=false {' '.join(one.stuck)}"
        yield (
            GateAnswer.INCONCLUSIVE,
            f"{one.argument} waits for {', '.join(one.stuck)}, which never got ready, also when"
            f" the old template is back; once `prepare` runs: {delete}",
        )
    elif one.ready >= plan.floor > max(one.replicas, plan.desired) - one.unavailable:
        yield (
            GateAnswer.INCONCLUSIVE,
            f"{one.argument} stops pods before it starts others: {one.unavailable} of"
            f" {one.replicas} are missing meanwhile, below the floor of {plan.floor}",
        )


def _room(seen: PlatformFacts) -> Iterator[Found]:
    for words in seen.misfits:
        yield GateAnswer.FAILED, words
    for one in seen.quotas if seen.more else ():
        edit = f"{seen.kubectl} edit resourcequota {one.name}"
        if one.each is None:
            words = f"{one.name} asks for {one.resource}, of which the template says nothing"
            yield GateAnswer.FAILED, f"{words}; {edit}"
        elif one.left < one.each * seen.more:
            words = f"{one.name} has {one.left:g} of {one.resource} left"
            yield (
                GateAnswer.FAILED,
                f"{words}, {seen.more} pods need {one.each * seen.more:g}; {edit}",
            )


def _budgets(seen: PlatformFacts, plan: ServicePlan) -> Iterator[Found]:
    kept = plan.policy.keep_instances
    for one in seen.budgets:
        remain = plan.desired + (kept if one.covers_bad and not seen.in_place else 0)
        body = f'{{"spec":{{"minAvailable":{remain}}}}}'
        lower = f"{seen.kubectl} patch poddisruptionbudget/{one.name} -p '{body}'"
        if one.is_absolute and remain < one.least:
            words = f"{one.name} keeps {one.least} pods; {remain} remain when the rest is removed"
            yield GateAnswer.FAILED, f"{words}; {lower}"
        for controller in seen.controllers if seen.in_place else ():
            least = max(controller.replicas, plan.desired) - controller.unavailable
            if controller.ready >= one.least > least:
                answer = GateAnswer.INCONCLUSIVE
                yield (
                    answer,
                    f"{one.name} keeps {one.least} pods; {controller.argument} may go down to"
                    f" {least} while it replaces them, and asks no budget",
                )


def _routing(seen: PlatformFacts) -> Iterator[Found]:
    for name, weight in sorted(seen.dangling.items()):
        answer = GateAnswer.FAILED if weight else GateAnswer.INCONCLUSIVE
        yield answer, f"Service {name}, with weight {weight}, is not there: apply it again"


def _helm(seen: PlatformFacts) -> Iterator[Found]:
    for one in seen.pending:
        begin = f"helm -n {seen.namespace}"
        remedy = (
            f"{begin} rollback {one.name} {one.back_to}"
            if one.back_to
            else f"{begin} history {one.name}"
        )
        words = f"Helm release {one.name} revision {one.revision} is {one.status}"
        yield GateAnswer.FAILED, f"{words}: {remedy}"


def _fits(seen: PlatformFacts) -> str:
    return f"there is room for {seen.more} more pods" if seen.more else "no pod more is needed"


def _locked(seen: PlatformFacts, locked: Iterable[str]) -> Iterator[Found]:
    for one in locked:
        kind, _, name = one.partition(" ")
        delete = f"{seen.kubectl} delete {kind.lower()} {name}"
        yield (
            GateAnswer.FAILED,
            f"{one} differs and is immutable: {delete}, then plan again: it is made anew",
        )


def _refused(seen: PlatformFacts) -> Iterator[Found]:
    for words in seen.refused:
        yield GateAnswer.FAILED, words
