"""Secrets in AWS Secrets Manager: `aws:secretsmanager:ARN`, read anew each time.

The worker's own identity reads them: its pod's or its machine's. Allow it
`secretsmanager:GetSecretValue` on these ARNs alone.
"""

import re
from importlib import import_module
from typing import Any

from activities.secrets import NoSecret
from rollback_manager.errors import Unreachable

ARN = re.compile(
    r"arn:(aws[a-z-]*):secretsmanager:([a-z0-9-]+):(\d{12}):secret:[A-Za-z0-9/_+=.@-]+"
)
SERVICE = "secretsmanager:"
LIMITS: dict[str, Any] = {
    "connect_timeout": 2,
    "read_timeout": 5,
    "retries": {"total_max_attempts": 1},
}
"""Below every heartbeat; Temporal retries, the client does not."""
MISSING = {"ResourceNotFoundException", "InvalidRequestException"}
FORBIDDEN = {"AccessDeniedException", "UnrecognizedClientException", "DecryptionFailure"}


class AwsSecrets:
    """endpoint: another one than AWS's own, for a private endpoint or a test."""

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint

    def read(self, place: str) -> str:
        """The current version's text."""
        arn = place.removeprefix(SERVICE)
        named = ARN.fullmatch(arn)
        if named is None:
            raise NoSecret("is no ARN of a secret in AWS Secrets Manager")
        answer = self._asked(arn, region=named[2])
        if "SecretString" not in answer:
            raise NoSecret("is no text")
        return str(answer["SecretString"])

    def _asked(self, arn: str, region: str) -> dict[str, Any]:
        """boto3 is imported when somebody keeps a secret there, and needed by nobody else."""
        try:
            boto3, config = import_module("boto3"), import_module("botocore.config")
            errors = import_module("botocore.exceptions")
        except ModuleNotFoundError:
            raise NoSecret("cannot be asked for: pip install boto3") from None
        try:
            client = boto3.client(
                "secretsmanager",
                region_name=region,
                endpoint_url=self._endpoint,
                config=config.Config(**LIMITS),
            )
            answer: dict[str, Any] = client.get_secret_value(SecretId=arn)
        except errors.ClientError as error:
            raise _of_answer(str(error.response.get("Error", {}).get("Code", ""))) from None
        except errors.BotoCoreError as error:
            raise Unreachable(
                f"AWS Secrets Manager does not answer: {type(error).__name__}",
                effect="Nothing was done without the secret.",
                next_step="Is the region reachable, and has the worker an identity in AWS?",
            ) from None
        return answer


def _of_answer(code: str) -> Exception:
    if code in MISSING:
        return NoSecret("does not exist")
    if code in FORBIDDEN:
        return NoSecret("may not be read by the worker's identity")
    return Unreachable(
        f"AWS Secrets Manager refuses for now: {code[:60] or 'no reason given'}",
        effect="Nothing was done without the secret.",
    )
