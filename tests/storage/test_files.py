"""Files in a folder: durable, complete, and no link is followed."""

from __future__ import annotations

import errno
import os

import pytest

from contract.storage import (
    FileMissingError,
    FileStorage,
    StorageFullError,
    StorageKeyError,
    StorageUnavailableError,
    files,
)

KEY = "photos/1/prepare/1/display.jpg"


@pytest.fixture
def folder(tmp_path) -> FileStorage:
    return FileStorage(tmp_path / "media")


@pytest.fixture
def full(monkeypatch) -> None:
    def no_space(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", no_space)


@pytest.mark.parametrize("write", ["write", "create"])
def test_a_full_disk_is_reported_and_leaves_no_partial_file(folder, request, write):
    folder.write("photo", b"old")
    request.getfixturevalue("full")
    with pytest.raises(StorageFullError):
        getattr(folder, write)("photo" if write == "write" else "another", b"new")
    assert folder.read("photo") == b"old"
    assert [path.name for path in folder.root.iterdir()] == ["photo"]


@pytest.mark.parametrize("step", ["replace", "link"])
def test_an_interrupted_write_leaves_the_old_file_and_no_partial_one(folder, monkeypatch, step):
    folder.write("photo", b"old")

    def cut_off(*_paths, **_folders):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, step, cut_off)
    with pytest.raises(KeyboardInterrupt):
        (folder.write if step == "replace" else folder.create)("photo", b"new")
    assert folder.read("photo") == b"old"
    assert [path.name for path in folder.root.iterdir()] == ["photo"]


def test_a_read_during_a_write_gets_the_complete_old_file(folder, monkeypatch):
    folder.write("photo", b"old")
    seen, replace = [], os.replace

    def look_then_replace(*paths, **folders):
        seen.append(folder.read("photo"))
        replace(*paths, **folders)

    monkeypatch.setattr(files.os, "replace", look_then_replace)
    folder.write("photo", b"new")
    assert (seen, folder.read("photo")) == ([b"old"], b"new")


@pytest.mark.parametrize("write", ["write", "create"])
def test_the_file_and_then_each_folder_up_to_the_root_is_synced(folder, monkeypatch, write):
    synced, fsync = [], os.fsync

    def note(descriptor: int) -> None:
        synced.append(os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), folder.root))
        fsync(descriptor)

    folder.root.mkdir()
    monkeypatch.setattr(files.os, "fsync", note)
    getattr(folder, write)("photos/1/original", b"x")
    assert synced[0].startswith("photos/1/tmp")
    assert synced[1:] == ["photos/1", "photos", "."]


def test_no_other_user_of_the_machine_may_read_a_photo(folder):
    folder.write("photos/1/original", b"x")
    folder.create("photos/1/another", b"x")
    assert {path.stat().st_mode & 0o077 for path in [folder.root, *folder.root.rglob("*")]} == {0}


# --- What a compromised worker may leave there ---------------------------------------------------------------
@pytest.mark.parametrize("level", range(5))
def test_no_link_is_followed_at_any_level(folder, tmp_path, level):
    """The link leads to a secret: it is not read, written, listed or deleted."""
    secret = tmp_path / "secret"
    below = KEY.split("/")[level + 1 :]
    target = secret.joinpath(*below)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"secret")
    link = folder.root.joinpath(*KEY.split("/")[: level + 1])
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(secret)
    for call in (
        lambda: folder.read(KEY),
        lambda: folder.size(KEY),
        lambda: folder.write(KEY, b"mine") if below else folder.read(KEY),
        lambda: folder.create(f"{KEY}/x" if not below else KEY, b"mine"),
        lambda: folder.delete(KEY) if below else folder.read(KEY),
    ):
        with pytest.raises(StorageKeyError):
            call()
    assert target.read_bytes() == b"secret"
    assert all("secret" not in str(entry) for entry in folder.list("photos")) if level else True
    folder.delete_all("photos")
    assert target.read_bytes() == b"secret" and not link.is_symlink()


def test_a_link_in_place_of_the_file_is_replaced_and_not_written_through(folder, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    folder.write("photos/1/other", b"x")
    (folder.root / "photos/1/photo").symlink_to(tmp_path / "secret")
    folder.write("photos/1/photo", b"mine")
    assert (tmp_path / "secret").read_bytes() == b"secret" and folder.read("photos/1/photo") == b"mine"


def test_links_and_files_of_other_names_are_listed_and_deleted(folder):
    folder.write("photos/1/photo", b"x")
    (folder.root / "photos/1/link").symlink_to("/proc/self")
    (folder.root / "photos/1/.odd name\n").write_bytes(b"x")
    os.mkfifo(folder.root / "photos/1/pipe")
    keys = {entry.key for entry in folder.list("photos")}
    assert keys == {f"photos/1/{name}" for name in ("photo", "link", ".odd name\n", "pipe")}
    for key in keys:
        folder.delete(key)
    assert list(folder.list("photos")) == []


def test_a_pipe_or_a_folder_in_place_of_a_file_does_not_block(folder):
    folder.write("photos/1/photo", b"x")
    os.mkfifo(folder.root / "photos/1/pipe")
    for key in ("photos/1/pipe", "photos/1"):
        with pytest.raises(FileMissingError):
            folder.read(key)


def test_an_unmounted_folder_is_unavailable_and_not_a_missing_file(folder):
    for call in (lambda: folder.read("photos/1"), lambda: folder.size("photos/1")):
        with pytest.raises(StorageUnavailableError):
            call()


def test_a_root_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailableError):
        FileStorage(tmp_path / "file").check()
