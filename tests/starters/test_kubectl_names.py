"""kubectl's words for a place, and which service of the catalogue they mean."""

from pathlib import Path

import pytest

from rollback_manager.catalogue import Catalogue
from rollback_manager.catalogue_text import read_catalogue
from starters.kubectl_names import Where, here, taken_out, translated
from starters.refusals import UsageError

TEXT = (Path(__file__).parents[2] / "deploy/kubernetes/catalogue.yaml").read_text()
UID = "00000000-0000-0000-0000-000000000000"
SHOP = Where("main", "shop")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The shipped example: cluster main, namespaces shop and orders, environment prod."""
    return read_catalogue(TEXT)


@pytest.mark.parametrize(
    ("typed", "service"),
    [
        ("shop", "shop"),
        ("deployment/shop-blue", "shop"),
        ("deploy/till", "till"),
        ("search-canary", "search"),
    ],
)
def test_a_service_goes_by_its_name_or_by_what_keeps_its_pods(
    catalogue: Catalogue, typed: str, service: str
) -> None:
    """As people know it from kubectl."""
    assert translated(here(catalogue, SHOP), [typed], SHOP) == ("prod", [service])


def test_two_names_of_one_service_are_one(catalogue: Catalogue) -> None:
    """Blue and green go back together."""
    typed = ["deployment/shop-blue", "deployment/shop-green", "till"]
    assert translated(here(catalogue, SHOP), typed, SHOP) == ("prod", ["shop", "till"])


@pytest.mark.parametrize("typed", ["orders", "statefulset/shop-blue", "pod/shop-1", "shop-bl"])
def test_what_is_not_there_is_answered_with_what_is(catalogue: Catalogue, typed: str) -> None:
    """Never with something that is called alike."""
    with pytest.raises(UsageError, match=r"there are: search \(prod\), shop \(prod\), till"):
        translated(here(catalogue, SHOP), [typed], SHOP)


def test_a_place_that_the_catalogue_does_not_know_is_refused(catalogue: Catalogue) -> None:
    """Another namespace, another context."""
    for where in (Where("main", "default"), Where("elsewhere", "shop")):
        with pytest.raises(UsageError, match="no service of the catalogue runs in context"):
            translated(here(catalogue, where), ["shop"], where)


def test_a_cluster_is_known_by_its_uid_before_its_name(catalogue: Catalogue) -> None:
    """Contexts are called as everybody likes; the same name may be another cluster."""
    assert here(catalogue, Where("mine", "shop", UID))
    assert not here(catalogue, Where("main", "shop", "1" * 36))


def test_two_environments_in_one_namespace_are_not_guessed_at() -> None:
    """The one thing that must never be mistaken."""
    text = TEXT.replace("  prod:\n    approvers", "  stage: {}\n  prod:\n    approvers", 1)
    till = text[text.index("  till:") :].partition("      prod:\n")[2].partition("\n\n")[0]
    text = text.replace("      prod:\n", f"      stage:\n{till}\n      prod:\n", 1)
    found = here(read_catalogue(text), SHOP)
    with pytest.raises(UsageError, match="no single environment"):
        translated(found, ["till"], SHOP)
    assert translated(found, ["shop"], SHOP) == ("prod", ["shop"])


def test_kubectls_own_options_are_taken_out_wherever_they_stand() -> None:
    """Both spellings; what belongs to the verb stays as it is."""
    options = {"-n": "namespace", "--context": "context"}
    words = ["plan", "-n", "shop", "till", "--context=main", "--to", "v1"]
    found, rest = taken_out(words, options)
    assert found == {"namespace": "shop", "context": "main"}
    assert rest == ["plan", "till", "--to", "v1"]
    with pytest.raises(UsageError, match="-n needs a value"):
        taken_out(["plan", "till", "-n"], options)
