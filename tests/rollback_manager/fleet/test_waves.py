"""The order between services: no pair out of order, every service once."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.errors import CatalogueError
from rollback_manager.fleet.waves import Links, cycle, waves

NAMES = tuple("abcdefgh")


@st.composite
def orders(draw: st.DrawFn) -> tuple[dict[str, Links], tuple[str, ...]]:
    """Links without a cycle, and some of their services: each is tied to later names only."""
    order = draw(st.permutations(NAMES))
    links: dict[str, Links] = {}
    after: dict[str, list[str]] = {name: [] for name in order}
    reads: dict[str, list[str]] = {name: [] for name in order}
    for index, first in enumerate(order):
        for then in order[index + 1 :]:
            kind = draw(st.sampled_from(("deploys", "reads", "", "", "")))
            if kind == "deploys":
                after[first].append(then)
            elif kind == "reads":
                reads[then].append(first)
    for name in order:
        links[name] = Links(deploys_after=tuple(after[name]), reads_from=tuple(reads[name]))
    chosen = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    return links, tuple(chosen)


def goes_before(links: dict[str, Links]) -> set[tuple[str, str]]:
    """All pairs of which the first goes back before the second, over however many between."""
    pairs = {(name, one) for name, own in links.items() for one in own.deploys_after}
    pairs |= {(one, name) for name, own in links.items() for one in own.reads_from}
    while more := {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs:
        pairs |= more
    return pairs


@given(orders())
def test_no_pair_is_out_of_order_and_every_service_is_there_once(
    given_order: tuple[dict[str, Links], tuple[str, ...]],
) -> None:
    links, chosen = given_order
    made = waves(chosen, links)
    assert sorted(name for wave in made for name in wave) == sorted(chosen)
    wave_of = {name: number for number, wave in enumerate(made) for name in wave}
    for first, then in goes_before(links):
        if {first, then} <= set(chosen):
            assert wave_of[first] < wave_of[then], (first, then, made)
    assert all(made)


@given(orders(), st.randoms())
def test_the_order_of_words_changes_nothing(
    given_order: tuple[dict[str, Links], tuple[str, ...]], chance: object
) -> None:
    links, chosen = given_order
    turned = {name: links[name] for name in reversed(list(links))}
    assert waves(tuple(reversed(chosen)), turned) == waves(chosen, links)


@given(orders())
def test_nobody_waits_without_a_reason(
    given_order: tuple[dict[str, Links], tuple[str, ...]],
) -> None:
    links, chosen = given_order
    made, pairs = waves(chosen, links), goes_before(links)
    for before, wave in itertools.pairwise(made):
        for name in wave:
            assert any((one, name) in pairs for one in before), (name, made)


def test_the_reverse_of_the_deploy_order() -> None:
    links = {"web": Links(deploys_after=("api",)), "api": Links(deploys_after=("db",))}
    everything = {**links, "db": Links()}
    assert waves(("db", "web", "api"), everything) == (("web",), ("api",), ("db",))


def test_writers_go_back_before_readers() -> None:
    links = {"reader": Links(reads_from=("writer",)), "writer": Links()}
    assert waves(("reader", "writer"), links) == (("writer",), ("reader",))


def test_a_tie_counts_through_a_service_that_is_not_part_of_it() -> None:
    links = {
        "web": Links(deploys_after=("api",)),
        "api": Links(deploys_after=("db",)),
        "db": Links(),
    }
    assert waves(("db", "web"), links) == (("web",), ("db",))


def test_services_without_a_tie_go_together() -> None:
    assert waves(("b", "a"), {"a": Links(), "b": Links()}) == (("a", "b"),)


def test_a_cycle_is_named_with_the_reason_of_every_step() -> None:
    links = {
        "a": Links(deploys_after=("b",)),
        "b": Links(),
        "c": Links(deploys_after=("a",), reads_from=("b",)),
    }
    found = cycle(links)
    assert found is not None
    assert str(found) == ("a → b → c → a: a deploys after b; c reads from b; c deploys after a")
    with pytest.raises(ValueError, match="a → b → c → a"):
        waves(("a",), links)


CATALOGUE = """\
version: 1
environments: {demo: {}}
services:
  a:
    strategy: blue_green
    environments: {}
    deploys_after: [b]
  b:
    strategy: blue_green
    environments: {}
    reads_from:
      - a
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(CatalogueError) as refusal:
        read_catalogue(text, "c.yaml")
    return refusal.value.what.splitlines()


def test_a_service_that_nobody_knows_is_refused_with_its_line() -> None:
    text = CATALOGUE.replace("- a", "- nobody")
    (said,) = mistakes(text)
    assert said == "c.yaml:12: services.b.reads_from.0: no such service: nobody"


def test_a_service_is_not_tied_to_itself() -> None:
    (said,) = mistakes(CATALOGUE.replace("[b]", "[a]").replace("- a", "- b"))
    assert said.startswith("c.yaml:4: services.a: a → a: a deploys after a"), said


def test_a_cycle_is_refused_with_the_line_of_its_first_service() -> None:
    text = CATALOGUE.replace("reads_from:\n      - a", "deploys_after:\n      - a")
    assert mistakes(text) == [
        "c.yaml:4: services.a: a → b → a: a deploys after b; b deploys after a"
    ]


def test_a_catalogue_in_order_is_read_with_its_ties() -> None:
    made = read_catalogue(CATALOGUE)
    assert waves(("b", "a"), made.links) == (("a",), ("b",))
