"""A page that polls after its session has ended redirects to the log-in and afterwards back to the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings as configured
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from time_machine import travel

import teleder.web
from contract import photos
from teleder.accounts import people
from teleder.accounts.models import Role
from teleder.cases import reviews
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
WEB = Path(teleder.web.__file__).parent
CALL = re.compile(r"""hx-(get|post)="([^"]*)\"""")
NAMED = re.compile(r"\{% url '(\w+:\w+)'")
ORIGIN = "http://testserver"
# The person who sees the templates of a folder.
ROLES = {"patient": "alice", "clinician": "dana", "operations": "adam", "web": "dana"}


def name_of(address: str) -> str:
    """Return the URL name of an address in a template."""
    if address == "{{ request.get_full_path }}":  # a page that polls itself, with any filter
        return "web:worklist"
    if of_row := re.fullmatch(r"\{\{ urls\.(\w+) \}\}", address):
        return f"web:{of_row[1]}"
    return NAMED.match(address)[1]


def calls() -> list[tuple[str, str, str]]:
    """Return person, method and URL name of every `hx-get` and `hx-post` in the templates."""
    found = set()
    for file in sorted((WEB / "templates").rglob("*.html")):
        for method, address in CALL.findall(file.read_text()):
            found.add((ROLES[file.parent.name], method, name_of(address)))
    return sorted(found)


CALLS = calls()


def test_all_roles_and_fragments_are_covered():
    assert {who for who, _method, _name in CALLS} == {"alice", "dana", "adam"}
    assert len(CALLS) >= 8
    assert not re.findall(
        r"hx-(?:put|patch|delete|boost)", "".join(f.read_text() for f in WEB.rglob("*.html"))
    )


def test_only_the_scripts_that_keep_photos_and_text_send_requests():
    """And the one that fills in a reply: where the session has ended, the log-in page has no form, and nothing is filled in. The
    offline page asks whether the server answers, and reads nothing of the answer."""
    asking = {
        file.name
        for file in (WEB / "static").rglob("*.js")
        if re.search(r"fetch\(|XMLHttpRequest|sendBeacon|EventSource|htmx\.ajax", file.read_text())
    }
    assert asking == {"outbox.js", "drafts.js", "decide.js", "reconnect.js"}


# --- How a session ends -----------------------------------------------------------------------------------
def delete_session(person, client: Client) -> None:
    Session.objects.all().delete()


def suspend(person, client: Client) -> None:
    type(person).objects.filter(pk=person.pk).update(is_active=False)


def end_everywhere(person, client: Client) -> None:
    people.end_sessions(person)


def change_password(person, client: Client) -> None:
    type(person).objects.filter(pk=person.pk).update(password=make_password("another-horse-battery"))


def log_out_in_another_tab(person, client: Client) -> None:
    other = Client()
    other.cookies = client.cookies.copy()
    other.post(reverse("account_logout"))


def change_role(person, client: Client) -> None:
    """As `people.change_role` does; a patient's role changes only by hand."""
    role = Role.ADMIN if person.role == Role.DERMATOLOGIST else Role.DERMATOLOGIST
    type(person).objects.filter(pk=person.pk).update(role=role)
    people.end_sessions(person)


ENDS = [delete_session, suspend, end_everywhere, change_password, log_out_in_another_tab, change_role]


