"""Which release the files of the deployed branch name, and their texts after the way back."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field
from ruamel.yaml.nodes import Node

from rollback_manager import git_text
from rollback_manager.git_source import GitEdit
from rollback_manager.git_text import NotThere, Place
from rollback_manager.values import Value

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
LONGEST = 200


class Naming(Value):
    """How a release is called where it is deployed: its tag, and its image's digest if known.

    image_digest is the registry's, never the digest of a pod template.
    """

    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")]
    image_digest: Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64})?$")] = ""


class Names(StrEnum):
    """Which release a place in Git names."""

    BAD = "bad"
    GOOD = "good"
    OTHER = "other"
    """Neither: somebody moved on."""
    UNCLEAR = "unclear"


WORST_FIRST = (Names.UNCLEAR, Names.OTHER, Names.BAD, Names.GOOD)


@dataclass(frozen=True)
class Judged:
    """What the files name, and their texts with the good release in place of the bad one."""

    names: Names
    because: str
    texts: Mapping[str, str]


def judge(
    edits: Sequence[GitEdit], texts: Mapping[str, str | NotThere], bad: Naming, good: Naming
) -> Judged:
    """Which release all the places together name; the worst answer of them counts.

    texts: file → its text, or why there is none.
    """
    roots = {file: _documents(text) for file, text in texts.items()}
    found = [_look(edit, roots[edit.file], bad, good) for edit in edits]
    worst = next(names for names in WORST_FIRST if names in {one.names for one in found})
    because = "; ".join(one.said for one in found if one.names is worst)[: 3 * LONGEST]
    if worst is not Names.BAD:
        return Judged(worst, because, {})
    new = _rewritten(found, texts)
    if judge(edits, {**texts, **new}, bad, good).names is not Names.GOOD:
        return Judged(Names.UNCLEAR, f"{because}; no change was found that reads back well", {})
    return Judged(worst, because, new)


def _documents(text: str | NotThere) -> list[Node] | NotThere:
    try:
        return text if isinstance(text, NotThere) else git_text.documents(text)
    except NotThere as nothing:
        return nothing


@dataclass(frozen=True)
class _Seen:
    edit: GitEdit
    names: Names
    said: str
    place: Place | None = None
    new: str = ""


def _look(edit: GitEdit, roots: list[Node] | NotThere, bad: Naming, good: Naming) -> _Seen:
    where = f"{edit.file}: {edit.key}"
    try:
        if isinstance(roots, NotThere):
            raise roots
        place = git_text.find(roots, edit.key)
        names, new = _read(_Reference.parse(place.value), bad, good)
    except NotThere as nothing:
        return _Seen(edit, Names.UNCLEAR, f"{where}: {nothing}"[:LONGEST])
    value = "".join(c if c.isprintable() else "?" for c in place.value)[:LONGEST]
    said = f"{where} names {value}"
    if names is Names.OTHER:
        said += f", which is neither {bad.version} nor {good.version}"
    return _Seen(edit, names, said, place, new)


def _rewritten(found: Sequence[_Seen], texts: Mapping[str, str | NotThere]) -> dict[str, str]:
    news: dict[str, dict[Place, str]] = {}
    for one in found:
        if one.names is Names.BAD and one.place:
            news.setdefault(one.edit.file, {})[one.place] = one.new
    return {file: git_text.exchanged(str(texts[file]), new) for file, new in news.items()}


@dataclass(frozen=True)
class _Reference:
    """`name:tag@digest`, each of which may be missing."""

    name: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, value: str) -> "_Reference":
        if DIGEST.fullmatch(value):
            return cls("", "", value)
        head, _, digest = value.partition("@")
        name, colon, tag = head.rpartition(":")
        if "/" in tag or (digest and not colon):  # the colon of a registry's port, or none
            return cls(head, "", digest)
        return cls(name, tag, digest)

    def is_of(self, naming: Naming) -> bool:
        """By digest where both have one: a tag can move."""
        if self.digest and naming.image_digest:
            return self.digest == naming.image_digest
        return self.tag == naming.version

    def of(self, naming: Naming) -> str:
        if self.digest and not naming.image_digest:
            raise NotThere(f"it pins a digest, and that of {naming.version} is not known")
        parts = [self.name, naming.version if self.tag else ""]
        head = ":".join(part for part in parts if part)
        return "@".join(part for part in (head, naming.image_digest if self.digest else "") if part)


def _read(found: _Reference, bad: Naming, good: Naming) -> tuple[Names, str]:
    """What it names, and what should stand there instead."""
    is_bad, is_good = found.is_of(bad), found.is_of(good)
    if is_bad and is_good:
        raise NotThere(f"{bad.version} and {good.version} cannot be told apart there")
    if not (is_bad or is_good or found.tag) and not (bad.image_digest and good.image_digest):
        raise NotThere("it names a digest alone, and not both releases' are known")
    if is_bad:
        return Names.BAD, found.of(good)
    return (Names.GOOD if is_good else Names.OTHER), ""
