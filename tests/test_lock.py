"""One lock for everything, with hashes, that names no place to download from."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# In parts, so that this file passes its own test.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("maven", "apache", "org"),
        ("deb", "debian", "org"),
    )
]


def wanted() -> list[Requirement]:
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    lines = [
        *PROJECT["build-system"]["requires"],
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
        *(line for group in groups.values() for line in group),
    ]
    return [each for each in map(Requirement, lines) if each.name != project["name"]]


def locked() -> Iterator[tuple[NormalizedName, Version, str]]:
    """Each entry of the lock: the name, the version and the lines with its hashes."""
    text = (ROOT / "requirements.lock").read_text()
    for entry in re.split(r"^(?=[a-z0-9])", text, flags=re.M)[1:]:
        head, _, rest = entry.partition("\n")
        pin = re.match(r"([\w.-]+)==([^\s;]+)", head)
        assert pin, f"not pinned to one version: {head}"
        yield canonicalize_name(pin[1]), Version(pin[2]), rest


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_the_lock_covers_every_dependency(requirement: Requirement) -> None:
    name = canonicalize_name(requirement.name)
    versions = [version for locked_name, version, _ in locked() if locked_name == name]
    assert versions, "run: make lock"
    assert all(requirement.specifier.contains(version) for version in versions), "run: make lock"


def test_every_entry_of_the_lock_has_hashes() -> None:
    without = [name for name, _, rest in locked() if "--hash=sha256:" not in rest]
    assert not without


def test_no_file_names_a_registry() -> None:
    listing = subprocess.run(  # what git tracks, and what it will track with the next `git add`
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    pattern = re.compile("|".join(map(re.escape, REGISTRIES)).encode())
    paths = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    assert not [path for path in paths if path.is_file() and pattern.search(path.read_bytes())]
