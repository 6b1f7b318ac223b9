"""A photo served to a browser from each storage: complete, in ranges, streamed, with the same headers."""

from __future__ import annotations

import os

import pytest
from django.urls import reverse

from teleder.audit.models import Entry
from teleder.cases.files import HEADERS

pytestmark = pytest.mark.django_db
CONTENT = os.urandom(200_001)
SIZE = len(CONTENT)


@pytest.fixture
def photo(storage, alices_submission, analyse):
    photo = alices_submission.photos.get()
    analyse(photo)
    photo.refresh_from_db()
    storage.write(photo.display_key, CONTENT)
    return photo


@pytest.fixture(params=["web:photo", "api:photo-file"])
def get(request, client, dana, photo):
    client.force_login(dana)
    address = reverse(request.param, args=[photo.pk, "display"])
    return lambda **headers: client.get(address, headers=headers)


def test_the_complete_photo_is_streamed_with_its_headers(get):
    answer = get()
    assert answer.status_code == 200 and answer.streaming
    pieces = list(answer.streaming_content)
    assert b"".join(pieces) == CONTENT and max(map(len, pieces)) <= 65536
    assert {name: answer[name] for name in HEADERS} == HEADERS
    assert (answer["Content-Length"], answer["Accept-Ranges"]) == (str(SIZE), "bytes")
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Content-Disposition"] == 'inline; filename="display.jpg"'


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=65535-65536", 65535, 65537),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        (f"bytes=5-{SIZE - 1}", 5, SIZE),
        ("bytes=100-999999999", 100, SIZE),
        ("bytes=-1", SIZE - 1, SIZE),
        ("bytes=-999999999", 0, SIZE),
    ],
)
def test_a_range_is_206_with_its_position(get, asked, start, stop):
    answer = get(Range=asked)
    assert (answer.status_code, answer["Content-Range"]) == (206, f"bytes {start}-{stop - 1}/{SIZE}")
    assert answer["Content-Length"] == str(stop - start)
    assert answer.getvalue() == CONTENT[start:stop]
    assert {name: answer[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0"])
def test_a_range_beyond_the_end_is_416_and_gives_the_size(get, asked):
    answer = get(Range=asked)
    assert (answer.status_code, answer["Content-Range"], answer.content) == (416, f"bytes */{SIZE}", b"")
    assert {name: answer[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize(
    "asked",
    ["bytes=9-3", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", f"bytes={'9' * 5000}-", "bytes= 1-2"],
)
def test_anything_but_a_single_range_gets_the_complete_photo(get, asked):
    answer = get(Range=asked)
    assert answer.status_code == 200 and answer.getvalue() == CONTENT


def test_if_range_gets_a_range_of_the_same_photo_and_otherwise_the_complete_one(get):
    etag = get()["ETag"]
    assert get(Range="bytes=0-9", **{"If-Range": etag}).status_code == 206
    for other in ('"another"', f"W/{etag}", "Sat, 28 Nov 2026 18:00:00 GMT"):
        answer = get(Range="bytes=0-9", **{"If-Range": other})
        assert answer.status_code == 200 and answer.getvalue() == CONTENT


def test_head_gives_the_size_and_ranges_apply_only_to_get(client, dana, photo):
    client.force_login(dana)
    answer = client.head(reverse("web:photo", args=[photo.pk, "display"]), headers={"Range": "bytes=0-9"})
    assert (answer.status_code, answer["Content-Length"]) == (200, str(SIZE))


def test_a_range_is_written_to_the_audit_log_and_needs_the_same_rights(get, client, bob, photo):
    before = Entry.objects.filter(kind="photo").count()
    assert get(Range="bytes=0-9").getvalue()
    assert Entry.objects.filter(kind="photo").count() == before + 1
    client.force_login(bob)
    assert get(Range="bytes=0-9").status_code == 404


def test_a_missing_file_is_404_for_ranges_as_well(get, storage, photo):
    storage.delete(photo.display_key)
    assert get().status_code == get(Range="bytes=0-9").status_code == 404
