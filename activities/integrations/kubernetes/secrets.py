"""Secrets in Kubernetes: `kubernetes:NAMESPACE/NAME/KEY`, read anew each time.

The role that is shipped may read no Secret at all. Where one is named, grant `get` on it alone, by
its `resourceNames`.
"""

import base64
import binascii
import re
from collections.abc import Mapping

from activities.integrations.kubernetes.api import Api
from activities.secrets import NoSecret
from rollback_manager.errors import NotFound, PermanentError

PART = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
KEY = re.compile(r"[A-Za-z0-9._-]{1,253}")


class KubernetesSecrets:
    """Of the clusters in the catalogue; where there are several, the cluster's name comes first."""

    def __init__(self, clusters: Mapping[str, Api]) -> None:
        self._clusters = clusters

    def read(self, place: str) -> str:
        """The text of that key."""
        api, namespace, name, key = self._named(place)
        try:
            secret = api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except NotFound:
            raise NoSecret("does not exist") from None
        except PermanentError:  # its words are the API's, and say nothing that helps more
            raise NoSecret("may not be read by the worker's account") from None
        coded = (secret.get("data") or {}).get(key)
        if coded is None:
            raise NoSecret("has no such key")
        try:
            return base64.b64decode(coded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise NoSecret("is no text") from None

    def _named(self, place: str) -> tuple[Api, str, str, str]:
        parts = place.split("/")
        if len(parts) == 3 and len(self._clusters) == 1:
            parts = [*self._clusters, *parts]
        if len(parts) != 4 or parts[0] not in self._clusters:
            known = ", ".join(sorted(self._clusters)) or "none"
            raise NoSecret(f"names no key of a Secret in a cluster of the catalogue ({known})")
        cluster, namespace, name, key = parts
        if not (PART.fullmatch(namespace) and PART.fullmatch(name) and KEY.fullmatch(key)):
            raise NoSecret("is not written as NAMESPACE/NAME/KEY")
        return self._clusters[cluster], namespace, name, key
