"""A secret by reference, out of a real Secret of a real control plane."""

import base64

import pytest

from activities.integrations.kubernetes.api import Api
from activities.integrations.kubernetes.secrets import KubernetesSecrets
from activities.secrets import Secrets
from rollback_manager import platforms as catalogue
from rollback_manager.errors import PermanentError
from tests.kubernetes.cluster import Cluster

CANARY = "s3cr3t-of-the-gateway"


@pytest.fixture
def secrets(cluster: Cluster, namespace: str) -> Secrets:
    coded = base64.b64encode(CANARY.encode()).decode()
    body = {"metadata": {"name": "gateway"}, "data": {"signing": coded, "raw": "//79"}}
    cluster.api.post(f"/api/v1/namespaces/{namespace}/secrets", body)
    api = Api("main", catalogue.Cluster(kubeconfig=str(cluster.kubeconfig), context="local"))
    return Secrets({"kubernetes": KubernetesSecrets({"main": api})})


def test_a_key_of_a_secret_is_read_by_reference(secrets: Secrets, namespace: str) -> None:
    assert secrets.resolve(f"kubernetes:{namespace}/gateway/signing") == CANARY
    assert secrets.resolve(f"kubernetes:main/{namespace}/gateway/signing") == CANARY


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("{}/gateway/other", "no such key"),
        ("{}/nobody/signing", "does not exist"),
        ("{}/gateway/raw", "no text"),
        ("{}/../gateway/signing", "in a cluster of the catalogue"),
        ("{}/Gateway/signing", "NAMESPACE/NAME/KEY"),
        ("elsewhere/{}/gateway/signing", "in a cluster of the catalogue"),
    ],
)
def test_what_is_not_there_is_refused_by_the_reference_alone(
    secrets: Secrets, namespace: str, place: str, said: str
) -> None:
    reference = f"kubernetes:{place.format(namespace)}"
    with pytest.raises(PermanentError, match=said) as refused:
        secrets.resolve(reference)
    assert reference in refused.value.what
    assert CANARY not in f"{refused.value} {refused.value.__cause__}"
