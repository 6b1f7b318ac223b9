"""Rights are checked when a slow body has arrived, and no body exceeds the limit of its endpoint."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import reverse
from knox.models import AuthToken

from teleder.accounts import people
from teleder.accounts.models import Role, User
from teleder.cases.models import Photo
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
FORM = "application/x-www-form-urlencoded"
NEW_PASSWORD = "another-horse-battery"


class Slow(io.BytesIO):
    """A request body that runs a function while it is read."""

    def __init__(self, content: bytes, meanwhile: Callable[[], Any]) -> None:
        super().__init__(content)
        self.meanwhile = meanwhile

    def read(self, *size: int) -> bytes:
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return super().read(*size)


def send(
    client: Client, path: str, content: bytes, meanwhile: Callable, kind: str = FORM, **more: Any
) -> Any:
    method = more.pop("method", "POST")
    body = {"wsgi.input": Slow(content, meanwhile), "CONTENT_LENGTH": str(len(content))}
    return client.generic(method, path, content, kind, **(more | body))


def password_of(user: User) -> None:
    fresh = User.objects.get(pk=user.pk)
    fresh.set_password(NEW_PASSWORD)
    fresh.save()


DURING_THE_BODY = {
    "suspended": (lambda user, by: people.deactivate(user, by=by), {"is_active": False}),
    "demoted": (
        lambda user, by: people.change_role(user, role=Role.DERMATOLOGIST, by=by),
        {"role": "dermatologist"},
    ),
    "new password": (lambda user, by: password_of(user), {}),
}


@pytest.fixture
def ada(person):
    return person("ada", "admin")


@pytest.mark.parametrize("what", DURING_THE_BODY)
@pytest.mark.parametrize("endpoint", ["web:settings", "web:people", "account_change_password"])
def test_a_slow_form_does_not_undo_a_concurrent_change(client, ada, adam, what, endpoint):
    happens, left = DURING_THE_BODY[what]
    client.force_login(ada)
    words = (
        f"name=Eve&language=ja&oldpassword={PASSWORD}&password1=x9-{NEW_PASSWORD}&password2=x9-{NEW_PASSWORD}"
    )
    send(client, reverse(endpoint), words.encode(), lambda: happens(ada, adam))
    found = User.objects.get(pk=ada.pk)
    assert {name: getattr(found, name) for name in left} == left
    assert found.check_password(NEW_PASSWORD if what == "new password" else PASSWORD)
    assert (found.name, found.language) == ("Ada", "en")


@pytest.mark.parametrize("verb", ["activate", "deactivate", "make-admin"])
def test_a_user_suspended_during_their_form_changes_nothing(client, ada, adam, dana, verb):
    client.force_login(ada)
    whom = ada if verb == "activate" else dana
    path = reverse("web:change_person", args=[whom.pk, verb])
    answer = send(client, path, b"a=1", lambda: people.deactivate(ada, by=adam))
    assert answer["Location"].startswith(reverse("account_login"))
    assert not User.objects.get(pk=ada.pk).is_active
    dana.refresh_from_db()
    assert (dana.is_active, dana.role) == (True, Role.DERMATOLOGIST)


def test_no_admin_activates_themselves(ada, adam):
    people.deactivate(ada, by=adam)
    with pytest.raises(people.ValidationError):
        people.activate(ada, by=ada)
    assert not User.objects.get(pk=ada.pk).is_active


def caller_of(user: User, *, by_token: bool) -> tuple[Client, dict[str, str]]:
    client = Client()
    if by_token:
        return client, {"HTTP_AUTHORIZATION": f"Token {AuthToken.objects.create(user)[1]}"}
    client.force_login(user)
    return client, {}


@pytest.mark.parametrize("by_token", [False, True])
def test_the_api_checks_rights_again_after_the_body_arrived(alice, adam, by_token):
    client, bearing = caller_of(alice, by_token=by_token)
    asked = {"method": "PATCH", "kind": "application/json", **bearing}
    put = b'{"language": "ja"}'
    assert send(client, reverse("api:me"), put, lambda: None, **asked).status_code == 200
    put = b'{"language": "en"}'
    answer = send(client, reverse("api:me"), put, lambda: people.deactivate(alice, by=adam), **asked)
    assert answer.status_code in (401, 403)
    assert User.objects.get(pk=alice.pk).language == "ja"


def test_a_request_of_a_user_who_logs_out_during_its_body_changes_nothing(alice):
    client, bearing = caller_of(alice, by_token=True)
    asked = {"method": "PATCH", "kind": "application/json", **bearing}
    answer = send(client, reverse("api:me"), b'{"language": "ja"}', AuthToken.objects.all().delete, **asked)
    assert answer.status_code == 401
    assert User.objects.get(pk=alice.pk).language == "en"


@pytest.mark.parametrize("by_token", [False, True])
def test_no_photo_is_accepted_from_a_user_suspended_during_the_upload(
    alice, adam, alices_draft, photo_file, by_token
):
    client, bearing = caller_of(alice, by_token=by_token)
    form = encode_multipart(BOUNDARY, {"view": "close_up", "file": photo_file()})
    before, path = Photo.objects.count(), reverse("api:photos", args=[alices_draft.pk])
    kind = {"kind": MULTIPART_CONTENT, **bearing}
    answer = send(client, path, form, lambda: people.deactivate(alice, by=adam), **kind)
    assert answer.status_code in (401, 403)
    assert Photo.objects.count() == before
    people.activate(alice, by=adam)
    alice.refresh_from_db()
    client, bearing = caller_of(alice, by_token=by_token)
    assert send(client, path, form, lambda: None, **(kind | bearing)).status_code == 201


# --- Size limits ------------------------------------------------------------------------------------------
def never() -> None:
    pytest.fail("it was read")


@pytest.mark.parametrize(
    "endpoint", ["account_login", "web:settings", "web:invite", "api:tokens", "api:me", "nothing"]
)
def test_a_large_body_is_refused_unread_where_no_photo_is_expected(client, dana, endpoint):
    client.force_login(dana)
    path = "/nothing/" if endpoint == "nothing" else reverse(endpoint)
    body = {
        "wsgi.input": Slow(b"", never),
        "CONTENT_LENGTH": str(400 * 1024 * 1024),
        "HTTP_ACCEPT_LANGUAGE": "en",
    }
    answer = client.generic("POST", path, b"x", MULTIPART_CONTENT, **body)
    assert answer.status_code == 413
    is_api = path.startswith("/api/")
    assert (b"body_too_large" if is_api else b"too much to send") in answer.content


@pytest.mark.parametrize(("name", "status"), [("nobody", 413), ("alice", 302)])
def test_a_photo_is_read_only_from_logged_in_users(request, client, photo_file, alices_draft, name, status):
    if name != "nobody":
        client.force_login(request.getfixturevalue(name))
    upload = photo_file(content=b"\xff\xd8\xff" + b"\0" * 2**21)
    path = reverse("web:add_photo", args=[alices_draft.pk])
    assert client.post(path, {"view": "close_up", "photo": upload}).status_code == status


# --- Null characters, which the database cannot store -----------------------------------------------------
@pytest.mark.parametrize(
    "endpoint", ["web:people", "web:cases_admin", "api:worklist", "admin:accounts_user_changelist"]
)
def test_a_null_character_in_a_url_is_a_400(client, sue, endpoint):
    client.force_login(sue)
    assert client.get(reverse(endpoint) + "?find=a%00b&role__exact=%00&cursor=%00").status_code == 400


def test_a_null_character_in_a_cookie_is_a_400(client, settings, db):
    client.cookies[settings.SESSION_COOKIE_NAME] = "\0abcdefghijkl"
    assert client.get(reverse("account_login")).status_code == 400


def test_a_null_character_in_a_form_is_a_400(client, alice):
    client.force_login(alice)
    assert client.post(reverse("web:new"), {"key": "a\0b"}).status_code == 400
