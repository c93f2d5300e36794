"""AWS Secrets Manager through the real client; what answers is a stand-in that says so."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from activities.integrations.secret_aws import AwsSecrets
from activities.secrets import Secrets
from rollback_manager.errors import PermanentError, Unreachable

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/pager-AbCdEf"
REFERENCE = f"aws:secretsmanager:{ARN}"
CANARY = "s3cr3t-of-the-pager"


class StandInSecretsManager(BaseHTTPRequestHandler):
    """Stand-in: the JSON protocol of GetSecretValue alone."""

    answer: tuple[int, dict[str, str]] = (200, {"SecretString": CANARY})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["X-Amz-Target"] == "secretsmanager.GetSecretValue"
        assert asked == {"SecretId": ARN}
        assert CANARY not in self.headers["Authorization"]
        status, document = self.answer
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Secrets]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-stand-in")
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandInSecretsManager)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield Secrets({"aws": AwsSecrets(f"http://127.0.0.1:{server.server_port}")})
    server.shutdown()
    server.server_close()


def test_a_secret_is_read_by_its_arn(aws: Secrets) -> None:
    assert aws.resolve(REFERENCE) == CANARY
    assert aws.resolve(f"aws:{ARN}") == CANARY


@pytest.mark.parametrize(
    ("status", "code", "kind", "said"),
    [
        (400, "ResourceNotFoundException", PermanentError, "does not exist"),
        (400, "AccessDeniedException", PermanentError, "may not be read"),
        (400, "ThrottlingException", Unreachable, "refuses for now"),
        (503, "ServiceUnavailable", Unreachable, "refuses for now"),
    ],
)
def test_a_refusal_is_told_apart_from_an_outage(
    aws: Secrets,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str,
    kind: type[Exception],
    said: str,
) -> None:
    document = {"__type": code, "message": f"about {CANARY}"}
    monkeypatch.setattr(StandInSecretsManager, "answer", (status, document))
    with pytest.raises(kind, match=said) as refused:
        aws.resolve(REFERENCE)
    assert CANARY not in f"{refused.value} {refused.value.__cause__}"


def test_what_is_no_arn_is_refused_before_anybody_is_asked() -> None:
    with pytest.raises(PermanentError, match="no ARN"):
        Secrets({"aws": AwsSecrets("http://127.0.0.1:1")}).resolve("aws:secretsmanager:pager")


def test_an_aws_that_does_not_answer_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-stand-in")
    with pytest.raises(Unreachable, match="does not answer"):
        Secrets({"aws": AwsSecrets("http://127.0.0.1:1")}).resolve(REFERENCE)
