"""`manage.py move_storage` copies and verifies all files, can be resumed, and changes nothing at its source."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from contract.storage import MARK, FileStorage, StorageUnavailableError, from_url
from local import s3

KEYS = [f"photos/{photo}/{name}" for photo in range(3) for name in ("original/aa", "prepare/1/display.jpg")]


@pytest.fixture
def source(tmp_path) -> FileStorage:
    found = FileStorage(tmp_path / "from")
    for key in KEYS:
        found.write(key, key.encode() * 1000)
    return found


@pytest.fixture
def target(storage, tmp_path):
    """A folder, then S3."""
    return storage if str(storage).startswith("s3:") else FileStorage(tmp_path / "to")


def move(source, target) -> str:
    out = StringIO()
    call_command("move_storage", str(source), str(target), stdout=out, stderr=out)
    return out.getvalue()


def contents(storage) -> dict[str, bytes]:
    return {entry.key: storage.read(entry.key) for entry in storage.list("photos")}


def test_all_files_are_copied_once_and_the_source_is_unchanged(source, target):
    before = {path: path.stat().st_mtime_ns for path in source.root.rglob("*")}
    said = move(source, target)
    assert "6 copied, 0 there already" in said and f"TELEDER_STORAGE={target}" in said
    assert contents(target) == contents(source) == {key: key.encode() * 1000 for key in KEYS}
    assert {path: path.stat().st_mtime_ns for path in source.root.rglob("*")} == before
    assert "0 copied, 6 there already" in move(source, target)


def test_a_stopped_move_can_be_resumed(source, target, monkeypatch):
    write, done = type(target).write, []

    def stops_after_two(self, key, content):
        if len(done) == 2:
            raise StorageUnavailableError("gone")
        done.append(key)
        write(self, key, content)

    with monkeypatch.context() as patch:
        patch.setattr(type(target), "write", stops_after_two)
        with pytest.raises(CommandError, match="stopped after 2 copied.*Run it again"):
            move(source, target)
    assert "4 copied, 2 there already" in move(source, target)
    assert contents(target) == contents(source)


def test_a_file_that_changed_at_the_source_is_copied_again(source, target):
    """A rotation of keys changes an original without changing its size."""
    move(source, target)
    source.write(KEYS[0], b"x" * len(KEYS[0]) * 1000)
    assert "1 copied, 5 there already" in move(source, target)
    assert contents(target) == contents(source)


def test_a_copy_that_differs_when_read_back_fails(source, target, monkeypatch):
    write = type(target).write
    monkeypatch.setattr(type(target), "write", lambda self, key, content: write(self, key, content[:-1]))
    with pytest.raises(CommandError, match="6 files are not the same"):
        move(source, target)


def test_links_and_odd_names_at_the_source_are_left_out_and_named(source, target, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    (source.root / "photos/0/original/link").symlink_to(tmp_path / "secret")
    (source.root / "photos/0/original/.odd").write_bytes(b"x")
    said = move(source, target)
    assert "6 copied" in said and "2 left out" in said and "photos/0/original/link" in said
    assert set(contents(target)) == set(KEYS)


def test_it_moves_back_from_s3_to_files(source, target, tmp_path):
    move(source, target)
    back = FileStorage(tmp_path / "back")
    assert "6 copied" in move(target, back)
    assert contents(back) == contents(source)


@pytest.mark.parametrize("below", ["", "/", "/photos/inner", "/../from"])
def test_a_storage_cannot_be_moved_to_itself(source, below):
    with pytest.raises(CommandError, match="one place"):
        move(source, f"{source}{below}")
    with pytest.raises(CommandError, match="one place"):
        move("s3://bucket/a", f"s3://bucket/a{below.replace('/../from', '')}")


def test_an_invalid_storage_is_refused(source):
    for wrong in ("photos", "s3://", "ftp://x/y"):
        with pytest.raises(CommandError, match="TELEDER_STORAGE"):
            move(source, wrong)


def test_a_target_that_cannot_be_written_is_reported_before_any_read(source):
    with pytest.raises(CommandError, match="stopped after 0 copied"):
        move(source, "file:///dev/null/nowhere")
    assert from_url(str(source)) == source and s3.BUCKET


def test_the_mark_goes_along(source, target):
    """Without it, the web would take no photo at the new place."""
    source.create(MARK, b"of this database")
    move(source, target)
    assert target.mark() == "of this database"


def test_the_storage_of_another_installation_is_refused(source, target):
    source.create(MARK, b"of this database")
    target.create(MARK, b"of another")
    with pytest.raises(CommandError, match="KeyExistsError"):
        move(source, target)
    assert target.mark() == "of another"
