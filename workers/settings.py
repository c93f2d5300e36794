"""What a worker needs to know from its surroundings. Nothing else reads the environment.

Temporal's own settings (TEMPORAL_ADDRESS and kin) are read by `temporalio.envconfig`.
"""

from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from rollback_manager.contract import TASK_QUEUE
from starters.refusals import UsageError

BuildId = Annotated[str, Field(max_length=128, pattern=r"^([A-Za-z0-9][A-Za-z0-9._+-]*)?$")]
"""It becomes part of commands that people copy, so nothing in it means anything to a shell."""


class Settings(BaseSettings):
    """Prefix ROLLBACK_; all mistakes are reported at once."""

    model_config = SettingsConfigDict(env_prefix="ROLLBACK_", frozen=True, extra="ignore")

    catalogue: Path = Path("catalogue.yaml")
    """The catalogue's file."""
    data: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("rollback-manager")))
    """Folder for what must survive a restart on this machine: Temporal's database, the records."""
    records: str = ""
    """SQLAlchemy URL of the records, or a reference to it; empty: SQLite in the data folder."""
    audit_key: str = ""
    """Reference to the key that signs the audit chain (Ed25519, PEM), such as `file:/run/key.pem`;
    empty: one that is made at first start, in the data folder."""
    audit_anchor: Path | None = None
    """File to which heads of the audit chain are added; it should be where nobody who can write the
    records can write. None: one in the data folder, which shows accidents alone."""
    codec_keys: str = ""
    """Reference to the keyring with which payloads are encrypted before Temporal sees them; empty:
    they are not."""
    task_queue: str = TASK_QUEUE
    """Task queue that the worker polls."""
    build_id: BuildId = ""
    """Build of this worker, such as a commit; empty: it is of none. Only `worker` has one."""
    port: int = 7233
    """Port of the embedded Temporal."""
    ui_port: int = 8233
    """Port of its Web UI."""
    web_ui_origin: str = ""
    """Origin of Temporal's Web UI, which alone may have payloads decrypted by our codec server,
    such as `https://temporal.example.com`; empty: the embedded one."""
    gateway_host: str = "127.0.0.1"
    """Address on which the gateway listens; another machine reaches it only once people sign in."""
    gateway_port: Annotated[int, Field(ge=0, le=65535)] = 8088
    """Its port; `serve` has it, too."""
    gateway_signing_key: str = ""
    """Reference to the key that signs decisions (Ed25519, PEM), such as `file:/run/signing.pem`;
    needed once an environment is secured, whose `signing_keys` name its public half."""
    pages_url: Annotated[str, Field(pattern=r"^(https?://[^\s?#]+)?$")] = ""
    """Where people reach the gateway's pages, such as https://rollback.example.com; empty: messages
    carry no link."""
    log_json: bool = False
    """One JSON object per line instead of text for people."""

    @property
    def records_url(self) -> str:
        """Where the records are."""
        return self.records or f"sqlite:///{self.data / 'records.sqlite'}"

    @property
    def web_ui(self) -> str:
        """Origin of Temporal's Web UI."""
        return self.web_ui_origin or f"http://127.0.0.1:{self.ui_port}"

    @property
    def anchor_file(self) -> Path:
        """Where heads of the audit chain are added."""
        return self.audit_anchor or self.data / "anchor" / "audit.jsonl"


class CiSettings(BaseSettings):
    """How CI jobs sign in, prefix ROLLBACK_GATEWAY_CI_. Without an audience they cannot."""

    model_config = SettingsConfigDict(
        env_prefix="ROLLBACK_GATEWAY_CI_", frozen=True, extra="ignore"
    )

    audience: str = ""
    """For whom their tokens must be: a name of this gateway alone, such as its address."""
    github: str = "https://token.actions.githubusercontent.com"
    """Issuer of GitHub's tokens; that of your own for GitHub Enterprise; empty: none."""
    gitlab: str = ""
    """Issuer of GitLab's tokens, the address of your GitLab; empty: none."""
    key: str = ""
    """Reference to the key of credentials (env:NAME, file:/PATH), the same for all gateways that
    share one address; empty: a new one at each start, with which open credentials end."""

    @property
    def is_set_up(self) -> bool:
        """Whether any job can sign in."""
        return bool(self.audience)


class SlackSettings(BaseSettings):
    """Slack's way in, prefix ROLLBACK_GATEWAY_SLACK_. Secrets stand as references; lists by commas.

    Without `signing_secrets` there are no addresses for Slack; without `app_token` no Socket Mode.
    """

    model_config = SettingsConfigDict(
        env_prefix="ROLLBACK_GATEWAY_SLACK_", frozen=True, extra="ignore"
    )

    signing_secrets: str = ""
    """References such as env:SLACK_SIGNING_SECRET; two while one is replaced."""
    app_token: str = ""
    """Reference to the app's token (xapp-…): opens Socket Mode, so it must be kept as a key."""
    token: str = ""
    """Reference to the bot's token (xoxb-…): tells one person what became of a click."""
    teams: str = ""
    """Ids of the workspaces that may come in, such as T024BE7LD."""
    apps: str = ""
    """Ids of the apps that may come in: ours."""
    enterprises: str = ""
    """Ids of the organisations of Enterprise Grid that may come in; empty: none."""
    api: str = "https://slack.com/api"
    """Slack's Web API, or that of GovSlack or of a stand-in."""
    hooks: str = "https://hooks.slack.com"
    """The only place to which a `response_url` may lead."""

    @property
    def is_set_up(self) -> bool:
        """Whether anybody can come in by it."""
        return bool(self.signing_secrets or self.app_token)


class SignInSettings(BaseSettings):
    """How people sign in to the gateway, prefix ROLLBACK_GATEWAY_SIGN_IN_.

    Without `issuer` nobody does: there is one local operator, and it listens on loopback alone.
    """

    model_config = SettingsConfigDict(
        env_prefix="ROLLBACK_GATEWAY_SIGN_IN_", frozen=True, extra="ignore"
    )

    issuer: Annotated[str, Field(pattern=r"^(https?://[^\s?#]+)?$")] = ""
    """The identity provider (OpenID Connect), such as https://id.example.com; exactly as it calls
    itself."""
    client_id: str = ""
    """How the provider knows us."""
    client_secret: str = ""
    """Reference to our secret there; empty: a public client, which PKCE alone protects."""
    algorithm: Literal["RS256", "PS256", "ES256", "ES384", "EdDSA"] = "RS256"
    """The one that its words are signed with; another one is refused."""
    scopes: str = "openid profile email"
    """What is asked for; add the provider's own for groups, if it has one."""
    subject_claim: str = "email"
    """Which claim is somebody's subject in the catalogue's `people`."""
    groups_claim: str = "groups"
    """Which claim has the groups."""
    acr: str = ""
    """What the provider calls a sign-in with a second factor, if it has a name for it."""
    key: str = ""
    """Reference to at least 32 characters that seal cookies and forms, one for all gateways; empty:
    made at the start, so that a restart signs everybody out."""


def load(**overrides: object) -> Settings:
    """The settings, or every mistake at once; `overrides` win where they are not None."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings.model_validate({**Settings().model_dump(), **given})
    except ValidationError as mistakes:
        lines = [f"ROLLBACK_{str(m['loc'][0]).upper()}: {m['msg']}" for m in mistakes.errors()]
        raise UsageError(
            "\n".join(lines), effect="Nothing was started.", next_step="Correct them and try again."
        ) from None
