"""What we remember of a sign-in: sealed in the person's own cookie, for a while, until sign-out."""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import Request, Response
from pydantic import ValidationError

from rollback_manager.authority.people import Person
from rollback_manager.values import Value
from starters.gateway.seal import Seal
from starters.gateway.sign_in.id_token import NotSignedIn

IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=8)
STEPPED_UP = timedelta(minutes=10)
"""How long a new proof of who somebody is serves for decisions (as long as a signed one, §5.2)."""
SEEN_EVERY = timedelta(minutes=1)
"""A cookie is written anew so often at most."""
MOST_ENDED = 10_000
LONGEST = 3900
"""Characters of a cookie: browsers drop one of more than 4,096 bytes, and say nothing."""
TOO_MANY_GROUPS = (
    "you are in more groups than a cookie holds;"
    " have the provider send those that the catalogue names"
)
PURPOSE = "session"


class SignedIn(Value):
    """One sign-in. seen_at: the last request. proven_at: the newest proof of who they are."""

    id: str
    person: Person
    began_at: datetime
    seen_at: datetime
    proven_at: datetime

    def ends_at(self) -> datetime:
        """When it is over if nothing more is asked."""
        return min(self.seen_at + IDLE, self.began_at + ABSOLUTE)

    def person_at(self, now: datetime) -> Person:
        """Who they are now: a proof with more than one factor fades, whatever it was called."""
        if self.person.method == "web+mfa" and now - self.proven_at <= STEPPED_UP:
            return self.person
        left = tuple(one for one in self.person.factors if one != "mfa")
        return self.person.model_copy(update={"method": "web", "factors": left})


@dataclass(frozen=True)
class Jar:
    """Our cookies. over_https: whether the gateway's own address is https."""

    seal: Seal
    over_https: bool

    def name(self, of: str) -> str:
        """With the prefix that binds a cookie to this host, https and the root, where it can."""
        return f"__Host-rollback-{of}" if self.over_https else f"rollback-{of}"

    def put(self, answer: Response, of: str, text: str, until: datetime, now: datetime) -> None:
        """Set one."""
        answer.set_cookie(
            self.name(of),
            text,
            max_age=max(0, int((until - now).total_seconds())),
            path="/",
            secure=self.over_https,
            httponly=True,
            samesite="lax",  # the provider sends people back by a link
        )

    def take(self, request: Request, of: str) -> str:
        """What came back; empty where nothing did."""
        return request.cookies.get(self.name(of), "")

    def drop(self, answer: Response, of: str) -> None:
        """Forget one."""
        answer.delete_cookie(
            self.name(of), path="/", secure=self.over_https, httponly=True, samesite="lax"
        )


class Sessions:
    """Sign-ins by their cookies. Of those that were signed out it is known in this process."""

    def __init__(self, jar: Jar, now: Callable[[], datetime]) -> None:
        self._jar = jar
        self._now = now
        self._ended: OrderedDict[str, datetime] = OrderedDict()

    def begin(self, answer: Response, person: Person, before: SignedIn | None) -> SignedIn:
        """Signed in; or proven anew, which neither prolongs the day nor changes the person."""
        now = self._now()
        goes_on = before is not None and before.person.subject == person.subject
        made = SignedIn(
            id=secrets.token_urlsafe(16),
            person=person,
            began_at=before.began_at if before is not None and goes_on else now,
            seen_at=now,
            proven_at=now,
        )
        if before is not None:
            self._end(before)  # a new proof, a new cookie: an old copy is worth nothing
        self._write(answer, made)
        return made

    def of(self, request: Request) -> SignedIn | None:
        """The sign-in behind a request; None where there is none, or not any more."""
        now = self._now()
        words = self._jar.seal.opened(PURPOSE, self._jar.take(request, PURPOSE), now)
        try:
            found = SignedIn.model_validate(words["signed_in"]) if words else None
        except (KeyError, ValidationError):
            return None
        if found is None or found.id in self._ended or now >= found.ends_at():
            return None
        return found

    def seen(self, answer: Response, found: SignedIn) -> None:
        """It was used: it lasts a while longer, never past its day."""
        now = self._now()
        if now - found.seen_at >= SEEN_EVERY:
            self._write(answer, found.model_copy(update={"seen_at": now}))

    def end(self, answer: Response, found: SignedIn | None) -> None:
        """Signed out: the cookie goes, and a copy of it is worth nothing here."""
        if found is not None:
            self._end(found)
        self._jar.drop(answer, PURPOSE)

    def _end(self, found: SignedIn) -> None:
        now = self._now()
        for old in [one for one, until in self._ended.items() if until < now]:
            del self._ended[old]
        self._ended[found.id] = found.began_at.astimezone(UTC) + ABSOLUTE
        while len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)

    def _write(self, answer: Response, made: SignedIn) -> None:
        words = {"signed_in": made.model_dump(mode="json")}
        until = made.ends_at()
        text = self._jar.seal.sealed(PURPOSE, words, until)
        if len(text) > LONGEST:
            raise NotSignedIn(TOO_MANY_GROUPS)
        self._jar.put(answer, PURPOSE, text, until, self._now())
