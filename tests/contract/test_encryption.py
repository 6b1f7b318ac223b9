"""Originals are encrypted at rest: access to the disk alone reveals nothing."""

from __future__ import annotations

import base64
import functools
import os
import subprocess
import sys

import pytest

from contract import encryption
from contract.encryption import InvalidKeysError, LockedOriginalError

PLACE = "photos/1/original/abc"
PHOTO = b"\xff\xd8\xff" + b"TELEDER-PII-CANARY-7f3a" * 9


def new_key() -> str:
    return base64.b64encode(os.urandom(encryption.KEY_BYTES)).decode()


def test_an_encrypted_photo_can_only_be_read_with_its_key():
    keys = encryption.parse(new_key())
    sealed = keys.seal(PHOTO, PLACE)
    assert keys.open(sealed, PLACE) == PHOTO
    assert b"CANARY" not in sealed and b"\xff\xd8\xff" not in sealed[:64]
    assert encryption.key_of(sealed) == keys.newest


def test_a_photo_encrypted_in_chunks_is_one_encrypted_file():
    keys = encryption.parse(new_key())
    sealed = b"".join(keys.sealed([PHOTO[:7], PHOTO[7:8], b"", PHOTO[8:]], PLACE))
    assert keys.open(sealed, PLACE) == PHOTO and len(sealed) == len(keys.seal(PHOTO, PLACE))


def test_encrypting_a_photo_twice_gives_different_bytes():
    keys = encryption.parse(new_key())
    assert keys.seal(PHOTO, PLACE) != keys.seal(PHOTO, PLACE)


def test_the_newest_key_encrypts_and_older_keys_decrypt():
    old, new = new_key(), new_key()
    sealed = encryption.parse(old).seal(PHOTO, PLACE)
    both = encryption.parse(f"{new}\n{old}")
    assert both.open(sealed, PLACE) == PHOTO
    assert encryption.key_of(both.seal(PHOTO, PLACE)) == encryption.parse(new).newest


def test_an_unencrypted_photo_from_before_the_keys_can_be_read():
    assert encryption.parse(new_key()).open(PHOTO, PLACE) == PHOTO


@pytest.mark.parametrize("at", [3, 8, 15, 40, -1])
def test_a_changed_byte_is_detected(at):
    keys = encryption.parse(new_key())
    sealed = bytearray(keys.seal(PHOTO, PLACE))
    sealed[at] ^= 1
    if encryption.is_sealed(bytes(sealed)):
        with pytest.raises(LockedOriginalError):
            keys.open(bytes(sealed), PLACE)
    else:
        assert keys.open(bytes(sealed), PLACE) != PHOTO


def test_a_photo_copied_to_another_storage_key_cannot_be_decrypted():
    keys = encryption.parse(new_key())
    with pytest.raises(LockedOriginalError):
        keys.open(keys.seal(PHOTO, PLACE), "photos/2/original/abc")


@pytest.mark.parametrize(
    "stored", [encryption.MAGIC, encryption.MAGIC + b"12345678", encryption.MAGIC + b"\xff" * 40]
)
def test_a_truncated_encrypted_file_is_locked(stored):
    with pytest.raises(LockedOriginalError):
        encryption.parse(new_key()).open(stored, PLACE)


def test_without_its_key_a_photo_is_locked_and_the_error_names_only_the_key():
    sealed = encryption.parse(new_key()).seal(PHOTO, PLACE)
    with pytest.raises(LockedOriginalError) as output:
        encryption.parse(new_key()).open(sealed, PLACE)
    assert encryption.key_of(sealed) in str(output.value) and "CANARY" not in str(output.value)


@pytest.mark.parametrize("text", ["", "short", "bm90IGEga2V5", "!" * 44])
def test_an_invalid_key_is_refused_with_advice(text):
    with pytest.raises(InvalidKeysError, match="contract.encryption"):
        encryption.parse(text)


def test_the_command_prints_a_key():
    printed = subprocess.run([sys.executable, "-m", "contract.encryption"], capture_output=True, text=True)
    assert len(encryption.parse(printed.stdout).by_name) == 1


def test_a_worker_passes_its_keys_to_no_child(monkeypatch):
    from inference_worker import photo_files

    monkeypatch.setenv(encryption.NAME, key := new_key())
    s3 = {"TELEDER_STORAGE": "s3://photos", "TELEDER_S3_ACCESS_KEY": "a", "TELEDER_S3_SECRET_KEY": "b"}
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(photo_files, "photo_storage", functools.cache(photo_files.photo_storage.__wrapped__))
    photo_files.photo_keys.cache_clear()
    photo_files.take_keys_from_environment()
    assert not {encryption.NAME, "TELEDER_S3_ACCESS_KEY", "TELEDER_S3_SECRET_KEY"} & set(os.environ)
    assert photo_files.photo_storage().secret_key == "b"
    assert photo_files.photo_keys().newest == encryption.parse(key).newest
    photo_files.photo_keys.cache_clear()
