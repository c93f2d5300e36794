"""One value in a text of YAML, exchanged without touching anything around it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from rollback_manager.git_text import MOST_CHARACTERS, NotThere, documents, exchanged, find

KUSTOMIZATION = """\
# deployed by GitOps; do not edit by hand
resources:
    - ../../base   # odd indentation stays
images:
- name: other
  newTag: v3
- name: shop
  newName: registry.example:5000/team/shop
  newTag:   "v3"   # the release
patches: [{path: a.yaml, target: {kind: Deployment}}]
"""
TWO = "kind: Service\nmetadata: {name: shop}\n---\nkind: Deployment\nspec:\n  image: shop:v3\n"


def new(text: str, key: str, value: str) -> str:
    return exchanged(text, {find(documents(text), key): value})


def why_not(text: str, key: str) -> str:
    with pytest.raises(NotThere) as nothing:
        find(documents(text), key)
    return str(nothing.value)


def test_only_the_value_changes() -> None:
    changed = new(KUSTOMIZATION, "images[name=shop].newTag", "v2")
    assert changed == KUSTOMIZATION.replace('"v3"', '"v2"')
    assert new(KUSTOMIZATION, "images[0].newTag", "v2") == KUSTOMIZATION.replace(" v3\n", " v2\n")


def test_the_document_that_has_the_key_is_taken() -> None:
    assert new(TWO, "spec.image", "shop:v2") == TWO.replace("v3", "v2")


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("before", ["", "\ufeff", "# ä – 🙂\n"])
def test_line_ends_marks_and_letters_stay(before: str, ends: str) -> None:
    text = before + TWO.replace("\n", ends)
    assert new(text, "spec.image", "shop:v2") == text.replace("v3", "v2")


def test_json_is_yaml() -> None:
    text = json.dumps({"images": [{"name": "shop", "newTag": "v3"}]}, indent=3)
    assert new(text, "images[name=shop].newTag", "v2") == text.replace("v3", "v2")


@pytest.mark.parametrize("version", ["1.10", "010", "no", "1e3", "null", "0x1f", "12:30:45", "~"])
def test_what_a_reader_would_take_for_a_number_is_quoted(version: str) -> None:
    assert new("tag: v3\n", "tag", version) == f'tag: "{version}"\n'


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("a: {b: v3}", "a.c", "no such key"),
        ("a: [v3]", "a[1]", "no such key"),
        ("a: v3", "a.b", "no such key"),
        ("- v3", "a", "no such key"),
        ("", "a", "no such key"),
        ("a: 1.10", "a", "quote it"),
        ("a: true", "a", "quote it"),
        ("a:", "a", "quote it"),
        ("a: {b: c}", "a", "one line"),
        ("a: |\n  v3\n", "a", "one line"),
        ("a: v3\na: v2", "a", "2 places"),
        ("a: v3\n---\na: v3", "a", "2 places"),
        ("a: [{name: x, t: 1}, {name: x, t: 2}]", "a[name=x].t", "2 places"),
        ("a: &x v3\nb: *x", "b", "anchor or alias"),
        ("a: &x v3\nb: *x", "a", "anchor or alias"),
        ("a: &x {t: v3}\nb: *x", "b.t", "anchor or alias"),
        ("a: &x {t: v3}\nb: {<<: *x}", "b.t", "no such key"),
        ("a: [", "a", "cannot be read as YAML (line"),
        ("a: \x00", "a", "cannot be read"),
        ("a: *nothing", "a", "cannot be read"),
        ("- " * 5000, "a", "cannot be read"),
        ("a: " + "[" * 50_000, "a", "100 brackets"),
        ("{{ .Values.x }}: v3\n- b", "a", "cannot be read"),
        ("a: " + "x" * MOST_CHARACTERS, "a", "100,000 characters"),
    ],
)
def test_it_says_why_nothing_is_named(text: str, key: str, said: str) -> None:
    assert said in why_not(text, key)


def test_a_bomb_of_aliases_costs_nothing() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    assert new("\n".join([*lines, "tag: v3"]), "tag", "v2").endswith("tag: v2")


@given(
    st.text(st.characters(categories=["L", "N", "P"], max_codepoint=0x2FF), min_size=1),
    st.sampled_from(["v3", "'v3'", '"v3"']),
)
def test_what_is_written_reads_back(value: str, before: str) -> None:
    text = f"a: 1\nb: {{c: {before}, d: x}}\ne: y\n"
    tree = YAML(typ="safe", pure=True).load(new(text, "b.c", value))
    assert tree == {"a": 1, "b": {"c": value, "d": "x"}, "e": "y"}
