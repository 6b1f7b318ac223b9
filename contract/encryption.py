"""Originals at rest: AES-256-GCM, each file bound to the place it is stored under.

    python -m contract.encryption    # prints a new key

`TELEDER_PHOTO_KEYS` (or the file that `TELEDER_PHOTO_KEYS_FILE` names) holds one key or several, 32 bytes in base64 each,
divided by spaces: the first seals, all open. A sealed file: MAGIC, the name of its key, a nonce, ciphertext with tag.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contract.environment import secret

NAME = "TELEDER_PHOTO_KEYS"
MAGIC = b"TLDR1"
KEY_BYTES, NONCE_BYTES, NAME_LETTERS, TAG_BYTES = 32, 12, 8, 16
SEALED_MORE_BYTES = len(MAGIC) + NAME_LETTERS + NONCE_BYTES + TAG_BYTES


class InvalidKeysError(ValueError):
    """The environment holds no usable keys; the message says what to do."""


class LockedOriginalError(Exception):
    """None of our keys opens this file, or it was changed or moved."""


@dataclass(frozen=True)
class Keys:
    """Keys by name; the first one seals. A key's name is public: it stands in the row and in the file."""

    by_name: Mapping[str, bytes]

    @property
    def newest(self) -> str:
        return next(iter(self.by_name))

    def seal(self, content: bytes, place: str) -> bytes:
        """Return what to store under `place`; it opens there and nowhere else."""
        return b"".join(self.sealed([content], place))

    def sealed(self, chunks: Iterable[bytes], place: str) -> Iterator[bytes]:
        """Yield what `seal` returns, chunk by chunk, so that no second copy of a photo is in memory."""
        nonce = os.urandom(NONCE_BYTES)
        encryptor = Cipher(algorithms.AES(self.by_name[self.newest]), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(place.encode())
        yield MAGIC + self.newest.encode() + nonce
        yield from map(encryptor.update, chunks)
        yield encryptor.finalize() + encryptor.tag

    def open(self, stored: bytes, place: str) -> bytes:
        """Return the content; what was never sealed is returned as it is. Raises LockedOriginalError."""
        if not is_sealed(stored):
            return stored
        nonce_at = len(MAGIC) + NAME_LETTERS
        rest = stored[nonce_at:]
        try:
            key = self.by_name[key_of(stored)]
            return AESGCM(key).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], place.encode())
        except (KeyError, InvalidTag, ValueError) as error:
            raise LockedOriginalError(f"{place}: key {key_of(stored)}, {type(error).__name__}") from None

    def open_original(self, stored: bytes, key: str) -> bytes:
        """Return the photo with this key, whose last part is its hash: also what was never sealed is known by it.

        Raises LockedOriginalError.
        """
        content = self.open(stored, key)
        if hashlib.sha256(content).hexdigest() != key.rpartition("/")[2]:
            raise LockedOriginalError(f"{key}: another photo")
        return content


def is_sealed(head: bytes) -> bool:
    return head.startswith(MAGIC)


def key_of(head: bytes) -> str:
    """Return the name of the key that sealed a file with this head; nothing for one that was never sealed."""
    return head[len(MAGIC) :][:NAME_LETTERS].decode("ascii", "replace") if is_sealed(head) else ""


def name_of(key: bytes) -> str:
    return hashlib.sha256(b"teleder.photo-key" + key).hexdigest()[:NAME_LETTERS]


def parse(text: str) -> Keys:
    """Read keys as the environment holds them. Raises InvalidKeysError."""
    keys = [_decoded(word) for word in text.split()]
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise InvalidKeysError(
            f"{NAME} must hold keys of {KEY_BYTES} bytes in base64, divided by spaces. "
            "`python -m contract.encryption` prints a new one."
        )
    return Keys({name_of(key): key for key in keys})


def from_environment() -> Keys:
    """Return the keys that the environment names. Raises InvalidKeysError, InvalidSettingError."""
    return parse(secret(NAME))


def _decoded(word: str) -> bytes:
    try:
        return base64.b64decode(word, validate=True)
    except binascii.Error:
        return b""


if __name__ == "__main__":
    print(base64.b64encode(os.urandom(KEY_BYTES)).decode())
