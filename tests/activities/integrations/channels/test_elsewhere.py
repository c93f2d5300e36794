"""Nothing that comes from outside chooses whom we call: no address, no redirect (security T17)."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

import httpx
import pytest

from activities.integrations.channels import (
    PagerDuty,
    Slack,
    SlackAnswers,
    StatusPage,
    Webhook,
)
from activities.integrations.web import Documents
from rollback_manager.errors import PermanentError, TemporaryError
from rollback_manager.telling.card import Card
from rollback_manager.telling.channels import (
    PagerDutyChannel,
    SlackChannel,
    StatusPageChannel,
    WebhookChannel,
)
from rollback_manager.telling.notices import Milestone, Notice
from rollback_manager.values import Value
from workers import materials

Said = TypeVar("Said", bound=Value)
Channel = Webhook | Slack | PagerDuty | StatusPage
HOOKS = "https://hooks.slack.com"
LIES = (
    "127.0.0.1", "localhost", "127.1", "127.0.1", "0", "2130706433", "0x7f000001",
    "0.0.0.0",  # noqa: S104 -- nobody listens there
    "0x7f.1", "0177.0.0.1", "017700000001", "127.0.0.1.", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
    "169.254.169.254",
    "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a9fe:a9fe]", "[2002:a9fe:a9fe::]",
    "[fd00:ec2::254]", "[fe80::1]", "[fe80::1%25eth0]", "10.0.0.1", "10.1", "172.16.0.1",
    "172.31.255.255", "192.168.0.1", "192.168.1", "100.64.0.1", "100.100.100.200", "198.18.0.1",
    "192.0.0.192", "224.0.0.1", "255.255.255.255", "[fc00::1]", "[ff02::1]",
    "\uff11\uff12\uff17.\uff10.\uff10.\uff11",
    "①②⑦.⓪.⓪.①", "127。0。0。1", "localtest.me", "metadata.google.internal", "metadata",
    "kubernetes.default.svc", "hooks.slack.com.evil.example", "evil.example",
    "hooks.slack.com@127.0.0.1", "hooks.slack.com:443@127.0.0.1", "hooks.slack.com%40127.0.0.1",
    "hooks.slack.com%2f@127.0.0.1", "hooks.slack.com\\@127.0.0.1", "hooks.slack.com#@127.0.0.1:80",
    "127.0.0.1#hooks.slack.com", "127.0.0.1?hooks.slack.com", "127.0.0.1\\hooks.slack.com",
    "hooks.slack.com:80", "hooks.slack.com.", "hooks.slack.com\t.evil.example",
    "h\u043e\u043eks.slack.com",
)  # fmt: skip
"""Other spellings of this machine, of a cloud's metadata, of private nets, and of Slack's host."""
OTHER = ("http://hooks.slack.com/", "file:///etc/passwd", "gopher://127.0.0.1/", "//127.0.0.1/", "")


def test_no_spelling_of_an_address_leads_a_late_answer_elsewhere() -> None:
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(answer), trust_env=False) as client:
        answers = SlackAnswers("https://slack.com/api", lambda: "t", client, HOOKS)
        urls = [f"https://{host}/commands/T1/1/x" for host in LIES] + [*OTHER]
        assert len(urls) >= 60
        got_through = []
        for url in urls:
            try:
                answers.respond(url, "applied")
            except PermanentError:
                continue
            got_through.append(url)
        assert {one.host for one in asked} <= {"hooks.slack.com"}, asked
        assert got_through == ["https://hooks.slack.com#@127.0.0.1:80/commands/T1/1/x"]


class Host(ThreadingHTTPServer):
    """Somebody's host, which may send whoever comes to another one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Sends)
        self.location, self.status, self.got = "", 200, list[str]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/in"


class _Sends(BaseHTTPRequestHandler):
    server: Host

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.do_GET()

    def do_GET(self) -> None:
        self.server.got.append(self.path)
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """One that is asked, and the one it leads to."""
    with Host() as first, Host() as metadata:
        threads = [
            threading.Thread(target=one.serve_forever, args=(0.05,)) for one in (first, metadata)
        ]
        for thread in threads:
            thread.start()
        first.location = metadata.url
        yield first, metadata
        for one in (first, metadata):
            one.shutdown()
        for thread in threads:
            thread.join()


CARD = Card(
    rollback="rollback/prod/k",
    env="prod",
    headline="Rollback of shop",
    stands="RUNNING",
    needs_somebody=True,
)
STARTED = (Notice(milestone=Milestone.STARTED, key="started", text="started"),)


def _told(one: Channel) -> None:
    one.show(CARD, "", "")
    one.say(CARD, STARTED, "", "")


def _channel(kind: str, url: str, client: httpx.Client) -> Channel:
    said = {"kind": kind, "url": url, "token": "env:T", "secret": "env:S", "component": "Shop"}
    said |= {"routing_key": "env:K", "api": url, "channel": "C0OPS"}
    match kind:
        case "webhook":
            return Webhook(_of(WebhookChannel, said), client, str)
        case "slack":
            return Slack(_of(SlackChannel, said), client, str)
        case "pagerduty":
            return PagerDuty(_of(PagerDutyChannel, said), client, str)
        case _:
            return StatusPage(_of(StatusPageChannel, said), client, str)


def _of(kind: type[Said], said: dict[str, str]) -> Said:
    return kind.model_validate({name: said[name] for name in kind.model_fields if name in said})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", ["webhook", "slack", "pagerduty", "status_page"])
def test_no_channel_follows_where_an_answer_leads(
    hosts: tuple[Host, Host], kind: str, status: int
) -> None:
    first, metadata = hosts
    first.status = status
    with materials.http_client() as client, pytest.raises((PermanentError, TemporaryError)):
        _told(_channel(kind, first.url, client))
    assert len(first.got) == 1
    assert metadata.got == []


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_an_identity_provider_leads_nowhere_else(
    hosts: tuple[Host, Host], status: int
) -> None:
    first, metadata = hosts
    first.status = status
    async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as client:
        found, _ = await Documents(client).get(first.url)
    assert (found, metadata.got) == (status, [])
