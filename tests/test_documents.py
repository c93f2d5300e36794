"""What the documents say is so: the schema, the example, the README's commands."""

import ast
import importlib
import json
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from rollback_manager.__main__ import usage
from rollback_manager.catalogue import json_schema
from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.verbs import VERBS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "demo" / "catalogue.example.yaml"
SCHEMA = ROOT / "docs" / "catalogue.schema.json"
OURS = "rollback-manager"
GROUPS = ("releases", "catalogue", "incident", "decisions")
"""Verbs with a word of their own behind them."""


def fenced(language: str) -> list[str]:
    """The README's blocks in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every command of ours that the README quotes, in a block or in a line."""
    prompted = [line[2:] for block in fenced("console") for line in block.splitlines() if line]
    quoted = re.findall(rf"`({OURS} [^`]+)`", README.replace("\n", " "))
    return sorted({line for line in [*prompted, *quoted] if line.startswith(OURS)})


def make_targets() -> list[str]:
    return sorted(set(re.findall(r"[`$] ?make ([a-z][a-z-]*)", README)))


@cache
def help_of(*verb: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "rollback_manager", *verb, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout


def test_the_published_schema_is_that_of_the_code() -> None:
    wrong = "rollback-manager catalogue schema > docs/catalogue.schema.json"
    assert SCHEMA.read_text(encoding="utf-8") == json_schema(), wrong


def test_the_example_is_a_catalogue_by_the_schema_and_by_the_reader() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(YAML(typ="safe").load(text))
    assert read_catalogue(text, EXAMPLE.name).services


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_readme_exists_with_all_its_options(command: str) -> None:
    _, verb, *rest = shlex.split(command, comments=True)
    if verb == "--help":
        return
    assert verb in VERBS
    told = help_of(verb, rest[0]) if verb in GROUPS else help_of(verb)
    for option in (word for word in rest if word.startswith("--")):
        assert re.search(rf"(^|[\s,/]){option}\b", told), told


@pytest.mark.parametrize("target", make_targets())
def test_a_target_of_make_that_the_readme_names_exists(target: str) -> None:
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", rules, re.MULTILINE)


def test_the_readme_lists_the_verbs_as_the_program_does() -> None:
    assert usage() in "\n".join(fenced("text"))


def test_the_readme_links_to_what_is_there() -> None:
    links = re.findall(r"\]\s?\((?!https?:)([^)#\s]+)\)", README.replace("\n", " "))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("block", fenced("python"))
def test_the_names_that_the_readmes_python_imports_exist(block: str) -> None:
    tree = compile(block, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert imports
    for node in imports:
        module = importlib.import_module(str(node.module))
        assert [name.name for name in node.names if not hasattr(module, name.name)] == []
