"""`doctor --kubernetes`: a worker with the shipped account on a real cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from activities.clusters import ClusterActivities
from activities.integrations.kubernetes import Api, KubernetesAccess
from demo.kubernetes.api import connected
from rollback_manager.access import Checked, ClustersAsked
from rollback_manager.catalogue import Catalogue
from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.platforms import Cluster
from tests.kubernetes import cluster as clusters
from tests.kubernetes.installed import DEPLOY, IMAGE_ONLY, Installed
from tests.kubernetes.objects import path_of, until

ROLE = path_of("roles", IMAGE_ONLY, "rollback-manager")


@pytest.fixture
def catalogue(ours: Installed, cluster: clusters.Cluster) -> Catalogue:
    """The shipped one, with this cluster's UID and the account's own kubeconfig."""
    text = (DEPLOY / "catalogue.yaml").read_text()
    found = read_catalogue(text.replace("00000000-0000-0000-0000-000000000000", cluster.uid))
    named = Cluster(kubeconfig=str(ours.kubeconfig), context="local", uid=cluster.uid)
    return found.model_copy(update={"clusters": {"main": named}})


@pytest.fixture
def role(cluster: clusters.Cluster, ours: Installed) -> Iterator[None]:
    """What a test changes in the shipped Role is put back."""
    rules = cluster.api.get(ROLE)["rules"]
    yield
    cluster.api.put(ROLE, cluster.api.get(ROLE) | {"rules": rules})


def checked(catalogue: Catalogue, env: str = "") -> list[Checked]:
    """The activity with a worker's own parts."""
    access = {name: KubernetesAccess(Api(name, one)) for name, one in catalogue.clusters.items()}
    return list(ClusterActivities(catalogue, access).check_clusters(ClustersAsked(env=env)).checks)


def of(found: list[Checked], level: str) -> list[str]:
    """What was told at that level."""
    return [one.told for one in found if one.level == level]


def test_the_shipped_rights_are_enough_and_not_too_much(
    catalogue: Catalogue, cluster: clusters.Cluster
) -> None:
    """Everything is in order, the policies too."""
    found = checked(catalogue, "prod")
    assert [one for one in found if one.level != "ok"] == []
    assert f"uid {cluster.uid} as pinned" in found[0].told
    assert {one.check for one in found} >= {
        "rights in shop",
        "rights in orders",
        "policy rollback-manager-image-only",
    }


def test_a_right_that_is_missing_is_a_sentence_and_a_command(
    catalogue: Catalogue, cluster: clusters.Cluster, role: None
) -> None:
    """With the name of the object that could not be changed."""
    rules = cluster.api.get(ROLE)["rules"]
    for rule in rules:
        if rule["resources"] == ["deployments"]:
            rule["resourceNames"].remove("till")
    cluster.api.put(ROLE, cluster.api.get(ROLE) | {"rules": rules})
    lacks = until(lambda: of(checked(catalogue), "fail"), bool)
    assert lacks == [
        "cannot get deployments till in shop (cluster main)",
        "cannot patch deployments till in shop (cluster main)",
    ]
    step = next(one.next_step for one in checked(catalogue) if one.level == "fail")
    assert step.startswith("rollback-manager catalogue rbac FILE --env prod --cluster main |")


@pytest.mark.parametrize(
    ("group", "resources", "verbs", "told"),
    [
        ("", ["secrets"], ["get"], "may get secrets in shop"),
        ("", ["pods/exec"], ["create"], "may create pods/exec in shop"),
        ("", ["pods"], ["create", "list"], "may create pods in shop"),
        ("*", ["*"], ["*"], "may do anything to everything in shop"),
        ("apps", ["deployments"], ["patch"], "may patch deployments in shop"),
        ("", ["serviceaccounts/token"], ["create"], "may create serviceaccounts/token in shop"),
    ],
)
def test_a_right_that_nobody_asked_for_is_named(
    catalogue: Catalogue,
    cluster: clusters.Cluster,
    role: None,
    group: str,
    resources: list[str],
    verbs: list[str],
    told: str,
) -> None:
    """T25, F67: a warning, for the rollback would work."""
    rules = cluster.api.get(ROLE)["rules"]
    rules.append({"apiGroups": [group], "resources": resources, "verbs": verbs})
    cluster.api.put(ROLE, cluster.api.get(ROLE) | {"rules": rules})
    warned = until(lambda: of(checked(catalogue), "warn"), bool)
    assert any(one.startswith(told) for one in warned), warned
    assert of(checked(catalogue), "fail") == []


def test_another_cluster_is_not_asked_any_further(
    catalogue: Catalogue, cluster: clusters.Cluster
) -> None:
    """Its rights say nothing about those that are needed."""
    named = catalogue.clusters["main"].model_copy(update={"uid": "0" * 36})
    (only,) = checked(catalogue.model_copy(update={"clusters": {"main": named}}))
    assert only.level == "fail"
    assert f"another cluster: uid {cluster.uid}" in only.told


def test_a_cluster_that_does_not_answer_is_said_to_be_so(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    """In a few seconds."""
    nowhere = tmp_path / "nowhere"
    text = Path(catalogue.clusters["main"].kubeconfig).read_text()
    with connected(Path(catalogue.clusters["main"].kubeconfig)) as api:
        nowhere.write_text(
            text.replace(str(api.client.base_url).rstrip("/"), "https://127.0.0.1:1")
        )
    named = catalogue.clusters["main"].model_copy(update={"kubeconfig": str(nowhere)})
    (only,) = checked(catalogue.model_copy(update={"clusters": {"main": named}}))
    assert (only.level, "gave no answer" in only.told) == ("fail", True)
