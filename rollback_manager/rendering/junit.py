"""The checks of a rollback as JUnit XML, which CI systems show beside their own tests.

Only what passed passes. What could not be told, and what does not apply, is *skipped* with its
reason: it failed nothing, and is no evidence.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring

from rollback_manager.gates import GateAnswer, GateResult
from rollback_manager.progress import RollbackOutcome
from rollback_manager.rendering.layout import clean, foreign


def checks(rollback: str, outcome: RollbackOutcome | None, code: int) -> str:
    """One suite: every gate, every service, and the outcome. outcome: None: it still runs."""
    suite = Element("testsuite", name=clean(rollback))
    if outcome is None:
        _skipped(_case(suite, "outcome", "rollback"), "not ended: the rollback continues")
        return _text(suite)
    for gate in outcome.gates:
        _gate(_case(suite, gate.gate, f"gate.{gate.group}"), gate)
    for service in outcome.services:
        case = _case(suite, service.service, "service")
        if not service.is_well:
            _failed(case, f"{service.end}: {service.because}")
    case = _case(suite, "outcome", "rollback")
    if code != 0:
        _failed(case, f"{outcome.result} (exit {code}): {outcome.because}. {outcome.effect}")
    return _text(suite)


def _gate(case: Element, gate: GateResult) -> None:
    match gate.answer:
        case GateAnswer.PASSED:
            pass
        case GateAnswer.FAILED:
            _failed(case, gate.because)
        case GateAnswer.INCONCLUSIVE | GateAnswer.NOT_APPLICABLE:
            _skipped(case, f"{gate.answer.replace('_', ' ')}: {gate.because}")


def _case(suite: Element, name: str, group: str) -> Element:
    return SubElement(suite, "testcase", name=clean(name), classname=clean(group))


def _failed(case: Element, because: str) -> None:
    SubElement(case, "failure", message=foreign(because))


def _skipped(case: Element, because: str) -> None:
    SubElement(case, "skipped", message=foreign(because))


def _text(suite: Element) -> str:
    cases = list(suite)
    suite.set("tests", str(len(cases)))
    for kind, name in (("failures", "failure"), ("skipped", "skipped")):
        suite.set(kind, str(sum(one.find(name) is not None for one in cases)))
    return tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
