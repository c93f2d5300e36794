"""What a catalogue says of people and levels: read, or refused with the line."""

import pytest

from rollback_manager.authority.people import Person
from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.errors import CatalogueError

KEY = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"

SECURED = f"""\
version: 1
environments:
  prod:
    security: secured
    roles:
      on_call: [on-call]
      incident_commander: [commanders]
    signing_keys:
      - {{kid: now, public: {KEY}}}
services:
  shop:
    owners: [payments]
    strategy: blue_green
    environments:
      prod:
        workloads: {{kind: supervisord, socket: /run/s.sock, program: shop}}
        traffic: {{kind: envoy, admin: "http://127.0.0.1:9901", routes: /r.json, route: shop}}
people:
  ana@example.com:
    slack: T024BE7LD/U061F7AUR
    github: 4711
    groups: [payments]
"""


def test_one_person_is_found_by_each_account() -> None:
    directory = read_catalogue(SECURED).directory
    ana = Person(subject="ana@example.com", groups=("payments",))
    assert directory.by_subject("ana@example.com") == ana.model_copy(update={"method": "local"})
    by_slack, by_github = directory.by_slack("T024BE7LD", "U061F7AUR"), directory.by_github(4711)
    assert by_slack is not None
    assert by_github is not None
    assert by_slack.subject == by_github.subject == ana.subject
    assert directory.by_slack("T024BE7LD", "U000") is None


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        (f"      - {{kid: now, public: {KEY}}}\n", "", 4, "secured needs signing_keys"),
        ("    signing_keys:\n", "    signing_keys:\n      - {kid: now, public: short}\n", 9, "43"),
        ("kid: now", "kid: a b", 9, "kid"),
        ("security: secured", "security: local", 8, "nothing is signed at level local"),
        ("      on_call: [on-call]\n", "", 4, "roles.on_call"),
        ("      incident_commander: [commanders]\n", "", 4, "roles.incident_commander"),
        ("    owners: [payments]\n", "", 11, "it needs owners"),
        ("slack: T024BE7LD/U061F7AUR", "slack: ana", 20, "slack"),
    ],
)
def test_what_a_level_lacks_is_named_with_its_line(
    old: str, new: str, line: int, said: str
) -> None:
    text = SECURED.replace(old, new)
    if "signing_keys:\n" in text and "kid" not in text:
        text = text.replace("    signing_keys:\n", "    signing_keys: []\n")
    with pytest.raises(CatalogueError) as refused:
        read_catalogue(text)
    assert any(
        f"catalogue.yaml:{line}:" in row and said in row for row in refused.value.what.split("\n")
    ), refused.value.what


def test_two_people_cannot_have_one_account_nor_two_keys_one_name() -> None:
    twice = SECURED + "  bo@example.com: {github: 4711}\n"
    with pytest.raises(CatalogueError, match=r"4711 is also ana@example.com's"):
        read_catalogue(twice)
    keys = SECURED.replace(
        "    signing_keys:\n", f"    signing_keys:\n      - {{kid: now, public: B{KEY[1:]}}}\n"
    )
    with pytest.raises(CatalogueError, match="two keys have this kid: now"):
        read_catalogue(keys)


def test_a_person_is_no_group_and_the_catalogue_knows_all_whom_it_names() -> None:
    both = SECURED.replace("    groups: [payments]", "    groups: [bo@example.com]")
    both += "  bo@example.com: {}\n"
    with pytest.raises(CatalogueError, match=r"catalogue.yaml:22: .*bo@example.com is a person"):
        read_catalogue(both)
    directory = read_catalogue(SECURED).directory
    assert directory.named == {"on-call", "commanders", "payments"}
