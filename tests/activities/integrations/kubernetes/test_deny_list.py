"""Under which names an image is denied. No cluster asked."""

from typing import Any

import pytest

from activities.integrations.kubernetes import deny_list, objects
from activities.integrations.kubernetes.world import World

LABEL = "app.kubernetes.io/version"
DIGEST = f"sha256:{'1a' * 32}"


def world(image: str) -> World:
    """One pod of v1 that runs that image."""
    template: dict[str, Any] = {
        "metadata": {"labels": {LABEL: "v1"}},
        "spec": {"containers": [{"name": "main", "image": image}]},
    }
    told = {"name": "main", "imageID": f"any@{DIGEST}", "ready": True, "state": {"running": {}}}
    item = {
        "metadata": {"name": "a", "uid": "a", "labels": {LABEL: "v1"}},
        "spec": template["spec"],
        "status": {"phase": "Running", "containerStatuses": [told]},
    }
    controller = {"metadata": {"uid": "c"}, "spec": {"template": template}}
    return World({"shop": controller}, {}, (objects.pod(item, LABEL),), 0.0)


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("shop:v1", "shop"),
        ("shop", "shop"),
        ("registry.example:5000/team/shop:v1", "registry.example:5000/team/shop"),
        ("registry.example:5000/shop", "registry.example:5000/shop"),
        (f"registry.example/shop@{DIGEST}", "registry.example/shop"),
        (f"registry.example/shop:v1@{DIGEST}", "registry.example/shop"),
    ],
)
def test_an_image_is_denied_as_written_and_by_digest(image: str, repository: str) -> None:
    """However it is named, the line names a repository."""
    lines = deny_list.images(world(image), "v1", LABEL)
    assert set(lines) == {image, f"{repository}@{DIGEST}"}
