"""The words with which a person does the same, past this product."""

import shlex

from activities.integrations.kubernetes.world import Reader


def kubectl(reader: Reader) -> str:
    """kubectl at the cluster and namespace of the catalogue, whatever the current context is."""
    return kubectl_at(reader.api.context, reader.target.namespace)


def kubectl_at(context: str, namespace: str) -> str:
    """The same where only the names are known; without a context, inside the cluster."""
    words = ["kubectl", *(["--context", context] if context else []), "-n", namespace]
    return " ".join(map(shlex.quote, words))