@pytest.fixture
def opened(alice, dana, adam, submission_of, draft_of) -> Callable[[str], tuple[str, str]]:
    """Return the page that requests a fragment, with a query if it may have one, and the fragment's URL."""
    claimed, draft, answered = submission_of(alice), draft_of(alice), submission_of(alice)
    for each in (claimed, answered):
        reviews.claim(each, by=dana)
    reviews.sign(answered, by=dana, impression="AD", disposition="self_care", text="Go on.")
    pages = {
        "web:status": claimed.get_absolute_url(),
        "web:tiles": reverse("web:photos", args=[draft.pk]),
        "web:about": reverse("web:about", args=[draft.pk]),
        "web:history": reverse("web:history", args=[draft.pk, "itch"]),
        "web:in_progress": reverse("web:home"),
        "web:ask_back": reverse("web:ask_back", args=[answered.pk]),
        "web:worklist": reverse("web:worklist") + "?show=urgent&after=",
        **dict.fromkeys(
            ("web:claim", "web:assign", "web:snooze", "web:row_preview", "web:end_snooze"),
            reverse("web:worklist") + "?show=urgent",
        ),
        "web:operations": reverse("web:operations"),
    }
    review = reverse("web:review", args=[claimed.pk]) + "?photo=x"

    def find(name: str) -> tuple[str, str]:
        of = {
            **dict.fromkeys(("web:worklist", "web:operations", "web:in_progress", "web:strip"), []),
            **dict.fromkeys(("web:assign", "web:snooze"), []),
            **dict.fromkeys(("web:tiles", "web:about"), [draft.pk]),
            "web:history": [draft.pk, "itch"],
            "web:ask_back": [answered.pk],
        }
        return pages.get(name, review), reverse(name, args=of.get(name, [claimed.pk]))

    return find


def ask(client: Client, method: str, address: str, page: str):
    headers = {"HX-Request": "true", "HX-Current-URL": f"{ORIGIN}{page}#news"}
    return client.generic(method.upper(), address, headers=headers)


def assert_redirects_to_log_in_and_back(answer, page: str, *, ended: bool = False) -> None:
    """`ended`: a patient is told there that the session has ended."""
    assert answer.status_code == 204 and not answer.content
    there = urlsplit(answer["HX-Redirect"])
    assert (there.scheme, there.netloc, there.path) == ("", "", reverse("account_login"))
    expected = {"next": [page]} | ({"ended": ["1"]} if ended else {})
    assert parse_qs(there.query, keep_blank_values=True) == expected


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
@pytest.mark.parametrize(("who", "method", "name"), CALLS)
def test_every_fragment_redirects_the_page_to_the_log_in_and_back(request, opened, who, method, name, end):
    person, client = request.getfixturevalue(who), Client()
    page, address = opened(name)
    client.force_login(person)
    assert client.get(page).status_code == 200
    end(person, client)
    assert_redirects_to_log_in_and_back(ask(client, method, address, page), page, ended=who == "alice")


@pytest.mark.parametrize(("who", "method", "name"), [call for call in CALLS if call[0] != "alice"])
def test_an_idle_user_is_redirected_as_well(request, opened, who, method, name):
    (page, address), client = opened(name), Client()
    with travel("2026-11-23T09:00:00+09:00", tick=False) as clock:
        client.force_login(request.getfixturevalue(who))
        client.get(page.partition("?")[0])
        clock.shift(timedelta(minutes=configured.STAFF_IDLE_MINUTES, seconds=1))
        assert_redirects_to_log_in_and_back(ask(client, method, address, page), page)


@pytest.mark.parametrize(("who", "method", "name"), CALLS)
def test_the_page_opens_after_the_log_in(request, opened, who, method, name, settings):
    settings.STAFF_SECOND_FACTOR = False
    (page, address), client, person = opened(name), Client(), request.getfixturevalue(who)
    there = ask(client, method, address, page)["HX-Redirect"]
    form = {"login": person.email, "password": PASSWORD, "next": parse_qs(urlsplit(there).query)["next"][0]}
    back = client.post(reverse("account_login"), form)
    assert (back.status_code, back["Location"]) == (302, page)
    assert client.get(back["Location"]).status_code == 200


def test_a_page_that_was_sent_by_post_is_opened_again(client, dana, opened, settings):
    """A refused form has the URL of its action."""
    settings.STAFF_SECOND_FACTOR = False
    _page, review = opened("web:review")
    for verb in ("answer/", "photos/", "release/"):
        client.force_login(dana)
        page = review + verb
        Session.objects.all().delete()
        assert_redirects_to_log_in_and_back(ask(client, "get", f"{review}state/", page), page)
        form = {"login": dana.email, "password": PASSWORD, "next": page}
        answer = client.post(reverse("account_login"), form, follow=True)
        assert (answer.status_code, answer.redirect_chain[-1][0]) == (200, review)


