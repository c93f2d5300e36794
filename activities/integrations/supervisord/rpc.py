"""supervisord's XML-RPC over its Unix socket, and every way in which it fails as an error of ours.

Of the standard library alone: supervisord's own client would bring the whole of it along.
"""

import http.client
import socket
import xmlrpc.client
from typing import Any
from xml.parsers.expat import ExpatError

from rollback_manager.errors import PermanentError, RollbackError, Unreachable

CONNECT_S = 2.0
READ_S = 5.0
LONGEST_TEXT = 300
ENDING = 6
"""Fault SHUTDOWN_STATE: it is about to end or to restart."""
BAD_NAME = 10
ALREADY_SO = {60, 70}
"""Faults ALREADY_STARTED and NOT_RUNNING: what was asked for is so."""


class FaultError(PermanentError):
    """supervisord refused one call; `code` is its number for the reason."""

    def __init__(self, what: str, code: int, *, effect: str = "") -> None:
        super().__init__(what, effect=effect)
        self.code = code


class Rpc:
    """Calls to one supervisord. Every call connects anew: a broken connection would stay so."""

    def __init__(self, path: str) -> None:
        self._path = path

    def call(self, method: str, *arguments: str | int | bool) -> Any:
        """The answer of `supervisor.<method>`.

        Raises:
            FaultError: it refused.
            Unreachable: it does not answer, or is about to end.
            PermanentError: what answers is not supervisord.
        """
        transport = _Transport(self._path)
        try:
            with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as error:
            raise self._refused(method, arguments, error) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(str(error) or type(error).__name__) from error
        except (xmlrpc.client.Error, ExpatError, ValueError) as error:
            raise PermanentError(
                f"{self._path} does not answer as supervisord does: {_cut(repr(error))}",
                effect="Nothing is known to have changed.",
                next_step="Is it the socket of the catalogue?",
            ) from error

    def _refused(
        self, method: str, arguments: tuple[str | int | bool, ...], error: xmlrpc.client.Fault
    ) -> RollbackError:
        said = _cut(str(error.faultString))
        if error.faultCode == ENDING:
            return self._unreachable(said)
        what = f"supervisord refused {method} {' '.join(map(str, arguments[:1]))}: {said}"
        return FaultError(
            what, int(error.faultCode), effect="Its other instances are as they were."
        )

    def _unreachable(self, said: str) -> RollbackError:
        return Unreachable(
            f"supervisord at {self._path} does not answer: {_cut(said)}",
            effect="Instances go on as they are.",
            next_step=f"Does it run? supervisorctl -s unix://{self._path} status",
        )


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_S)
        self.sock.connect(self._path)
        self.sock.settimeout(READ_S)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        connection = _Connection(self._path)
        self._connection = (str(host), connection)  # where the base class closes it
        return connection

    def request(
        self, host: Any, handler: str, request_body: Any, verbose: bool = False
    ) -> tuple[Any, ...]:
        # The base class sends a call again when its answer is lost; who retries is not for it.
        return self.single_request(host, handler, request_body, verbose)


def _cut(text: str) -> str:
    return " ".join(text.split())[:LONGEST_TEXT]
