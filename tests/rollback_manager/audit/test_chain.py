"""A chain as it was written holds; anything else is found, with the number of the first entry."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_manager.audit import (
    Anchor,
    AuditKey,
    Entry,
    Fault,
    NoAuditKey,
    anchored,
    as_read,
    as_written,
    chained,
    content_hash,
    verify,
)
from rollback_manager.audit.entries import LONGEST, canonical
from tests.chains import KEY, NOON, OTHER_KEY, chain, event

KEYS = {KEY.id}


def anchor(entry: Entry | None, key: AuditKey = KEY) -> Anchor:
    return anchored(entry, NOON + timedelta(hours=1), key)


def test_a_chain_as_it_was_written_holds() -> None:
    entries = chain(10)
    verdict = verify(entries, KEYS, [anchor(None), anchor(entries[3]), anchor(entries[9])])
    assert (verdict.holds, verdict.entries, verdict.anchored) == (True, 10, 10)
    assert (verdict.head, verdict.trusted) == (entries[9].hash, True)


def test_an_empty_chain_holds_as_long_as_nothing_was_anchored() -> None:
    assert verify([], KEYS, [anchor(None)]).holds
    assert verify([], KEYS, [anchor(chain(1)[0])]).fault is Fault.TRUNCATED


def test_a_chain_comes_back_from_texts_as_it_was() -> None:
    first = chained(event(1, ts_source=NOON, decision_jws="a.b.c"), None, NOON, KEY)
    assert as_read(as_written(first)) == first


@pytest.mark.parametrize("field", sorted(set(Entry.model_fields) - {"seq"}))
def test_an_edit_of_any_field_is_found_at_its_entry(field: str) -> None:
    entries = chain(5)
    edited = as_written(entries[2]) | {field: "2026-05-01T12:00:00.000000Z"}
    entries[2] = as_read(edited)
    verdict = verify(entries, KEYS)
    assert verdict.at == 3
    assert verdict.fault in {Fault.EDITED, Fault.NOT_SIGNED}


def test_an_edit_with_its_hash_made_anew_is_not_signed() -> None:
    entries = chain(5)
    forged = entries[2].model_copy(update={"outcome": "refused"})
    entries[2] = forged.model_copy(update={"hash": content_hash(forged)})
    verdict = verify(entries, KEYS)
    assert (verdict.fault, verdict.at) == (Fault.NOT_SIGNED, 3)


def test_entries_that_were_taken_out_are_missing() -> None:
    entries = chain(6)
    verdict = verify(entries[:2] + entries[4:], KEYS)
    assert (verdict.fault, verdict.at) == (Fault.MISSING, 3)
    assert "entries 3 to 4" in verdict.because


def test_entries_that_changed_places_are_moved() -> None:
    entries = chain(6)
    entries[2], entries[4] = entries[4], entries[2]
    verdict = verify(entries, KEYS)
    assert (verdict.fault, verdict.at) == (Fault.MOVED, 3)


def test_an_entry_that_stands_twice_is_inserted() -> None:
    entries = chain(4)
    verdict = verify([*entries[:2], entries[1], *entries[2:]], KEYS)
    assert (verdict.fault, verdict.at) == (Fault.INSERTED, 3)


def test_an_entry_of_a_key_that_is_not_trusted_is_not_signed() -> None:
    entries = chain(3)
    entries += chain(2, OTHER_KEY, after=entries[-1])
    verdict = verify(entries, KEYS)
    assert (verdict.fault, verdict.at) == (Fault.NOT_SIGNED, 4)
    assert verify(entries, {KEY.id, OTHER_KEY.id}).holds


def test_a_second_branch_is_a_fork() -> None:
    entries, other = chain(5), chained(event(77), chain(2)[-1], NOON, KEY)
    assert verify([*entries[:3], other], KEYS).fault is Fault.FORKED  # two of number 3
    graft = chain(2, after=other)
    verdict = verify([*entries[:3], *graft], KEYS)
    assert (verdict.fault, verdict.at) == (Fault.FORKED, 4)


def test_a_cut_end_shows_by_anchors_alone() -> None:
    entries = chain(6)
    verdict = verify(entries[:4], KEYS, [anchor(entries[1]), anchor(entries[5])])
    assert (verdict.fault, verdict.at, verdict.anchored) == (Fault.TRUNCATED, 5, 2)
    assert verify(entries[:4], KEYS).holds


def test_a_chain_written_anew_with_the_right_key_shows_by_anchors_alone() -> None:
    entries = chain(6)
    anchors = [anchor(entries[1]), anchor(entries[4])]
    anew = [*entries[:2]]
    for number in range(3, 7):
        anew.append(chained(event(number, subject="eve@example.com"), anew[-1], NOON, KEY))
    verdict = verify(anew, KEYS, anchors)
    assert (verdict.fault, verdict.at) == (Fault.REWRITTEN, 3)
    assert verify(anew, KEYS).holds


def test_an_anchor_that_was_not_signed_by_us_is_told() -> None:
    entries = chain(3)
    false = anchor(entries[1]).model_copy(update={"hash": entries[2].hash})
    assert verify(entries, KEYS, [false]).fault is Fault.FALSE_ANCHOR


def test_without_keys_the_verdict_says_that_it_trusts_nobody() -> None:
    verdict = verify(chain(3, OTHER_KEY))
    assert verdict.holds
    assert not verdict.trusted


@settings(max_examples=40)
@given(st.text(), st.text(max_size=50))
def test_whatever_a_text_holds_the_entry_can_be_kept_and_holds(text: str, more: str) -> None:
    entry = chained(event(1, outcome=text, subject=more), None, NOON, KEY)
    assert len(entry.outcome) <= LONGEST
    assert "\0" not in entry.outcome
    assert verify([as_read(as_written(entry))], KEYS).holds


def test_half_a_surrogate_pair_is_replaced_and_not_refused() -> None:
    assert event(1, outcome="\ud800 refused").outcome == "? refused"


def test_canonical_json_is_as_rfc_8785_writes_it() -> None:
    spelled = canonical({"b": 'é\u20ac\u000f\n"\\/', "a": 7, "c": None})
    assert spelled == '{"a":7,"b":"é€\\u000f\\n\\"\\\\/","c":null}'.encode()


def test_a_text_that_is_no_key_is_refused_without_being_repeated() -> None:
    with pytest.raises(NoAuditKey) as refused:
        AuditKey("-----BEGIN s3cret")
    assert "s3cret" not in f"{refused.value!r}"
