"""The API of a cluster in plain JSON, for what builds and watches the world around the product."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import kubernetes.config

from demo.errors import WorldError

Object = dict[str, Any]
MANAGER = "demo"
"""Whose fields these are, to the API server."""
ANSWER_S = 30.0
"""A megabyte of definitions took 10 s where ten processes shared two cores."""
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Refused(WorldError):
    """The API server said no; `status` is its code, `body` all that it said."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body[:600]}")
        self.status = status
        self.body = body


class Api:
    """One user's way to one cluster. Threads may share it."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def request(self, method: str, path: str, **options: Any) -> Object:
        """One call without a second try.

        Raises:
            Refused: the server's answer is an error.
        """
        answer = self.client.request(method, path, **options)
        if answer.is_error:
            raise Refused(answer.status_code, answer.text)
        found: Object = answer.json()
        return found

    def get(self, path: str, **query: str) -> Object:
        """Read an object or a list of them."""
        return self.request("GET", path, params=query)

    def post(self, path: str, body: Mapping[str, Any]) -> Object:
        """Create an object."""
        return self.request("POST", path, json=body, params={"fieldManager": MANAGER})

    def put(self, path: str, body: Mapping[str, Any]) -> Object:
        """Replace an object."""
        return self.request("PUT", path, json=body, params={"fieldManager": MANAGER})

    def patch(self, path: str, body: Any, kind: str = STRATEGIC) -> Object:
        """Change part of an object."""
        return self.request("PATCH", path, json=body, headers={"content-type": kind})

    def apply(self, path: str, body: str) -> Object:
        """Server-side apply of YAML or JSON as ours, taking fields over from whoever has them."""
        query = {"fieldManager": MANAGER, "force": "true"}
        sent = {"params": query, "content": body, "headers": {"content-type": APPLY}}
        return self.request("PATCH", path, **sent)

    def delete(self, path: str, **options: Any) -> Object:
        """Delete an object; `options` are the API's DeleteOptions."""
        return self.request("DELETE", path, json=options or None)

    @contextmanager
    def watch(self, path: str, version: str) -> Iterator["Watch"]:
        """The changes after that resource version, for as long as the block lasts."""
        query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true"}
        quiet = httpx.Timeout(ANSWER_S, read=None)
        with self.client.stream("GET", path, params=query, timeout=quiet) as answer:
            if answer.is_error:
                raise Refused(answer.status_code, answer.read().decode())
            yield Watch(answer)


class Watch:
    """Lines of JSON, one per change, until the server ends it, or another thread here."""

    def __init__(self, answer: httpx.Response) -> None:
        self.lines = answer.iter_lines()
        self._connection: socket.socket = answer.extensions["network_stream"].get_extra_info(
            "socket"
        )

    def end(self) -> None:
        """Wake the thread that waits for the next line; it gets a `TransportError`."""
        socket.socket.shutdown(self._connection, socket.SHUT_RDWR)  # below TLS, which has no thread


@contextmanager
def connected(kubeconfig: Path, context: str | None = None) -> Iterator[Api]:
    """The API that a kubeconfig leads to, with its credentials, for as long as the block lasts."""
    with httpx.Client(**_settings(kubeconfig, context)) as client:
        yield Api(client)


def _settings(kubeconfig: Path, context: str | None) -> dict[str, Any]:
    """The official client reads the file, with its credential plug-ins; httpx does the talking."""
    read = kubernetes.config.new_client_from_config(str(kubeconfig), context).configuration
    trust = ssl.create_default_context(cafile=read.ssl_ca_cert)
    if not read.verify_ssl:
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    if read.cert_file:
        trust.load_cert_chain(read.cert_file, read.key_file)
    token = read.get_api_key_with_prefix("BearerToken", "authorization")
    return {
        "base_url": read.host,
        "verify": trust,
        "headers": {"authorization": token} if token else {},
        "timeout": ANSWER_S,
        "trust_env": False,
        "limits": httpx.Limits(max_connections=32),
    }
