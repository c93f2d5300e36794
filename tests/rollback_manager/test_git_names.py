"""Which release the files of a deployed branch name."""

import pytest

from rollback_manager import git_text
from rollback_manager.git_names import Judged, Names, Naming, judge
from rollback_manager.git_source import GitEdit
from rollback_manager.git_text import NotThere, Place

D2, D3, D9 = ("sha256:" + digit * 64 for digit in "239")
BAD, GOOD = Naming(version="v3"), Naming(version="v2")
BAD_BITS = Naming(version="v3", image_digest=D3)
GOOD_BITS = Naming(version="v2", image_digest=D2)


def judged(value: str, bad: Naming = BAD, good: Naming = GOOD) -> Judged:
    edits = (GitEdit(file="a.yaml", key="image"),)
    return judge(edits, {"a.yaml": f"image: '{value}'\n"}, bad, good)


@pytest.mark.parametrize(
    ("value", "new"),
    [
        ("v3", "v2"),
        ("shop:v3", "shop:v2"),
        ("registry.example:5000/team/shop:v3", "registry.example:5000/team/shop:v2"),
    ],
)
def test_a_tag_goes_back(value: str, new: str) -> None:
    for bad, good in ((BAD, GOOD), (BAD_BITS, GOOD_BITS)):
        found = judged(value, bad, good)
        assert found.names is Names.BAD
        assert found.texts == {"a.yaml": f"image: '{new}'\n"}


@pytest.mark.parametrize(
    ("value", "new"),
    [
        (D3, D2),
        (f"shop@{D3}", f"shop@{D2}"),
        (f"localhost:5000/shop@{D3}", f"localhost:5000/shop@{D2}"),
        (f"shop:v3@{D3}", f"shop:v2@{D2}"),
    ],
)
def test_a_digest_goes_back(value: str, new: str) -> None:
    assert judged(value, BAD_BITS, GOOD_BITS).texts == {"a.yaml": f"image: '{new}'\n"}


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("v2", Names.GOOD),
        ("shop:v2", Names.GOOD),
        (f"shop:v2@{D2}", Names.GOOD),
        ("v4", Names.OTHER),
        ("shop:v4", Names.OTHER),
        ("shop", Names.OTHER),
        ("registry.example:5000/shop", Names.OTHER),
        (f"shop:v3@{D9}", Names.OTHER),
        (f"shop@{D9}", Names.OTHER),
        ("", Names.OTHER),
        ("v30", Names.OTHER),
        (f"shop:v2@{D3}", Names.BAD),
    ],
)
def test_what_is_not_the_bad_one_is_told_apart(value: str, names: Names) -> None:
    assert judged(value, BAD_BITS, GOOD_BITS).names is names


def test_a_digest_without_its_counterpart_is_unclear() -> None:
    assert judged(f"shop@{D3}").names is Names.UNCLEAR
    pinned = judged(f"shop:v3@{D3}", BAD_BITS, GOOD)
    assert pinned.names is Names.UNCLEAR
    assert "that of v2 is not known" in pinned.because
    assert judged("v3", BAD, BAD).names is Names.UNCLEAR


def test_the_worst_answer_of_all_places_counts() -> None:
    def all_of(*values: str) -> Judged:
        edits = [GitEdit(file=f"{n}.yaml", key="tag") for n in range(len(values))]
        texts = {f"{n}.yaml": f"tag: {value}\n" for n, value in enumerate(values)}
        return judge(edits, texts, BAD, GOOD)

    assert all_of("v2", "v2").names is Names.GOOD
    assert all_of("v2", "v3").texts == {"1.yaml": "tag: v2\n"}
    moved_on = all_of("v3", "v4")
    assert (moved_on.names, moved_on.texts) == (Names.OTHER, {})
    assert moved_on.because == "1.yaml: tag names v4, which is neither v3 nor v2"
    assert all_of("v3", "v4", "1.10").names is Names.UNCLEAR


def test_two_places_of_one_file_change_together() -> None:
    text = "a: v3 # x\nb:\n- shop:v3\n"
    edits = (GitEdit(file="f", key="a"), GitEdit(file="f", key="b[0]"))
    assert judge(edits, {"f": text}, BAD, GOOD).texts == {"f": text.replace("v3", "v2")}


def test_a_file_that_is_none_is_unclear_and_says_why() -> None:
    found = judge((GitEdit(file="f", key="a"),), {"f": NotThere("it is a link")}, BAD, GOOD)
    assert (found.names, found.because) == (Names.UNCLEAR, "f: a: it is a link")


def test_a_change_that_does_not_read_back_is_not_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(text: str, news: dict[Place, str]) -> str:
        return text + "image: twice\n"

    monkeypatch.setattr(git_text, "exchanged", wrong)
    found = judged("v3")
    assert (found.names, found.texts) == (Names.UNCLEAR, {})


def test_foreign_text_is_cut_and_printable() -> None:
    edits = (GitEdit(file="a", key="t"),)
    found = judge(edits, {"a": 't: "\\e[31m' + "x" * 5000 + '"\n'}, BAD, GOOD)
    assert found.because.isprintable()
    assert len(found.because) < 700
