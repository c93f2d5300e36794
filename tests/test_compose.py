"""What docker-compose.yml promises, as far as it can be held to it without Docker."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from proof.temporal_server.programs import SERVER, UI

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SECURED_FILE = ROOT / "deploy/docker-compose.secured.yml"
SECURED: dict[str, Any] = YAML(typ="safe").load(SECURED_FILE)


def script(name: str) -> str:
    """A script as the container sees it: Compose turns each doubled dollar sign into one."""
    content: str = COMPOSE["configs"][name]["content"]
    assert "$" not in content.replace("$$", ""), "Compose itself would fill this in"
    return content.replace("$$", "$")


def test_it_is_a_compose_file() -> None:
    schema = json.loads((ROOT / "tests/schemas/compose-spec.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(COMPOSE)


def test_the_secured_one_adds_to_services_that_are_there_and_opens_no_port() -> None:
    schema = json.loads((ROOT / "tests/schemas/compose-spec.json").read_text())
    Draft202012Validator(schema).validate(SECURED)
    assert SECURED["services"].keys() <= SERVICES.keys()
    assert not [one for one in SECURED["services"].values() if "ports" in one]
    named = r"^\s*\w*(?:API_KEY|SECRET|TOKEN): (.*?)(?: #.*)?$"
    for value in re.findall(named, SECURED_FILE.read_text(), flags=re.M):
        assert re.match(r"\$\{\w+:\?|file:/", value), "by reference, or asked for"


def test_the_programs_that_are_tried_with_tokens_are_of_these_versions() -> None:
    assert SERVICES["temporal"]["image"] == f"temporalio/server:{SERVER.version}"
    assert SERVICES["temporal-ui"]["image"] == f"temporalio/ui:{UI.version}"
    for programs in (SERVER, UI):
        assert f" v{programs.version} // indirect" in (programs.sources / "go.mod").read_text()


def test_it_answers_on_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_it_carries_no_secret() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    values = re.findall(r"^\s*\w*(?:PASSWORD|PWD): (.*)$", text, flags=re.M)
    assert set(values) == {"${POSTGRES_PASSWORD:?set it in .env}"}


def test_each_image_is_pinned() -> None:
    images = [service["image"] for service in SERVICES.values() if "build" not in service]
    assert all(re.search(r":\d", image) for image in images)


def test_server_and_tools_are_of_one_version() -> None:
    images = {service.get("image", "") for service in SERVICES.values()}
    of_temporal = {
        image for image in images if re.search(r"temporalio/(server|admin-tools):", image)
    }
    assert len({image.partition(":")[2] for image in of_temporal}) == 1


def test_services_wait_for_services_that_exist_and_can_tell() -> None:
    for service in SERVICES.values():
        for needed, how in service.get("depends_on", {}).items():
            tells = "healthcheck" in SERVICES[needed]
            assert how["condition"] == (
                "service_healthy" if tells else "service_completed_successfully"
            )


@pytest.mark.parametrize("name", ["schema", "namespace"])
def test_scripts_are_shell(name: str) -> None:
    subprocess.run(["/bin/sh", "-n"], input=script(name), text=True, check=True)


def test_the_namespace_gets_our_search_attributes() -> None:
    assert set(re.findall(r"\bRollback[A-Z]\w+", script("namespace"))) == {
        "RollbackEnv",
        "RollbackService",
        "RollbackServices",
        "RollbackState",
        "RollbackSeverity",
        "RollbackStrategy",
        "RollbackTrigger",
        "RollbackIncident",
    }
