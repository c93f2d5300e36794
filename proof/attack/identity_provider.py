"""A stand-in for the identity providers of GitHub Actions and GitLab: real keys, real signatures.

Claims are named and typed as the two document them; nothing else of them is imitated.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from rollback_manager.authority.ci_rules import Source
from rollback_manager.authority.ci_tokens import Issuer

GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.example.com"
AUDIENCE = "https://rollback.example.com"
WORKFLOW = "acme/shop/.github/workflows/deploy.yml@refs/heads/main"
SHA = "0123456789abcdef0123456789abcdef01234567"
LIFE_S = 300


def new_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key pair of RSA."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@dataclass
class Provider:
    """One issuer with its key; `now` is its clock."""

    source: Source
    now: datetime
    key: rsa.RSAPrivateKey = field(default_factory=new_key)
    kid: str = "key-1"

    @property
    def issuer(self) -> Issuer:
        """As the gateway is told of it."""
        url = GITHUB if self.source is Source.GITHUB else GITLAB
        return Issuer(source=self.source, url=url, audience=AUDIENCE, jwks=f"{url}/keys")

    def claims(self) -> dict[str, Any]:
        """What it says of a job that a rule of `rules` lets in; a new `jti` each time."""
        at = int(self.now.timestamp())
        own = _of_github() if self.source is Source.GITHUB else _of_gitlab()
        times = {"iat": at, "nbf": at, "exp": at + LIFE_S}
        whose = {"iss": self.issuer.url, "aud": AUDIENCE, "jti": str(uuid.uuid4())}
        return {**whose, **times, **own}

    def token(self, claims: Mapping[str, Any] | None = None, **header: Any) -> str:
        """A signed token, whatever stands in it: PyJWT's own `encode` would refuse some of it."""
        body = json.dumps(dict(claims or self.claims())).encode()
        return jwt.PyJWS().encode(body, self.key, "RS256", {"kid": self.kid, **header})

    def jwks(self, at_most: int = 0) -> bytes:
        """Its key set, as it is published."""
        public = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return json.dumps(
            {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": "RS256"}]}
        ).encode()


def rules(source: Source, acts_in: tuple[str, ...] = ()) -> dict[str, Any]:
    """`services.X.ci` of a catalogue, which lets the provider's job in."""
    if source is Source.GITHUB:
        own = _of_github()
        names = ("repository_id", "repository_owner_id", "environment", "job_workflow_ref", "ref")
        return {"github": {**{name: own[name] for name in names}, "acts_in": acts_in}}
    own = _of_gitlab()
    return {
        "gitlab": {
            "project_id": own["project_id"],
            "environment": own["environment"],
            "acts_in": acts_in,
        }
    }


def _of_github() -> dict[str, Any]:
    return {
        "sub": "repository_owner_id:815:repository_id:4711:environment:production",
        "repository": "acme/shop",
        "repository_id": "4711",
        "repository_owner": "acme",
        "repository_owner_id": "815",
        "environment": "production",
        "job_workflow_ref": WORKFLOW,
        "job_workflow_sha": SHA,
        "ref": "refs/heads/main",
        "ref_type": "branch",
        "ref_protected": "true",
        "event_name": "push",
        "runner_environment": "github-hosted",
        "actor": "ana",
        "actor_id": "583231",
        "run_id": "9001",
        "run_attempt": "1",
    }


def _of_gitlab() -> dict[str, Any]:
    return {
        "sub": "project_path:acme/shop:ref_type:branch:ref:main",
        "project_id": "42",
        "project_path": "acme/shop",
        "namespace_id": "7",
        "environment": "production",
        "environment_protected": "true",
        "ref": "main",
        "ref_type": "branch",
        "ref_protected": "true",
        "pipeline_source": "push",
        "user_login": "ana",
        "user_id": "31",
        "pipeline_id": "77",
        "job_id": "88",
        "runner_environment": "gitlab-hosted",
    }
