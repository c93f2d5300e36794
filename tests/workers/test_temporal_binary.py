"""Where the dev server's program is looked for. Small scripts stand in for programs here."""

import asyncio
import os
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from rollback_manager.errors import PermanentError
from workers import go_build, temporal_binary
from workers.temporal_binary import cached_binary, find_binary

GOOD = "temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)"
TOO_OLD = "temporal version 1.3.0 (Server 1.27.1, UI 2.36.0)"


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of ours on PATH; neither `temporal` nor `go` is anywhere else on it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("env", "sh", "sleep", "cp", "cat", "chmod"):
        (folder / tool).symlink_to(
            f"/bin/{tool}" if Path(f"/bin/{tool}").exists() else f"/usr/bin/{tool}"
        )
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(folder: Path, progress: go_build.Progress) -> Path:
        raise PermanentError("the Temporal SDK's download failed: no route to host")

    monkeypatch.setattr(temporal_binary, "_download", fail)


async def test_path_comes_before_the_cache(bin_folder: Path, tmp_path: Path) -> None:
    on_path = program(bin_folder / "temporal", f"echo '{GOOD}'")
    program(cached_binary(tmp_path), f"echo '{GOOD}'")
    found = await find_binary(print, cache=tmp_path)
    assert (found.path, found.how, found.passed_over) == (on_path, "temporal on PATH", ())


@pytest.mark.usefixtures("bin_folder")
async def test_the_cache_comes_before_any_fetching(tmp_path: Path) -> None:
    cached = program(cached_binary(tmp_path), f"echo '{GOOD}'")
    found = await find_binary(print, cache=tmp_path)
    assert (found.path, found.how) == (cached, "our cache")


@pytest.mark.parametrize("script", [f"echo '{TOO_OLD}'", "exit 1", "echo hello"])
async def test_a_program_that_is_not_new_enough_is_passed_over_with_the_reason(
    bin_folder: Path, tmp_path: Path, script: str
) -> None:
    program(bin_folder / "temporal", script)
    program(cached_binary(tmp_path), f"echo '{GOOD}'")
    told: list[str] = []
    found = await find_binary(told.append, cache=tmp_path)
    assert found.how == "our cache"
    assert found.passed_over == tuple(told)
    assert "server 1.29 or newer is needed" in told[0]


async def test_a_file_that_is_no_program_is_passed_over(bin_folder: Path, tmp_path: Path) -> None:
    (bin_folder / "temporal").write_bytes(b"\x7fELF, cut short")
    (bin_folder / "temporal").chmod(0o755)
    program(cached_binary(tmp_path), f"echo '{GOOD}'")
    found = await find_binary(print, cache=tmp_path)
    assert "does not run" in found.passed_over[0]


