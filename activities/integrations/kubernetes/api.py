"""One cluster's API: the official client with limits of ours, its answers as plain JSON.

Its own retries are off: a PUT was seen four times for one call (reliability §9). Temporal retries.
"""

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from activities.integrations.kubernetes.refusals import refused
from rollback_manager.errors import PermanentError, RollbackError, TemporaryError, Unreachable
from rollback_manager.platforms import Cluster

TIMEOUTS_S = (2.0, 5.0)
"""Connect, read: below every heartbeat (reliability R16)."""
FIELD_MANAGER = "rollback-manager"
PAGE = 500
"""Objects per answer of a list."""
MOST_CONNECTIONS = 50
LISTS = 3
"""How often a list is begun anew because its pages were gone before they were asked for."""
WATCH_S = 60
"""How long the server lets one watch last."""
SYSTEM = "/api/v1/namespaces/kube-system"
"""Every cluster has it, and nobody can give it another UID."""
UNAUTHORIZED, GONE, TOO_MANY = 401, 410, 429
JSON = "application/json"
PARTIAL = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"

Json = dict[str, Any]


class Api:
    """Reads and writes objects of one cluster by their paths.

    Every method raises Unreachable (no answer, 5xx), TemporaryError (429, with its Retry-After),
    Conflict (409, or a test of a patch that did not hold), NotFound (404), or PermanentError (401,
    403 and every other refusal), with the API's own words. The client's own error ends here: it
    carries headers and bodies, and history shows whoever must decide the innermost cause.
    """

    def __init__(self, name: str, cluster: Cluster) -> None:
        self.name = name
        self._cluster = cluster
        self.context = cluster.context
        self.pinned = cluster.uid
        self._uid = ""
        self._lock = threading.Lock()
        self._client: client.ApiClient | None = None
        self._quiet_until = 0.0

    def get(self, path: str) -> Json:
        """One object."""
        return self._call("GET", path)

    def uid(self) -> str:
        """By which this cluster is told apart from all others, asked now."""
        self._uid = str(self.get(SYSTEM)["metadata"]["uid"])
        return self._uid

    def metadata(self, path: str) -> Json:
        """One object without its content, which does not leave the cluster: of a Secret, say."""
        return self._call("GET", path, accept=PARTIAL.format(""))

    def items(self, path: str, selector: str = "", *, metadata: bool = False) -> list[Json]:
        """All objects of a list. metadata: without their contents."""
        return self.listed(path, selector, metadata=metadata)[0]

    def listed(
        self, path: str, selector: str = "", *, metadata: bool = False
    ) -> tuple[list[Json], str]:
        """All objects, page by page, and of which version of the list they are.

        From the start again if that took so long that the server forgot where it was. metadata:
        without their contents, which do not leave the cluster.
        """
        found: list[Json] = []
        begun = 1
        query = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        accept = PARTIAL.format("List") if metadata else JSON
        while True:
            answer = self._call("GET", path, query=query, again_on=GONE, accept=accept)
            if answer.get("code") == GONE:
                if begun == LISTS:
                    raise _too_long(path, self.name)
                found, query = [], {k: v for k, v in query.items() if k != "continue"}
                begun += 1
                continue
            found += answer.get("items") or []  # null, where a list without contents is empty
            more = answer.get("metadata", {}).get("continue")
            if not more:
                return found, answer.get("metadata", {}).get("resourceVersion", "")
            query = {**query, "continue": more}

    def watch(self, path: str, since: str) -> Iterator[bytes]:
        """One line of JSON for each change after that version, until the server ends it."""
        query = {
            "watch": "1",
            "resourceVersion": since,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_S),
        }
        try:  # its answer begins at once, or it never will
            answer = self._sent("GET", path, query, None, {"Accept": JSON}, TIMEOUTS_S)
        except ApiException as error:
            raise refused(error, f"watch {path}", self.name) from None
        _wait_longer(answer, WATCH_S + TIMEOUTS_S[1])
        try:
            yield from _lines(answer.stream(decode_content=True))
        finally:
            answer.close()

    def patch(self, path: str, operations: Sequence[Json], *, dry_run: bool = False) -> Json:
        """A JSON patch (RFC 6902): all of it or nothing."""
        return self._write("PATCH", path, list(operations), "application/json-patch+json", dry_run)

    def apply(self, path: str, body: Json, *, dry_run: bool = False) -> Json:
        """Server-side apply under our own name, never by force: a conflict names who has it."""
        return self._write("PATCH", path, body, "application/apply-patch+yaml", dry_run)

    def create(self, path: str, body: Json, *, dry_run: bool = False) -> Json:
        """A new object; Conflict if there is one of its name."""
        return self._write("POST", path, body, JSON, dry_run)

    def _write(self, method: str, path: str, body: object, kind: str, dry_run: bool) -> Json:
        query = {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {})
        return self._call(method, path, query=query, body=body, kind=kind)

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        kind: str = JSON,
        again_on: int = 0,
        accept: str = JSON,
    ) -> Json:
        self._wait_is_over(f"{method} {path}")
        headers = {"Accept": accept, "Content-Type": kind}
        for last in (False, True):
            try:
                if last:
                    self._must_be_the_same(path)
                return self._once(method, path, dict(query or {}), body, headers)
            except ApiException as error:
                if error.status == again_on:
                    return {"code": error.status}
                if error.status != UNAUTHORIZED or last:
                    refusal = refused(error, f"{method} {path}", self.name)
                    self._note_wait(error.status, refusal)
                    raise refusal from None
                self._forget()  # a token that was rotated stands in the file by now
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise Unreachable(
                    f"the API of cluster {self.name} gave no answer to {method} {path}:"
                    f" {type(error).__name__}",
                    effect="Whether a write arrived is read before it is tried again.",
                    next_step="This is tried again by itself; if it stays so, see the cluster.",
                ) from None
        raise AssertionError("unreachable: the second round returns or raises")

    def _must_be_the_same(self, path: str) -> None:
        """The file was read anew: another cluster may stand under the same name in it by now."""
        if not self._uid or path == SYSTEM:
            return
        uid = self._once("GET", SYSTEM, {}, None, {"Accept": JSON})["metadata"]["uid"]
        if uid != self._uid:
            raise PermanentError(
                f"context {self.context} of cluster {self.name} leads to another cluster by now:"
                f" {uid} instead of {self._uid}",
                effect="Nothing was written there by this request.",
                next_step="Mend the kubeconfig, then retry-step; if it is meant, plan again.",
            )

    def _wait_is_over(self, request: str) -> None:
        """TemporaryError while the API wants to be left alone: it counts all of our requests."""
        left_s = self._quiet_until - time.monotonic()
        if left_s > 0:
            raise TemporaryError(
                f"cluster {self.name} answered 429 and is left alone for {left_s:.0f} s more"
                f" ({request})",
                retry_after_s=left_s,
                effect="Nothing was asked or changed by this request.",
            )

    def _note_wait(self, status: int | None, refusal: RollbackError) -> None:
        if status == TOO_MANY and isinstance(refusal, TemporaryError):
            self._quiet_until = time.monotonic() + refusal.retry_after_s

    def _once(
        self, method: str, path: str, query: dict[str, str], body: object, headers: dict[str, str]
    ) -> Json:
        answer = self._sent(method, path, query, body, headers, TIMEOUTS_S)
        found: Json = json.loads(answer.data)
        return found

    def _sent(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: object,
        headers: Mapping[str, str],
        timeouts_s: tuple[float, float],
    ) -> urllib3.HTTPResponse:
        answer: urllib3.HTTPResponse = self._connected().call_api(
            path,
            method,
            query_params=list(query.items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=timeouts_s,
        )
        return answer

    def _connected(self) -> client.ApiClient:
        with self._lock:
            if self._client is None:
                self._client = client.ApiClient(_configuration(self.name, self._cluster))
                self._client.user_agent = FIELD_MANAGER  # as the cluster's audit log shows us
            return self._client

    def _forget(self) -> None:
        with self._lock:
            self._client = None


def _too_long(path: str, cluster: str) -> TemporaryError:
    return TemporaryError(
        f"cluster {cluster} forgot the list {path} before its next page was asked for,"
        f" {LISTS} times",
        effect="Nothing is decided on a part of a list; nothing was changed.",
        next_step="This is tried again by itself; if it stays so, see the load of the cluster.",
    )


def _wait_longer(answer: urllib3.HTTPResponse, seconds: float) -> None:
    """Between two pieces of an answer that has begun."""
    socket = getattr(answer.connection, "sock", None)
    if socket is not None:
        socket.settimeout(seconds)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    left = b""
    for piece in pieces:
        *whole, left = (left + piece).split(b"\n")
        yield from whole


def _configuration(name: str, cluster: Cluster) -> client.Configuration:
    own = client.Configuration()
    own.retries, own.proxy = False, None  # nothing of the environment redirects us
    own.connection_pool_maxsize = MOST_CONNECTIONS
    try:
        if cluster.kubeconfig:
            config.load_kube_config(
                cluster.kubeconfig, cluster.context, client_configuration=own, persist_config=False
            )
        else:
            config.load_incluster_config(client_configuration=own)
    except (ConfigException, OSError) as error:
        place = f"context {cluster.context} of {cluster.kubeconfig}" if cluster.context else "a pod"
        raise PermanentError(
            f"no way to cluster {name} by {place}: {error}",
            effect="Nothing was changed there.",
            next_step="See `clusters` in the catalogue; kubectl config get-contexts lists yours.",
        ) from None
    return own
