"""Hostile file names and field values get into no file name, header, log line or formula."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from knox.models import AuthToken

from teleder.cases import intake
from teleder.cases.models import Photo
from tests.conftest import JPEG_HEAD

pytestmark = pytest.mark.django_db
CORPUS = Path(__file__).resolve().parents[3] / "shared" / "data" / "corpus" / "hostile_names-dev.json"
NAMES = [
    "../../../../etc/passwd.jpg",
    "..\\..\\windows\\win.ini.jpg",
    "/etc/passwd.jpg",
    "photo.jpg\0.php",
    "photo.jpg\r\nSet-Cookie: a=b",
    'a"; filename="b.html',
    "<script>alert(1)</script>.jpg",
    "=HYPERLINK(1).jpg",
    "\u202egpj.exe",
    "皮膚の写真.jpg",
    "x" * 5000 + ".jpg",
    "CON.jpg",
    "$(reboot).jpg",
    "' OR 1=1 --.jpg",
    "..",
    "",
]
if CORPUS.exists():
    NAMES += json.loads(CORPUS.read_text())["dev"]


def form_with(name: str, number: int) -> tuple[bytes, str]:
    """A multipart form whose file name is not escaped."""
    head = b'--b\r\nContent-Disposition: form-data; name="view"\r\n\r\nclose_up\r\n--b\r\n'
    head += (
        b'Content-Disposition: form-data; name="%s"; filename="'
        + name.encode(errors="replace")
        + b'"\r\n\r\n'
    )
    return head + JPEG_HEAD + bytes([number]) * 64 + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"


@pytest.mark.parametrize("by_api", [False, True], ids=["page", "api"])
def test_no_uploaded_file_name_is_used_or_stored(alice, draft_of, by_api, settings):
    settings.UPLOADS_PER_PATIENT_PER_MINUTE = settings.PHOTOS_PER_PATIENT_PER_DAY = 1000
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    token = {"authorization": f"Token {AuthToken.objects.create(alice)[1]}"} if by_api else {}
    for number, name in enumerate(NAMES):
        draft = draft_of(alice, photos=0)
        endpoint, field = ("api:photos", b"file") if by_api else ("web:add_photo", b"photo")
        body, kind = form_with(name, number)
        answer = client.generic(
            "POST", reverse(endpoint, args=[draft.pk]), body.replace(b"%s", field), kind, headers=token
        )
        assert answer.status_code in {201, 302, 400, 422}, name
        assert "a=b" not in str(answer.headers) and "script>alert" not in answer.content.decode()
    assert Photo.objects.count() >= len(NAMES) - 6  # some forms cannot be read at all
    assert set(Photo.objects.values_list("original_name", flat=True)) == {""}
    on_disk = [
        path.relative_to(settings.MEDIA_ROOT)
        for path in Path(settings.MEDIA_ROOT).rglob("*")
        if path.is_file()
    ]
    assert {str(path) for path in on_disk} == set(Photo.objects.values_list("original_key", flat=True))


@pytest.mark.parametrize(
    "there", ["/\r\nSet-Cookie: a=b", "//evil.example/", "https://evil.example", "javascript:alert(1)"]
)
def test_no_submitted_url_adds_a_header_or_redirects_to_another_site(client, alice, there):
    client.force_login(alice)
    answer = client.post(reverse("web:language"), {"language": "en", "next": there})
    assert (
        answer.status_code == 302 and answer["Location"].startswith("/") and "evil" not in answer["Location"]
    )
    assert "a" not in answer.cookies
    answer = Client().post(
        f"{reverse('account_login')}",
        {"login": alice.email, "password": "correct-horse-battery", "next": there},
    )
    assert (
        answer.status_code == 302 and answer["Location"].startswith("/") and "evil" not in answer["Location"]
    )


@pytest.mark.parametrize("value", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1"])
def test_no_formula_gets_into_the_table_for_training(alice, draft_of, value):
    """Its only column that a patient fills is the site, which is a code from a list."""
    with pytest.raises(ValidationError):
        intake.describe(draft_of(alice), body_site=value, history={})
