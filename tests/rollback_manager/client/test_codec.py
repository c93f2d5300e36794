"""Payloads are encrypted for one workflow; nothing else is read, and nothing raises."""

import base64
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import WorkflowSerializationContext

from rollback_manager.client.codec import ENCRYPTED, KEY_ID, REFUSED, WORKFLOW, Encryption
from rollback_manager.client.keyring import KeyringByReference
from rollback_manager.client.secrets import Secrets
from rollback_manager.errors import PermanentError
from tests import keys

SECRET = Payload(metadata={"encoding": b"json/plain"}, data=b'"canary-of-a-payload"')


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return keys.write(tmp_path / "codec.json")


def codec(file: Path, workflow: str = "rollback/prod/a", namespace: str = "prod") -> Encryption:
    whole = Encryption(keys.ring(file), "default")
    return whole.with_context(WorkflowSerializationContext(namespace, workflow))


async def one(coder: Encryption, payload: Payload) -> Payload:
    (decoded,) = await coder.decode([payload])
    return decoded


async def sealed(coder: Encryption) -> Payload:
    (payload,) = await coder.encode([SECRET])
    return payload


def why(payload: Payload) -> str:
    """Why it was refused; fails where it was not."""
    assert payload.metadata["encoding"] == REFUSED
    assert not payload.data
    return payload.metadata["because"].decode()


async def test_what_was_encrypted_comes_back_and_hides_what_it_says(file: Path) -> None:
    coder = codec(file)
    payload = await sealed(coder)
    assert await one(coder, payload) == SECRET
    assert payload.metadata["encoding"] == ENCRYPTED
    assert b"canary" not in payload.SerializeToString()
    assert b"json/plain" not in payload.SerializeToString()


async def test_the_same_text_is_never_the_same_twice(file: Path) -> None:
    coder = codec(file)
    assert (await sealed(coder)).data != (await sealed(coder)).data


async def test_a_payload_of_another_workflow_or_namespace_is_refused(file: Path) -> None:
    payload = await sealed(codec(file))
    assert "another workflow" in why(await one(codec(file, "rollback/prod/b"), payload))
    assert "elsewhere" in why(await one(codec(file, namespace="stage"), payload))


async def test_a_payload_that_claims_another_workflow_is_refused(file: Path) -> None:
    payload = await sealed(codec(file))
    payload.metadata[WORKFLOW] = b"rollback/prod/b"
    assert "elsewhere" in why(await one(codec(file, "rollback/prod/b"), payload))


async def test_every_flipped_bit_is_noticed(file: Path) -> None:
    coder, payload = codec(file), await sealed(codec(file))
    for place in range(len(payload.data)):
        flipped = bytearray(payload.data)
        flipped[place] ^= 1
        forged = Payload(metadata=payload.metadata, data=bytes(flipped))
        assert "changed" in why(await one(coder, forged))


@pytest.mark.parametrize(
    "forged",
    [
        SECRET,
        Payload(),
        Payload(metadata={"encoding": ENCRYPTED}),
        Payload(metadata={"encoding": ENCRYPTED, KEY_ID: b"old", WORKFLOW: b"rollback/prod/a"}),
        Payload(metadata={"encoding": ENCRYPTED, KEY_ID: b"\xff\xfe", WORKFLOW: b"\xff"}),
        Payload(metadata={"encoding": REFUSED}),
    ],
)
async def test_what_nobody_encrypted_is_refused_and_never_raises(
    file: Path, forged: Payload
) -> None:
    assert why(await one(codec(file), forged))


async def test_a_key_that_is_not_known_is_looked_for_and_then_refused(file: Path) -> None:
    new = keys.write(file.with_name("other.json"), "new", new=keys.NEW)
    payload = await sealed(codec(new))
    coder = codec(file)
    assert "key is not known" in why(await one(coder, payload))
    keys.write(file, old=keys.OLD, new=keys.NEW)
    assert await one(coder, payload) == SECRET


async def test_after_a_rotation_old_payloads_are_still_read(file: Path) -> None:
    coder = codec(file)
    before = await sealed(coder)
    keys.write(file, "new", old=keys.OLD, new=keys.NEW)
    after = await sealed(coder)
    assert (before.metadata[KEY_ID], after.metadata[KEY_ID]) == (b"old", b"new")
    assert [await one(coder, payload) for payload in (before, after)] == [SECRET, SECRET]


async def test_plaintext_is_read_only_while_the_keyring_says_so(file: Path) -> None:
    coder = codec(keys.write(file, accepts_plaintext=True))
    assert await one(coder, SECRET) == SECRET
    keys.write(file)
    await coder.encode([])
    assert "not encrypted" in why(await one(coder, SECRET))


async def test_who_only_looks_reads_any_workflow_and_plaintext(file: Path) -> None:
    reader = codec(file, "rollback/prod/b", "prod").reading()
    assert await one(reader, await sealed(codec(file))) == SECRET
    assert await one(reader, SECRET) == SECRET


async def test_a_payload_for_no_workflow_alone_is_read_where_pages_may_decide(file: Path) -> None:
    payload = await sealed(Encryption(keys.ring(file), "prod"))
    assert "another workflow" in why(await one(codec(file), payload))
    assert await one(replace(codec(file), takes_unbound=True), payload) == SECRET


async def test_a_keyring_that_cannot_be_read_any_more_serves_on(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    coder = codec(file)
    file.write_text("{")
    with caplog.at_level(logging.ERROR):
        assert await one(coder, await sealed(coder)) == SECRET
    assert "those of before serve on" in caplog.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "JSON"),
        ('{"current": "a", "keys": {}}', "keys: "),
        ('{"current": "b", "keys": {"a": "KEY"}}', "none of"),
        ('{"current": "a", "keys": {"a": "s3cret-canary"}}', "no base64"),
        ('{"current": "a", "keys": {"a": "KEY", "s3cret-canary": 7}}', "keys: "),
        ('{"current": "a", "keys": {"a": "KEY"}, "s3cret-canary": 1}', "not permitted"),
    ],
)
def test_a_keyring_that_is_none_stops_the_start_and_tells_no_key(
    file: Path, text: str, said: str
) -> None:
    file.write_text(text.replace("KEY", keys.OLD))
    with pytest.raises(PermanentError) as refused:
        KeyringByReference(Secrets(), f"file:{file}")
    told = f"{refused.value} {refused.value.__cause__}"
    assert said in told
    assert base64.b64encode(b"\x01" * 32).decode() not in told
    if said != "not permitted":  # the name of a field that should not be there
        assert "canary" not in told
