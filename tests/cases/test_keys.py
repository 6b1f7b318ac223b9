"""A stored key can only open a file of its own photo and stage."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

from contract.messages import Stage
from contract.storage import StorageError, keys
from teleder.cases import stored_files
from teleder.cases.models import StoredFile
from tests import forged

MINE, OTHERS = uuid.UUID(int=1), uuid.UUID(int=2)
KEY = f"photos/{MINE}/prepare/1/display.jpg"


@pytest.fixture
def media(settings) -> Path:
    for photo, content in ((MINE, b"mine"), (OTHERS, b"another's")):
        path = Path(settings.MEDIA_ROOT) / f"photos/{photo}/prepare/1/display.jpg"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    (Path(settings.MEDIA_ROOT).parent / "secret-key").write_text("secret")
    return Path(settings.MEDIA_ROOT)


def opened(key: str, name: StoredFile = StoredFile.DISPLAY) -> bytes:
    return stored_files.read_whole(MINE, name, key, "")


def test_a_file_of_the_photo_is_opened(media):
    assert opened(KEY) == b"mine"
    assert stored_files.size_of(MINE, Stage.PREPARE, KEY) == 4


@pytest.mark.parametrize(
    "key",
    [key for key in forged.wrong_keys(KEY, f"photos/{OTHERS}/prepare/1/display.jpg") if isinstance(key, str)],
)
def test_any_other_key_is_refused(media, key):
    assert not keys.is_made_by(MINE, Stage.PREPARE, 1, key)
    with pytest.raises(OSError):
        opened(key)
    assert stored_files.size_of(MINE, Stage.PREPARE, key) == 0


def test_a_file_of_another_stage_is_not_opened(media):
    """Otherwise a mask by the AI could be shown to the patient instead of the copy."""
    for name in (StoredFile.MASK, StoredFile.ORIGINAL):
        with pytest.raises(StorageError):
            opened(KEY, name)


@pytest.mark.parametrize("level", range(5))
def test_no_link_is_followed_at_any_level(media, level):
    step = media / "/".join(KEY.split("/")[: level + 1])
    target = media / "/".join(f"photos/{OTHERS}/prepare/1/display.jpg".split("/")[: level + 1])
    if level == 0:
        target = media / "elsewhere"
        step.rename(target)
    else:
        step.rename(media / "aside")
    step.symlink_to(target)
    with pytest.raises(OSError):
        opened(KEY)


@pytest.mark.parametrize("target", ["/proc/self/environ", "../../../../../secret-key"])
def test_a_link_to_a_secret_is_not_opened(media, target):
    (media / KEY).unlink()
    (media / KEY).symlink_to(target)
    with pytest.raises(OSError):
        opened(KEY)


def test_a_pipe_in_place_of_a_file_does_not_block(media):
    (media / KEY).unlink()
    os.mkfifo(media / KEY)
    with pytest.raises(StorageError):
        opened(KEY)


def test_a_folder_in_place_of_a_file_is_not_opened(media):
    (media / KEY).unlink()
    (media / KEY).mkdir()
    with pytest.raises(StorageError):
        opened(KEY)