@pytest.mark.usefixtures("bin_folder", "no_download")
async def test_with_nothing_there_the_error_names_every_way(tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as caught:
        await find_binary(print, cache=tmp_path)
    text = str(caught.value)
    assert "no route to host" in text
    assert "no go on PATH" in text
    assert "export TEMPORAL_ADDRESS=" in text
    assert str(cached_binary(tmp_path)) in text
    folder = cached_binary(tmp_path).parent
    assert "go get github.com/temporalio/cli/cmd/temporal@v1.5.1 modernc.org/sqlite@v1.44.3" in text
    assert f"cp temporal {folder}/temporal" in text


@pytest.mark.usefixtures("bin_folder")
async def test_the_sdk_is_asked_for_a_download_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def download(folder: Path, progress: go_build.Progress) -> Path:
        return program(folder / "temporal-v1.5.1", f"echo '{GOOD}'")

    monkeypatch.setattr(temporal_binary, "_download", download)
    found = await find_binary(print, cache=tmp_path)
    assert (found.path, found.how) == (cached_binary(tmp_path), "downloaded by the Temporal SDK")
    assert left_behind(tmp_path) == {"temporal", "lock"}


async def test_the_sdk_starts_what_it_downloaded_and_the_file_is_kept(tmp_path: Path) -> None:
    """A file under the SDK's own name counts as downloaded, so this part runs without a network."""
    real = (await find_binary(print)).path
    (tmp_path / f"temporal-v{temporal_binary.CLI_VERSION}").symlink_to(real)
    kept = await temporal_binary._download(tmp_path, print)
    assert temporal_binary.fault_of(kept) == ""


@pytest.mark.usefixtures("no_download")
async def test_go_builds_beside_the_cache_and_tells_how_it_goes_on(
    bin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporal_binary, "PROGRESS_EVERY_S", 0.2)
    fake_go(bin_folder, seconds=0.8)
    told: list[str] = []
    found = await find_binary(told.append, cache=tmp_path)
    assert (found.path, found.how) == (cached_binary(tmp_path), "built with Go")
    assert "no route to host" in found.passed_over[0]
    assert sum("building" in line for line in told) >= 3
    assert (bin_folder / "go.args").read_text() == (
        "mod init dev-server\n"
        "get github.com/temporalio/cli/cmd/temporal@v1.5.1 modernc.org/sqlite@v1.44.3\n"
        "build -o temporal github.com/temporalio/cli/cmd/temporal\n"
    )
    assert left_behind(tmp_path) == {"temporal", "lock"}


@pytest.mark.usefixtures("no_download")
async def test_of_two_that_need_it_one_builds_and_the_other_finds_it(
    bin_folder: Path, tmp_path: Path
) -> None:
    fake_go(bin_folder, seconds=0.5)
    told: list[str] = []
    found = await asyncio.gather(
        find_binary(told.append, cache=tmp_path), find_binary(told.append, cache=tmp_path)
    )
    assert {each.how for each in found} == {"built with Go", "our cache"}
    assert (bin_folder / "go.args").read_text().count("build") == 1
    assert any(line.startswith(f"waiting for pid {os.getpid()}") for line in told)


@pytest.mark.usefixtures("no_download")
async def test_a_build_that_fails_is_quoted(bin_folder: Path, tmp_path: Path) -> None:
    program(bin_folder / "go", "echo 'go: module not found' >&2; exit 1")
    with pytest.raises(PermanentError, match="failed: go: module not found"):
        await find_binary(print, cache=tmp_path)
    assert left_behind(tmp_path) == {"lock"}


@pytest.mark.usefixtures("no_download")
async def test_a_build_that_is_cancelled_leaves_nothing(bin_folder: Path, tmp_path: Path) -> None:
    program(bin_folder / "go", 'echo $$ > "$0.pid"; sleep 60')
    task = asyncio.create_task(find_binary(print, cache=tmp_path))
    while not (bin_folder / "go.pid").exists():
        await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        await gone(int((bin_folder / "go.pid").read_text()))
    assert left_behind(tmp_path) == {"lock"}


async def test_a_download_that_stands_still_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(**_: str) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(WorkflowEnvironment, "start_local", hang)
    monkeypatch.setattr(temporal_binary, "DOWNLOAD_STALL_S", 0.5)
    with pytest.raises(PermanentError, match="stood still"):
        await temporal_binary._download(tmp_path, print)


async def gone(pid: int) -> None:
    """Killed with its group it still has to be collected, by whoever inherits it."""
    async with asyncio.timeout(10):
        while True:
            os.kill(pid, 0)
            await asyncio.sleep(0.05)


def fake_go(folder: Path, seconds: float) -> None:
    good = program(folder / "built", f"echo '{GOOD}'")
    program(
        folder / "go",
        f'echo "$@" >> "$0.args"; [ $1 = build ] || exit 0; sleep {seconds}; cp {good} temporal',
    )


def left_behind(cache: Path) -> set[str]:
    return {file.name for file in cached_binary(cache).parent.iterdir()}
