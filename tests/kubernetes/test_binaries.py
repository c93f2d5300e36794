"""Where the programs of the control plane are looked for. Small scripts stand in for them."""

import asyncio
import shutil
from pathlib import Path

import pytest

from demo.kubernetes import binaries
from demo.kubernetes.binaries import API_SERVER, CONTROLLERS, ETCD, PARTS, cached, find
from rollback_manager.errors import PermanentError

GOOD = "etcd Version: 3.6.4"
TOO_OLD = "etcd Version: 3.4.23"
TOOLS = ("env", "sh", "sleep", "cp", "cat", "chmod")


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def parts(folder: Path, *names: str, etcd: str = GOOD) -> Path:
    for name in names or PARTS:
        program(folder / name, f"echo '{etcd}'")
    return folder


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, with neither Go nor a part of Kubernetes; no other is named."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(str(shutil.which(tool)))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv(binaries.ASSETS, raising=False)
    return folder


async def test_the_assets_come_before_path(
    bin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts(bin_folder)
    assets = parts(tmp_path / "assets")
    monkeypatch.setenv(binaries.ASSETS, str(assets))
    found = await find(print, cache=tmp_path)
    assert found.how == f"KUBEBUILDER_ASSETS ({assets})"
    assert found.commands == {part: (str(assets / part),) for part in PARTS}


async def test_assets_without_controllers_are_passed_over_aloud(
    bin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts(bin_folder)
    monkeypatch.setenv(binaries.ASSETS, str(parts(tmp_path / "assets", ETCD, API_SERVER)))
    told: list[str] = []
    found = await find(told.append, cache=tmp_path)
    assert found.how == "programs on PATH"
    assert found.passed_over == tuple(told)
    assert "no kube-controller-manager" in told[0]


async def test_an_old_etcd_is_passed_over(bin_folder: Path, tmp_path: Path) -> None:
    parts(bin_folder, etcd=TOO_OLD)
    program(cached(tmp_path), "")
    found = await find(print, cache=tmp_path)
    assert found.how == "our cache"
    assert "etcd 3.5.13 or newer is needed" in found.passed_over[0]
    assert found.commands[CONTROLLERS] == (str(cached(tmp_path)), CONTROLLERS)


@pytest.mark.usefixtures("bin_folder")
async def test_with_nothing_there_the_error_names_every_way(tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as caught:
        await find(print, cache=tmp_path)
    text = str(caught.value)
    assert "no go on PATH" in text
    assert "export ROLLBACK_TEST_KUBECONFIG=" in text
    assert "export KUBEBUILDER_ASSETS=" in text
    assert f"cd {binaries.SOURCES} && CGO_ENABLED=0 go build" in text
    assert str(cached(tmp_path)) in text


async def test_of_two_that_need_it_one_builds_and_the_other_finds_it(
    bin_folder: Path, tmp_path: Path
) -> None:
    built = program(bin_folder / "built", "")
    program(bin_folder / "go", f'echo "$@" >> "$0.args"; sleep 0.5; cp {built} control-plane')
    told: list[str] = []
    found = await asyncio.gather(
        find(told.append, cache=tmp_path), find(told.append, cache=tmp_path)
    )
    assert {each.how for each in found} == {"built with Go", "our cache"}
    (build,) = (bin_folder / "go.args").read_text().splitlines()
    assert "version.gitVersion=v1.34.4" in build
    assert any("typically 6 to 9 minutes" in line for line in told)
    assert {file.name for file in cached(tmp_path).parent.iterdir()} == {"control-plane", "lock"}


@pytest.mark.parametrize("name", binaries.FILES)
def test_other_sources_are_another_program(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(binaries.SOURCES, tmp_path / "sources")
    before = cached(tmp_path)
    monkeypatch.setattr(binaries, "SOURCES", tmp_path / "sources")
    assert cached(tmp_path) == before
    with (tmp_path / "sources" / name).open("a") as file:
        file.write("\n")
    assert cached(tmp_path) != before


def test_the_sources_travel_with_the_code() -> None:
    assert {file.name for file in binaries.SOURCES.iterdir()} == set(binaries.FILES)
