"""Signing in, step by step: out to the provider with three secrets, back with its word."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from rollback_manager.values import Value
from starters.gateway.seal import Seal
from starters.gateway.sign_in import id_token
from starters.gateway.sign_in.id_token import NotSignedIn
from starters.gateway.sign_in.provider import Provider
from starters.gateway.sign_in.session import Jar, Sessions, SignedIn

ASIDE = timedelta(minutes=10)
"""How long somebody may be at the provider: a password, a second factor, a lost phone."""
PURPOSE = "sign-in"
BACK = "/sign-in/back"
OWN_PATH = re.compile(r"/(?:[A-Za-z0-9_.-]+/)*[A-Za-z0-9_.-]*")
"""Where one may be sent afterwards: a path of ours, never `//elsewhere` and no query."""


class Begun(Value):
    """A sign-in under way. The provider sees the first two, and of the third its hash."""

    state: str
    nonce: str
    verifier: str
    then: str
    fresh_since: datetime | None = None


class SignIn:
    """All of it. origin: of the gateway, as the provider must know it."""

    def __init__(
        self, provider: Provider, seal: Seal, origin: str, now: Callable[[], datetime]
    ) -> None:
        self._provider = provider
        self._seal = seal
        self._now = now
        self._redirect_uri = origin + BACK
        self._jar = Jar(seal, over_https=origin.startswith("https://"))
        self.sessions = Sessions(self._jar, now)

    async def begin(self, then: str, *, anew: bool) -> Response:
        """To the provider. anew: it must ask for a proof even if it knows the person."""
        now = self._now()
        begun = Begun(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            then=then if OWN_PATH.fullmatch(then) else "/",
            fresh_since=now if anew else None,
        )
        answer = _redirect(await self._provider.way_in(self._asked(begun, anew)))
        text = self._seal.sealed(PURPOSE, {"begun": begun.model_dump(mode="json")}, now + ASIDE)
        self._jar.put(answer, PURPOSE, text, now + ASIDE, now)
        return answer

    def _asked(self, begun: Begun, anew: bool) -> dict[str, str]:
        of = self._provider.of
        challenge = hashlib.sha256(begun.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": of.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": of.scopes,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        if anew:
            asked |= {"max_age": "0", "prompt": "login"} | (
                {"acr_values": of.acr} if of.acr else {}
            )
        return asked

    async def back(self, request: Request) -> Response:
        """From the provider. NotSignedIn where it was not this browser's sign-in, or not valid."""
        begun = self._begun(request)
        came = request.query_params
        if not hmac.compare_digest(came.get("state", "").encode(), begun.state.encode()):
            raise NotSignedIn("this answer belongs to another sign-in")
        await self._check_issuer(came.get("iss"))
        if "error" in came:
            raise NotSignedIn("the provider, or you there, said no")
        token = await self._provider.id_token(
            came.get("code", ""), begun.verifier, self._redirect_uri
        )
        key = await self._provider.keys.key(id_token.kid_of(token))
        sent = id_token.Sent(nonce=begun.nonce, fresh_since=begun.fresh_since)
        person = id_token.person(token, key, self._provider.of, sent, self._now())
        answer = _redirect(begun.then)
        self.sessions.begin(answer, person, self.sessions.of(request))
        self._jar.drop(answer, PURPOSE)
        return answer

    async def _check_issuer(self, named: str | None) -> None:
        """Two providers must not be mixed up (RFC 9207)."""
        must = (await self._provider.endpoints()).says_issuer
        if named != self._provider.of.issuer and (must or named is not None):
            raise NotSignedIn("another provider sent this answer")

    def _begun(self, request: Request) -> Begun:
        words = self._seal.opened(PURPOSE, self._jar.take(request, PURPOSE), self._now())
        try:
            return Begun.model_validate(words["begun"] if words else None)
        except (KeyError, ValidationError):
            raise NotSignedIn("it took too long, or began in another browser") from None

    def signed_in(self, request: Request) -> SignedIn | None:
        """Who is behind a request, if anybody has signed in."""
        return self.sessions.of(request)

    def out(self, request: Request) -> Response:
        """Signed out here. At the provider one stays signed in, as with every other program."""
        answer = _redirect("/signed-out")
        self.sessions.end(answer, self.sessions.of(request))
        return answer


def _redirect(to: str) -> RedirectResponse:
    return RedirectResponse(
        to, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    )
