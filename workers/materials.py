"""What parts are made of, as the settings name it: the catalogue, secrets, keys, the client."""

import httpx
from sqlalchemy import Engine

from activities.audit_key import audit_key, made_at_first_start
from activities.integrations.anchor_file import AnchorFile
from activities.integrations.secret_aws import AwsSecrets
from activities.integrations.sql import SqlAudit
from activities.secrets import Secrets
from rollback_manager.catalogue import Catalogue
from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.client.codec import Keys
from rollback_manager.client.connection import codec_keys
from rollback_manager.errors import CatalogueError, PermanentError
from workers.settings import Settings
from workers.targets import kubernetes_secrets

TIMEOUTS = httpx.Timeout(5.0, connect=2.0)
"""Below every heartbeat (reliability R16); Temporal retries, the client does not."""
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)
"""As many as are asked for at once; of those that wait for use again, as many as httpx keeps."""


def codec(settings: Settings, secrets: Secrets) -> Keys | None:
    """The keys with which payloads are encrypted; PermanentError where they cannot be used."""
    return codec_keys(secrets, settings.codec_keys) if settings.codec_keys else None


def secrets_of(catalogue: Catalogue) -> Secrets:
    """All kinds of references; nobody is asked before a secret is needed."""
    return Secrets({"aws": AwsSecrets(), "kubernetes": kubernetes_secrets(catalogue)})


def records_url(settings: Settings, secrets: Secrets) -> str:
    """Where the records are; resolved where the setting is a reference, for it holds a password."""
    named = settings.records_url
    return secrets.resolve(named, "records' URL") if secrets.is_reference(named) else named


def audit(settings: Settings, engine: Engine, secrets: Secrets) -> SqlAudit:
    """The audit chain; its key is made where none is named."""
    key = settings.audit_key or made_at_first_start(settings.data / "audit.pem")
    return SqlAudit(engine, audit_key(secrets, key), AnchorFile(settings.anchor_file))


def http_client() -> httpx.Client:
    """The one client of all parts, as all of them need it.

    Nothing from the environment: a proxy variable must not redirect us; no redirects either. No
    most of connections: those that hang at one place must not keep the next request, a probe of a
    healthy instance, from being sent. The worker's threads bound how many there are at once.
    """
    return httpx.Client(timeout=TIMEOUTS, limits=LIMITS, trust_env=False, follow_redirects=False)


def catalogue_of(settings: Settings) -> Catalogue:
    """The catalogue in its file."""
    try:
        text = settings.catalogue.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        because = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise CatalogueError(
            f"the catalogue {settings.catalogue} cannot be read: {because}",
            effect="Nothing was started; production is unchanged.",
            next_step="Name it: --catalogue FILE, or ROLLBACK_CATALOGUE=FILE",
        ) from error
    return read_catalogue(text, str(settings.catalogue))


def make_data_folder(settings: Settings) -> None:
    """The folder of what must survive, for this user alone."""
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PermanentError(
            f"the data folder {settings.data} cannot be made: {error.strerror}",
            effect="Nothing was started; production is unchanged.",
            next_step="Name another one: --data FOLDER, or ROLLBACK_DATA=FOLDER",
        ) from error
