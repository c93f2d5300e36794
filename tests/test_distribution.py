"""The wheel, as other people's programs meet it: one name, and a launcher that answers at once."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from rollback_manager.verbs import OURS, VERBS

ROOT = Path(__file__).parent.parent
HEAVY = ("pydantic", "rich", "temporalio", "typer")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of an environment with the wheel alone, not even what the wheel depends on."""
    return environment(tmp_path_factory.mktemp("bare"), wheel) / "bin"


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of an environment with the wheel and all it depends on, lent without a download.

    A folder named in a .pth file is searched, but the .pth files in it are not read: this
    repository, an editable install here, is not in sight there.
    """
    folder = environment(tmp_path_factory.mktemp("installed"), wheel)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    (site_packages / "lent.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin"


def environment(folder: Path, wheel: Path) -> Path:
    venv.create(folder, with_pip=False)
    pip = (sys.executable, "-m", "pip", "--python", str(folder / "bin/python"))
    run(*pip, "install", "--no-deps", "--no-index", "--disable-pip-version-check", str(wheel))
    return folder


def run(*command: str, cwd: Path = ROOT) -> str:
    """Without the folders that whoever runs the tests has added to all of their programs."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=kept, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_adds_one_name_to_site_packages(wheel: Path) -> None:
    top = {name.partition("/")[0] for name in ZipFile(wheel).namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"rollback_manager"}


def test_the_wheel_carries_code_and_nothing_private(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert not [name for name in names if Path(name).name.startswith(".") or "__pycache__" in name]


@pytest.mark.parametrize("verb", VERBS)
def test_the_wheel_carries_each_verb(wheel: Path, verb: str) -> None:
    module = VERBS[verb].module.replace(".", "/")
    assert f"rollback_manager/_app/{module}.py" in ZipFile(wheel).namelist()


def test_help_needs_nothing_but_the_wheel(bare: Path, tmp_path: Path) -> None:
    shown = run(str(bare / "rollback-manager"), "--help", cwd=tmp_path)
    assert all(verb in shown for verb in VERBS)


def test_version_is_the_installed_one(bare: Path, tmp_path: Path) -> None:
    assert run(str(bare / "rollback-manager"), "--version", cwd=tmp_path).split()[1][0].isdigit()


def test_an_unknown_verb_is_a_usage_error(bare: Path, tmp_path: Path) -> None:
    command = [str(bare / "rollback-manager"), "strat"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Did you mean 'start'?" in done.stderr


@pytest.mark.parametrize(("verb", "extra"), [("worker", "worker"), ("demo", "demo")])
def test_a_missing_extra_is_named(bare: Path, tmp_path: Path, verb: str, extra: str) -> None:
    command = [str(bare / "rollback-manager"), verb]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"pip install 'rollback-manager[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_other_programs_see_no_name_of_ours_but_one(installed: Path, tmp_path: Path) -> None:
    ask = "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])"
    seen = run(str(installed / "python"), "-c", ask, *OURS, cwd=tmp_path)
    assert seen.strip() == "['rollback_manager']"


def test_help_imports_nothing_heavy(installed: Path, tmp_path: Path) -> None:
    ask = (
        "import sys; from rollback_manager.__main__ import main; sys.argv = ['', '--help']; main();"
        f"print('heavy:', [name for name in {HEAVY} if name in sys.modules])"
    )
    assert run(str(installed / "python"), "-c", ask, cwd=tmp_path).endswith("heavy: []\n")


def test_the_doctor_says_what_is_missing_in_an_environment_of_its_own(
    installed: Path, tmp_path: Path
) -> None:
    nowhere = {"PATH": str(installed), "TEMPORAL_ADDRESS": "127.0.0.1:1", "HOME": str(tmp_path)}
    command = [str(installed / "rollback-manager"), "doctor"]
    done = subprocess.run(command, cwd=tmp_path, env=nowhere, capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    assert "Temporal does not answer at 127.0.0.1:1" in done.stdout
    assert "Traceback" not in done.stderr
