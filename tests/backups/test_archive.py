"""A backup holds every byte or says which is missing, on files and on S3."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta

import pytest

from contract.storage import MARK, FileMissingError, FileStorage, StorageUnavailableError
from teleder.backups import archive

NOW = datetime.now(UTC).replace(microsecond=0)
DUMP = [os.urandom(1000), os.urandom(24)]
PHOTO = "photos/0190f5a0-0000-7000-8000-000000000001"


def reads(content) -> bool:
    return b"".join(content) == b"".join(DUMP)


@pytest.fixture
def source(storage):
    storage.write(MARK, b"ours")
    storage.write(f"{PHOTO}/original/a", b"first")
    storage.write(f"{PHOTO}/prepare/1/display.jpg", b"copy")
    return storage


@pytest.fixture
def place(tmp_path):
    return FileStorage(tmp_path / "backups")


@pytest.fixture
def made(source, place):
    return archive.create(source, place, DUMP, now=NOW)


def kept(content: bytes) -> str:
    return archive.stored_at(hashlib.sha256(content).hexdigest())


def faults(place, manifest) -> list[str]:
    return list(archive.damaged_pieces(place, manifest, reads))


def test_what_was_backed_up_comes_back_whole(source, place, made, tmp_path):
    target = FileStorage(tmp_path / "elsewhere")
    assert (made.count, made.bytes) == (2, 1024 + 9)
    assert archive.restore_files(place, archive.manifest_of(place, made.name), target) == (2, [])
    assert {entry.key: target.read(entry.key) for entry in target.list("photos")} == {
        entry.key: source.read(entry.key) for entry in source.list("photos")
    }
    assert b"".join(archive.database_of(place, made)) == b"".join(DUMP)
    assert faults(place, made) == []


def test_a_dump_larger_than_a_piece_is_divided(source, place, monkeypatch):
    monkeypatch.setattr(archive, "PIECE_BYTES", 300)
    made = archive.create(source, place, DUMP, now=NOW)
    assert [piece.size for piece in made.database] == [1000, 24] and faults(place, made) == []


def test_the_next_backup_copies_only_what_is_new(source, place, made, monkeypatch):
    copied, copy = [], archive._copy
    monkeypatch.setattr(archive, "_copy", lambda *parts: copied.append(parts[2]) or copy(*parts))
    monkeypatch.setattr(archive, "MARGIN", timedelta(0))
    archive.create(
        source, place, DUMP, now=NOW + timedelta(hours=2)
    )  # its files are of the last one's second
    source.write(f"{PHOTO}/original/b", b"second")
    copied.clear()
    last = archive.create(source, place, DUMP, now=NOW + timedelta(hours=4))
    assert (copied, last.count) == ([f"{PHOTO}/original/b"], 3)


def test_a_file_that_changed_since_is_copied_again(source, place, made, tmp_path):
    source.write(f"{PHOTO}/original/a", b"FIRST")
    again = archive.create(source, place, DUMP, now=NOW + timedelta(seconds=2))
    assert faults(place, again) == []
    assert place.read(kept(b"FIRST")) == b"FIRST"
    assert faults(place, made) == [], "the backup before keeps the file as it was"


@pytest.mark.parametrize("damage", ["changed", "missing"])
@pytest.mark.parametrize("part", ["database", "files", "photo"])
def test_one_changed_byte_is_found(place, made, part, damage):
    key = {
        "database": made.database[0].key,
        "files": made.files[0].key,
        "photo": kept(b"first"),
    }[part]
    if damage == "missing":
        place.delete(key)
    else:
        content = bytearray(place.read(key))
        content[len(content) // 2] ^= 1
        place.write(key, bytes(content))
    named = f"{PHOTO}/original/a" if part == "photo" else key
    assert faults(place, made) == [f"{named}: {damage}"]


def test_a_dump_that_cannot_be_read_is_a_fault(place, made):
    assert list(archive.damaged_pieces(place, made, lambda content: False)) == [
        f"backups/{made.name}/database: pg_restore does not read it"
    ]


def test_a_restore_names_what_is_lost_and_brings_the_rest(place, made, tmp_path):
    place.write(kept(b"first"), b"wrong")
    target = FileStorage(tmp_path / "elsewhere")
    assert archive.restore_files(place, made, target) == (1, [f"{PHOTO}/original/a"])
    assert [entry.key for entry in target.list("photos")] == [f"{PHOTO}/prepare/1/display.jpg"]


def test_after_a_fault_everything_is_copied_anew(source, place, made):
    place.write(kept(b"first"), b"wrong")
    again = archive.create(source, place, DUMP, now=NOW + timedelta(days=1), anew=True)
    assert faults(place, again) == []


def test_a_backup_whose_dump_fails_does_not_count(source, place):
    def dump():
        yield DUMP[0]
        raise RuntimeError("pg_dump failed")

    with pytest.raises(RuntimeError):
        archive.create(source, place, dump(), now=NOW)
    assert archive.finished_backups(place) == []


def test_one_place_holds_the_backups_of_one_installation(source, place, made, tmp_path):
    other = FileStorage(tmp_path / "other")
    other.write(MARK, b"theirs")
    with pytest.raises(archive.BackupError, match="another installation"):
        archive.create(other, place, DUMP, now=NOW + timedelta(days=1))


def test_photos_that_are_not_mounted_are_not_backed_up_as_none(place, tmp_path):
    with pytest.raises(StorageUnavailableError):
        archive.create(FileStorage(tmp_path / "empty"), place, DUMP, now=NOW)


def test_the_photos_own_place_is_refused(source):
    with pytest.raises(archive.BackupError, match="another place"):
        archive.create(source, source, DUMP, now=NOW)


def test_a_damaged_manifest_is_said_to_be(place, made):
    place.write(f"backups/{made.name}/manifest", b'{"name": "x"')
    with pytest.raises(archive.BackupError, match="damaged"):
        archive.manifest_of(place, made.name)


@pytest.mark.parametrize("name", ["20260101T000000Z", "../photos", ""])
def test_a_backup_that_is_not_there_is_said_to_be(place, made, name):
    with pytest.raises(archive.BackupError, match="no finished backup"):
        archive.manifest_of(place, name)


# --- What is too old --------------------------------------------------------------------------------------
def test_an_old_backup_is_removed_with_what_only_it_names(source, place, made):
    source.delete(f"{PHOTO}/original/a")
    later = archive.create(source, place, DUMP, now=NOW + timedelta(days=3))
    gone, files = archive.prune(place, older_than=NOW + timedelta(days=2))
    assert (gone, files, archive.finished_backups(place)) == ([made.name], 1, [later.name])
    with pytest.raises(FileMissingError):
        place.read(kept(b"first"))
    assert faults(place, later) == []


def test_the_newest_backup_stays_however_old_it_is(place, made):
    assert archive.prune(place, older_than=NOW + timedelta(days=99)) == ([], 0)
    assert faults(place, made) == []


def test_an_unfinished_backup_is_removed_after_two_days(place, made):
    place.write("backups/20200101T000000Z/database/0000", b"half")
    young = datetime.now(UTC).strftime(archive.FORM)
    place.write(f"backups/{young}/database/0001", b"under way")
    gone, _files = archive.prune(place, older_than=NOW - timedelta(days=30))
    assert gone == ["20200101T000000Z"] and place.exists(f"backups/{young}/database/0001")
