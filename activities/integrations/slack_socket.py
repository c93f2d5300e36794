"""Socket Mode by Slack's own client: it reconnects, answers pings and rotates the address."""

import logging
from collections.abc import Callable
from typing import Any

from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web import WebClient

from rollback_manager.errors import Unreachable

WITHIN_S = 5
log = logging.getLogger(__name__)


class SlackSocket:
    """One connection. Nothing from the environment: a proxy variable must not redirect it."""

    def __init__(self, api: str, app_token: str) -> None:
        web = WebClient(base_url=f"{api.rstrip('/')}/", timeout=WITHIN_S)
        web.proxy = None
        self._client = SocketModeClient(app_token=app_token, web_client=web, concurrency=10)
        self._client.proxy = None

    def listen(self, hear: Callable[[str, str, Any], dict[str, Any] | None]) -> None:
        """Connect, then call `hear` (kind, envelope, payload) for each; it reconnects by itself.

        Raises Unreachable where Slack does not let it connect now.
        """

        def heard(client: BaseSocketModeClient, request: SocketModeRequest) -> None:
            answer = hear(request.type, request.envelope_id, request.payload)
            back = answer if request.accepts_response_payload else None
            client.send_socket_mode_response(SocketModeResponse(request.envelope_id, back))

        self._client.socket_mode_request_listeners.append(heard)
        try:
            self._client.connect()
        except (SlackClientError, OSError) as error:
            raise Unreachable(
                f"Slack's Socket Mode does not answer: {type(error).__name__}",
                effect="Nobody can decide in Slack. Every other door is open.",
                next_step="Is the app's token right, and Slack up? Then start the gateway again.",
            ) from error

    def close(self) -> None:
        """Hang up; what is being answered is answered first."""
        self._client.close()
