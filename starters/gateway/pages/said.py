"""What became of a decision, carried over the redirect: sealed, so that a link cannot forge it."""

from datetime import timedelta
from typing import Annotated, NamedTuple
from urllib.parse import urlencode

from fastapi import Query

from rollback_manager.authority.people import Person
from rollback_manager.contract import Carried
from rollback_manager.rendering.layout import foreign
from starters.gateway.doors import Doors

PURPOSE = "said"
SHOWN = timedelta(minutes=5)
"""After so long the page itself tells more."""
Said = Annotated[str, Query(alias="said", max_length=4000)]


def back_to(known: Doors, person: Person, rollback: str, verb: str, got: Carried) -> str:
    """The rollback's page, with the answer on it."""
    text = f"{verb}: {got.word}: {foreign(got.because, 600)}"
    words = {"sub": person.subject, "text": text, "applied": got.applied}
    sealed = known.seal.sealed(PURPOSE, words, known.now() + SHOWN)
    return f"/{rollback}?{urlencode({'said': sealed})}#said"


class Word(NamedTuple):
    """What became of a decision."""

    text: str
    applied: bool


def opened(known: Doors, person: Person, text: str) -> Word | None:
    """The answer; None where there is none, where it is old, or where it is somebody else's."""
    words = known.seal.opened(PURPOSE, text, known.now())
    if not words or words.get("sub") != person.subject:
        return None
    return Word(str(words["text"]), bool(words["applied"]))