# --- Pages of other sites ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "page",
    [
        "https://evil.example/worklist/",
        "http://testserver.evil.example/",
        "http://testserver//evil.example/",
        "//evil.example/",
        "javascript:alert(1)",
        "http://testserver:81/",
        "no address",
        "",
    ],
)
def test_no_redirect_leads_to_another_site(client, page):
    headers = {"HX-Request": "true", "HX-Current-URL": page}
    answer = client.get(reverse("web:worklist"), headers=headers)
    assert (answer.status_code, answer["HX-Redirect"]) == (204, reverse("account_login"))


# --- Logged in without permission -------------------------------------------------------------------------
@pytest.mark.parametrize(("who", "method", "name"), CALLS)
def test_another_user_in_the_same_browser_makes_the_page_reload(request, opened, who, method, name):
    other = {"alice": "dana", "dana": "adam", "adam": "alice"}[who]
    if name in {"web:strip", "web:acknowledge"}:  # of dermatologists and of admins
        other = "alice"
    (page, address), client = opened(name), Client()
    client.force_login(request.getfixturevalue(other))
    answer = ask(client, method, address, page)
    assert (answer.status_code, answer["HX-Refresh"]) == (403, "true")


def test_a_form_token_of_an_earlier_log_in_makes_the_page_reload(dana, opened):
    client = Client(enforce_csrf_checks=True)
    client.force_login(dana)
    page, address = opened("web:keep_claim")
    answer = ask(client, "post", address, page)
    assert (answer.status_code, answer["HX-Refresh"]) == (403, "true")


def test_the_page_opens_after_a_required_second_factor(dana, opened, settings):
    settings.STAFF_SECOND_FACTOR = False
    client, (page, address) = Client(), opened("web:worklist")
    client.post(reverse("account_login"), {"login": dana.email, "password": PASSWORD})
    settings.STAFF_SECOND_FACTOR = True
    Authenticator.objects.create(user=dana, type="totp", data={"secret": "x"})
    there = urlsplit(ask(client, "get", address, page)["HX-Redirect"])
    assert there.path == reverse("mfa_reauthenticate")
    assert parse_qs(there.query, keep_blank_values=True) == {"next": [page]}


def test_a_permitted_fragment_is_answered_as_usual(dana, opened):
    client, (page, address) = Client(), opened("web:review_state")
    client.force_login(dana)
    answer = ask(client, "get", address, page)
    assert answer.status_code == 200 and "HX-Redirect" not in answer and "HX-Refresh" not in answer


def test_a_page_opened_directly_is_redirected_as_usual(client, opened):
    answer = client.get(reverse("web:worklist"))
    assert (answer.status_code, answer["Location"]) == (302, f"{reverse('account_login')}?next=/worklist/")


# --- Photos -----------------------------------------------------------------------------------------------
def send(client: Client, draft, photo) -> object:
    form = {"view": "close_up", "photo": photo}
    return client.post(reverse("web:add_photo", args=[draft.pk]), form, headers={"X-Photo-Script": "1"})


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
@pytest.mark.parametrize("size", [100, 3_000_000], ids=["small", "of a phone"])
def test_a_photo_sent_after_the_session_gets_401(client, alice, draft_of, photo_file, end, size):
    draft = draft_of(alice)
    client.force_login(alice)
    end(alice, client)
    content = photo_file().read() + b"\0" * size
    answer = send(client, draft, photo_file(content=content))
    assert (answer.status_code, answer.json()) == (401, {"code": "not_authenticated"})
    assert draft.photos.count() == 1


def test_a_photo_by_somebody_without_permission_gets_403(client, dana, alice, draft_of, photo_file):
    client.force_login(dana)
    answer = send(client, draft_of(alice), photo_file())
    assert (answer.status_code, answer.json()) == (403, {"code": "permission_denied"})


def test_a_photo_that_is_too_large_is_refused_with_a_sentence(client, alice, draft_of, monkeypatch):
    monkeypatch.setattr(photos, "FILE_LIMIT_BYTES", 1000)
    client.force_login(alice)
    big = BytesIO(b"\xff\xd8\xff\xe0" + b"\0" * 200_000)
    big.name = "big.jpg"
    assert send(client, draft_of(alice), big).status_code == 413
