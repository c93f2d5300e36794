"""What the gateway keeps in the records and reads by reference: the chain, its key, secrets."""

import base64
from collections.abc import Callable, Mapping, Sequence

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import Engine

from activities.integrations.secret_aws import AwsSecrets
from activities.integrations.sql import engine_for, upgrade
from activities.secrets import Secrets
from rollback_manager.audit import AuditLog
from rollback_manager.authority.level import SecurityLevel
from rollback_manager.catalogue import Catalogue
from rollback_manager.errors import PermanentError
from rollback_manager.incidents.alert_names import AlertSource
from starters.gateway.signing import Signer, SigningKey
from starters.gateway.sns.door import SnsDoor
from workers import materials
from workers.ci import fetched
from workers.seldom import Seldom
from workers.settings import Settings
from workers.targets import kubernetes_secrets

NOT_STARTED = "Nothing was started; production is unchanged."


def secrets_of(catalogue: Catalogue) -> Secrets:
    """As the workers read them, and seldom where they are far: strangers knock at these doors."""
    far = Seldom(AwsSecrets()), Seldom(kubernetes_secrets(catalogue))
    return Secrets(dict(zip(("aws", "kubernetes"), far, strict=True)))


def engine(settings: Settings, secrets: Secrets) -> Engine:
    """The records, brought up to date; Unreachable where they are not there."""
    materials.make_data_folder(settings)
    made = engine_for(materials.records_url(settings, secrets))
    upgrade(made)
    return made


def chain(settings: Settings, records: Engine, secrets: Secrets) -> AuditLog:
    """The audit chain, the same as the workers'."""
    return materials.audit(settings, records, secrets)


def alert_secrets(
    catalogue: Catalogue, secrets: Secrets
) -> Mapping[AlertSource, Callable[[], Sequence[str]]]:
    """Of each source that is set up; read at once, so that a missing one is told at the start."""

    def reader(references: tuple[str, ...], what: str) -> Callable[[], Sequence[str]]:
        def live() -> Sequence[str]:
            return [secrets.resolve(reference, what) for reference in references]

        live()
        return live

    return {
        source: reader(names.secrets, f"secret of {source}'s alerts")
        for source, names in catalogue.alerts.sources.items()
    }


def sns(catalogue: Catalogue, client: httpx.Client) -> SnsDoor | None:
    """What is asked of Amazon SNS; None where the catalogue names none of its topics."""
    named = catalogue.alerts.cloudwatch
    if named is None or not named.topics:
        return None
    return SnsDoor(lambda url, at_most: fetched(client, url, at_most))


def signer(settings: Settings, catalogue: Catalogue, secrets: Secrets) -> Signer | None:
    """What signs decisions; None where no environment of the catalogue is secured."""
    if all(one.security is SecurityLevel.LOCAL for one in catalogue.environments.values()):
        return None
    if not settings.gateway_signing_key:
        raise PermanentError(
            "decisions must be signed, and no key is named",
            effect=NOT_STARTED,
            next_step="Name it: ROLLBACK_GATEWAY_SIGNING_KEY=file:/run/secrets/signing.pem",
        )
    keys = {
        key.public.rstrip("="): key.kid
        for one in catalogue.environments.values()
        for key in one.signing_keys
    }

    def key() -> SigningKey:
        pem = secrets.resolve(settings.gateway_signing_key, "signing key")
        private = _private(pem, settings.gateway_signing_key)
        public = base64.urlsafe_b64encode(private.public_key().public_bytes_raw()).decode()
        kid = keys.get(public.rstrip("="))
        if kid is None:
            raise PermanentError(
                "no rollback would believe the gateway's key: `signing_keys` does not name it",
                effect="Nothing was decided; what runs goes on as it is.",
                next_step=f"Add its public half to the catalogue: {public.rstrip('=')}",
            )
        return SigningKey(kid, private)

    key()
    return key


def _private(pem: str, reference: str) -> Ed25519PrivateKey:
    try:
        found = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise PermanentError(
            f"the signing key at {reference} is no Ed25519 private key in PEM",
            effect=NOT_STARTED,
            next_step="Make one: openssl genpkey -algorithm ed25519",
        )
    return found
