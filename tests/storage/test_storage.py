"""The behaviour of every storage, tested with a folder and a real S3 server."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from contract.storage import (
    FileMissingError,
    KeyExistsError,
    StorageKeyError,
    StorageSettingError,
    StorageUnavailableError,
    from_environment,
    from_url,
)
from contract.storage.base import CHUNK_BYTES

PHOTO = "photos/8a1f/prepare/1/display.jpg"
BAD_KEYS = [
    "../x", "/etc/passwd", "a/../../x", "a//b", "", ".hidden", "a/.b", "a\x00b", "a\n", "a/", "a b", "ä", "a%2e", "x" * 600,
]  # fmt: skip


def test_written_content_can_be_read(storage):
    storage.write(PHOTO, b"abc")
    assert (storage.read(PHOTO), storage.read(PHOTO, limit=2), storage.read(PHOTO, limit=9)) == (
        b"abc",
        b"ab",
        b"abc",
    )
    assert (storage.size(PHOTO), storage.exists(PHOTO), storage.exists(f"{PHOTO}x")) == (3, True, False)


def test_a_write_replaces_an_existing_file_and_create_does_not(storage):
    storage.write(PHOTO, b"old")
    storage.write(PHOTO, b"new one")
    with pytest.raises(KeyExistsError):
        storage.create(PHOTO, b"another")
    assert storage.read(PHOTO) == b"new one"
    storage.create("photos/8a1f/other", b"first")
    assert storage.read("photos/8a1f/other") == b"first"


def test_only_one_of_many_simultaneous_creates_succeeds(storage):
    def create(number: int) -> str:
        try:
            storage.create("photos/race", b"%d" % number * 1000)
        except KeyExistsError:
            return "lost"
        except StorageUnavailableError:  # the connection broke: did the server write?
            return "unknown"
        return "won"

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(create, range(32)))
    content = storage.read("photos/race")
    holder = int(content[: len(content) // 1000])
    assert content == b"%d" % holder * 1000 and answers[holder] in ("won", "unknown")
    assert answers.count("won") <= 1 and answers.count("unknown") <= 3


def test_a_reader_sees_one_complete_file_during_simultaneous_writes(storage):
    contents = [bytes([number]) * 200_000 for number in range(8)]
    storage.write(PHOTO, contents[0])
    with ThreadPoolExecutor(9) as pool:
        writes = [pool.submit(storage.write, PHOTO, content) for content in contents]
        for _ in range(20):
            assert storage.read(PHOTO) in contents
        assert [write.result() for write in writes] == [None] * 8


def test_a_large_file_is_read_unchanged_and_in_chunks(storage):
    content = os.urandom(26 * 1024 * 1024 + 7)
    storage.write(PHOTO, content)
    pieces = []
    with storage.open(PHOTO) as file:
        assert file.size == len(content)
        while piece := file.read(CHUNK_BYTES):
            pieces.append(piece)
    assert b"".join(pieces) == content and max(map(len, pieces)) <= CHUNK_BYTES


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, None), (0, 1), (0, 10), (0, 99), (3, 5), (9, 10), (9, 99), (5, None), (10, None), (10, 12), (50, 60), (0, 0), (4, 4)],
)  # fmt: skip
def test_a_range_is_read_up_to_the_end_of_the_file(storage, start, stop):
    storage.write(PHOTO, b"0123456789")
    with storage.open(PHOTO, start, stop) as file:
        assert (file.read(), file.size) == (b"0123456789"[start:stop], 10)


def test_chunks_that_end_in_an_error_leave_nothing(storage):
    def chunks():
        yield b"first"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        storage.create(PHOTO, chunks())
    assert list(storage.list("photos")) == []
    storage.create(PHOTO, iter([b"first", b"second"]))
    assert storage.read(PHOTO) == b"firstsecond"


def test_an_empty_file_is_a_file(storage):
    storage.write(PHOTO, b"")
    assert (storage.read(PHOTO), storage.read(PHOTO, limit=5), storage.size(PHOTO)) == (b"", b"", 0)


@pytest.mark.parametrize("key", ["nothing", "folder", "folder/file/below"])
def test_an_unknown_key_is_missing(storage, key):
    storage.write("folder/file", b"x")
    with pytest.raises(FileMissingError):
        storage.read(key)
    with pytest.raises(FileMissingError):
        storage.size(key)
    with pytest.raises(FileMissingError):
        storage.open(key, 0, 0)
    assert not storage.exists(key)
    storage.delete("folder/nothing")
    storage.delete_all("nothing/at-all")


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_that_leads_elsewhere_is_refused_before_any_request(storage, key):
    for call in (
        lambda: storage.read(key),
        lambda: storage.size(key),
        lambda: storage.write(key, b"x"),
        lambda: storage.create(key, b"x"),
        lambda: list(storage.list(key)),
        lambda: storage.delete_all(key),
    ):
        with pytest.raises(StorageKeyError):
            call()


@pytest.mark.parametrize("key", ["../x", "a/../x", "", "/etc/passwd", "a//b", "a\x00b", "."])
def test_nothing_outside_the_storage_is_deleted(storage, key):
    with pytest.raises(StorageKeyError):
        storage.delete(key)


def test_a_prefix_lists_only_the_files_below_it(storage):
    began = time.time()
    for key in (
        "photos/1/original/a",
        "photos/1/prepare/1/b.jpg",
        "photos/12/original/c",
        "other/photos/1/d",
    ):
        storage.write(key, key.encode())
    found = {entry.key: entry for entry in storage.list("photos/1")}
    assert set(found) == {"photos/1/original/a", "photos/1/prepare/1/b.jpg"}
    assert found["photos/1/original/a"].size == len("photos/1/original/a")
    assert abs(found["photos/1/original/a"].modified - began) < 60
    assert len(list(storage.list("photos"))) == 3
    assert list(storage.list("photos/3")) == []


def test_deleting_a_prefix_deletes_only_the_files_below_it(storage):
    for key in ("photos/1/original/a", "photos/1/prepare/1/b.jpg", "photos/12/original/c"):
        storage.write(key, b"x")
    storage.delete_all("photos/1")
    assert [entry.key for entry in storage.list("photos")] == ["photos/12/original/c"]
    storage.delete("photos/12/original/c")
    assert list(storage.list("photos")) == []


def test_more_files_than_one_request_deletes_are_deleted(storage, monkeypatch):
    monkeypatch.setattr("contract.storage.s3.DELETE_AT_ONCE", 7)
    for number in range(20):
        storage.write(f"photos/1/{number}", b"x")
    storage.delete_all("photos/1")
    assert list(storage.list("photos")) == []


def test_a_check_leaves_no_file(storage):
    for _ in range(3):
        storage.check()
    assert list(storage.list("photos")) == []


# --- The setting ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "url",
    [
        "", "photos", "/srv/photos", "file://srv/photos", "file:///", "file:relative", "ftp://x/y", "s3://", "s3:///prefix",
        "s3://key:secret@bucket/x", "s3://bucket/x?endpoint=y", "http://x/", "file:///x#y",
    ],
)  # fmt: skip
def test_an_invalid_storage_url_is_refused(monkeypatch, url):
    with pytest.raises(StorageSettingError, match="TELEDER_STORAGE"):
        from_url(url)


def test_a_folder_in_the_former_setting_is_not_silently_ignored(monkeypatch, tmp_path):
    monkeypatch.setenv("TELEDER_MEDIA_ROOT", str(tmp_path / "photos"))
    monkeypatch.delenv("TELEDER_STORAGE", raising=False)
    for url in ("", f"file://{tmp_path}/elsewhere"):
        monkeypatch.setenv("TELEDER_STORAGE", url)
        with pytest.raises(StorageSettingError, match=f"set TELEDER_STORAGE=file://{tmp_path}/photos"):
            from_environment(default="file:///app/media")
    monkeypatch.setenv("TELEDER_STORAGE", f"file://{tmp_path}/photos")  # during a deploy both may be set
    assert from_environment().root == tmp_path / "photos"


def test_the_environment_names_the_storage(monkeypatch, tmp_path):
    monkeypatch.delenv("TELEDER_STORAGE", raising=False)
    with pytest.raises(StorageSettingError, match="not set"):
        from_environment()
    monkeypatch.setenv("TELEDER_STORAGE", (tmp_path / "with space").as_uri())
    assert from_environment().root == tmp_path / "with space"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("TELEDER_S3_SECRET_KEY", "", "both of"),
        ("TELEDER_S3_ENDPOINT", "http://s3.example", "https"),
        ("TELEDER_S3_ENDPOINT", "s3.example", "TELEDER_S3_ENDPOINT"),
        ("TELEDER_S3_ENDPOINT", "https://key:hidden-word@s3.example", "TELEDER_S3_ENDPOINT"),
    ],
)
def test_invalid_s3_settings_are_refused_without_naming_a_secret(monkeypatch, name, value, message):
    monkeypatch.setenv("TELEDER_S3_ACCESS_KEY", "access")
    monkeypatch.setenv("TELEDER_S3_SECRET_KEY", "hidden-word")
    monkeypatch.setenv(name, value)
    with pytest.raises(StorageSettingError, match=message) as refused:
        from_url("s3://bucket/prefix")
    assert "hidden-word" not in str(refused.value)


def test_the_keys_of_s3_come_from_files_and_are_not_shown(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("hidden-word\n")
    monkeypatch.setenv("TELEDER_S3_ACCESS_KEY", "access")
    monkeypatch.setenv("TELEDER_S3_SECRET_KEY_FILE", str(tmp_path / "secret"))
    found = from_url("s3://bucket/prefix/")
    assert (found.secret_key, found.prefix, str(found)) == ("hidden-word", "prefix", "s3://bucket/prefix")
    assert "hidden-word" not in repr(found) and "access" not in repr(found).replace("access_key", "")
