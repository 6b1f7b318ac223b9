"""What an upload may cost: queries, calls of Valkey, hashing and memory. No time is asserted."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from types import SimpleNamespace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from knox.models import AuthToken
from redis.connection import AbstractConnection

from contract.messages import Stage
from teleder.cases import originals
from teleder.cases.models import Photo
from teleder.pipeline import dispatch
from tests.conftest import JPEG_HEAD

pytestmark = pytest.mark.django_db
MEGABYTE = 1024 * 1024


@pytest.fixture
def send(client, alice, alices_draft):
    """Send a photo of alice's by token; its answer."""
    headers = {"Authorization": f"Token {AuthToken.objects.create(alice)[1]}"}
    path = reverse("api:photos", args=[alices_draft.pk])

    def post(content: bytes):
        upload = SimpleUploadedFile("a.jpg", JPEG_HEAD + content, "image/jpeg")
        answer = client.post(path, {"view": "close_up", "file": upload}, headers=headers)
        assert answer.status_code == 201
        return answer

    return post


def counted(queries) -> list[str]:
    own = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")  # a test's transactions are savepoints of its own
    return [query["sql"] for query in queries if not query["sql"].startswith(own)]


def test_an_upload_by_token_takes_few_queries(send):
    send(b"the first one also reads settings")
    with CaptureQueriesContext(connection) as asked:
        send(b"a photo")
    assert len(counted(asked)) <= 12, "\n".join(counted(asked))


def test_where_the_window_is_full_an_upload_dispatches_by_one_query(
    send, settings, django_assert_num_queries
):
    settings.JOB_WINDOW = 0
    with django_assert_num_queries(1):
        assert dispatch.dispatch_all((Stage.PREPARE,)) == 0


def test_an_upload_calls_valkey_twice_to_be_counted(send, monkeypatch):
    send(b"the first one connects")
    calls, send_command = [], AbstractConnection.send_packed_command
    monkeypatch.setattr(
        AbstractConnection,
        "send_packed_command",
        lambda self, command, **more: (calls.append(command), send_command(self, command, **more))[1],
    )
    answer = send(b"a photo")
    assert len(calls) == 2
    assert all(f'"{name}";r=' in answer["RateLimit"] for name in ("address", "person", "uploads"))


@pytest.mark.parametrize("size", [1000, 5 * MEGABYTE])
def test_a_photo_is_hashed_once_while_it_arrives(send, monkeypatch, settings, size):
    hashed = []

    def sha256(data: bytes = b""):
        real = hashlib.sha256(data)
        hashed.append(len(data))
        return SimpleNamespace(
            update=lambda more: (hashed.append(len(more)), real.update(more)), hexdigest=real.hexdigest
        )

    monkeypatch.setattr(originals, "hashlib", SimpleNamespace(sha256=sha256))
    content = os.urandom(size)
    answer = send(content)
    assert sum(hashed) == len(JPEG_HEAD + content)
    assert answer.json()["sha256"] == hashlib.sha256(JPEG_HEAD + content).hexdigest()
    photo = Photo.objects.get(pk=answer.json()["id"])
    assert originals.read(photo.pk, photo.original_key) == JPEG_HEAD + content


def test_a_photo_of_any_size_takes_no_more_memory_than_the_limit(settings, tmp_path):
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    chunk, handler = os.urandom(originals.CHUNK_BYTES), originals.HashingUploadHandler()
    photo = Photo()
    tracemalloc.start()
    try:
        handler.new_file("file", "a.jpg", "image/jpeg", None)
        for number in range(24 * 4):
            handler.receive_data_chunk(chunk, number * len(chunk))
        upload = handler.file_complete(24 * 4 * len(chunk))
        originals.store(upload, photo.pk)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    upload.close()
    # While its last chunk moves it into a file, twice the limit.
    assert peak <= 2 * settings.FILE_UPLOAD_MAX_MEMORY_SIZE + 2 * MEGABYTE


def test_all_files_of_a_form_share_the_memory(settings):
    half = b"x" * (settings.FILE_UPLOAD_MAX_MEMORY_SIZE * 2 // 3)
    files = {name: SimpleUploadedFile(f"{name}.jpg", half) for name in ("one", "two")}
    form = RequestFactory().post("/", files)
    assert [form.FILES[name].file._rolled for name in files] == [False, True]
    assert all(form.FILES[name].read() == half for name in files)
    form.close()
