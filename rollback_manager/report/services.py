"""One service: by its own history or, if that is gone, by what its parent kept."""

from collections.abc import Iterable, Iterator

from rollback_manager.contract import EvidencePoint, service_id
from rollback_manager.plan import ServicePlan
from rollback_manager.progress import ServiceOutcome
from rollback_manager.report.contents import Point, ServicePart, StepLine
from rollback_manager.report.entries import Kind
from rollback_manager.report.evidence import Evidence
from rollback_manager.report.steps import steps_of


def part_of(plan: ServicePlan, evidence: Evidence) -> ServicePart:
    """What became of one service's plan."""
    child = service_id(evidence.request.env, plan.service)
    outcome = _outcome(plan.service, child, evidence)
    steps = steps_of(plan, evidence.of(child), outcome)
    return ServicePart(
        plan=plan,
        steps=steps,
        outcome=outcome,
        points=(*_shown(evidence.request.evidence, plan), *_sampled(steps)),
    )


def _outcome(service: str, child: str, evidence: Evidence) -> ServiceOutcome | None:
    known = evidence.outcome.services if evidence.outcome else ()
    ends = (e for e in evidence.parent if e.kind is Kind.CHILD_DONE and e.name == child)
    told = (*(o for o in known if o.service == service), *(e.says(ServiceOutcome) for e in ends))
    return next(iter(told), None)


def _shown(points: Iterable[EvidencePoint], plan: ServicePlan) -> Iterator[Point]:
    """What the requester saw of this service."""
    for seen in points:
        if {plan.from_version, plan.to_version} & set(seen.requests):
            yield Point(at=seen.at, requests=seen.requests, errors=seen.errors, ready={})


def _sampled(steps: Iterable[StepLine]) -> Iterator[Point]:
    """What the steps saw."""
    samples = (sample for step in steps if step.record for sample in step.record.samples)
    for seen in sorted(samples, key=lambda sample: sample.at):
        yield Point(at=seen.at, requests=seen.requests, errors=seen.errors, ready=seen.ready)
