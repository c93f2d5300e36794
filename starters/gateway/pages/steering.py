"""Pause, resume, retry a step, skip a step: forms on the rollback's own page."""

from fastapi import APIRouter, Response

from rollback_manager.authority.may import Verb, may
from rollback_manager.authority.people import Person
from rollback_manager.contract import rollback_id
from rollback_manager.errors import NotFound
from starters.gateway import allowed
from starters.gateway.deciding import Channel, Deciding
from starters.gateway.doors import Doors
from starters.gateway.identity import Known, Who
from starters.gateway.pages import rendered, ways
from starters.gateway.pages.decisions import decided
from starters.gateway.pages.forms import Form, Sent
from starters.gateway.pages.seen import Part, Seen
from starters.gateway.problems import Refused

router = APIRouter(route_class=rendered.PageRoute)


def steering(known: Doors, person: Person, found: Seen) -> tuple[ways.Way, ...]:
    """What this person can say to it now; judged again when they do."""
    if found.status is None:
        return ()
    tier, request = found.status.tier, found.report.request

    def may_not(verb: Verb) -> str:
        try:
            facts = allowed.facts(known.catalogue, request, person)
        except NotFound as gone:
            return gone.what
        answered = may(person, verb, tier, Channel.WEB, facts)
        return "" if answered.applied else answered.because

    return ways.ways(found.status, may_not)


@router.post("/rollback/{env}/{key}/pause")
async def pause(env: Part, key: Part, known: Known, person: Who, sent: Form) -> Response:
    """Hold it still after the step under way."""
    return await decided(known, person, rollback_id(env, key), Deciding.PAUSE, sent)


@router.post("/rollback/{env}/{key}/resume")
async def resume(env: Part, key: Part, known: Known, person: Who, sent: Form) -> Response:
    """Let it go on after a pause."""
    return await decided(known, person, rollback_id(env, key), Deciding.RESUME, sent)


@router.post("/rollback/{env}/{key}/retry-step")
async def retry(env: Part, key: Part, known: Known, person: Who, sent: Form) -> Response:
    """Try the step that waits once more."""
    _must_name_its_question(sent)
    return await decided(known, person, rollback_id(env, key), Deciding.RETRY_STEP, sent)


@router.post("/rollback/{env}/{key}/skip-step")
async def skip(env: Part, key: Part, known: Known, person: Who, sent: Form) -> Response:
    """Go on without the step that waits."""
    _must_name_its_question(sent)
    return await decided(known, person, rollback_id(env, key), Deciding.SKIP_STEP, sent)


def _must_name_its_question(sent: Sent) -> None:
    """A step may wait twice: who saw the first question must not answer the second by that."""
    lacking = [name for name in ("step", "nonce", "plan") if not getattr(sent, name)]
    if lacking:
        what = f"it does not say which question it answers: {', '.join(lacking)}"
        then = "Go back, load the page again, and decide there."
        raise Refused(422, "not-understood", what, next_step=then)
