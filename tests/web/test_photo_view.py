"""The URL of a photo grants nothing by itself: it opens only for a session that may see the photo now."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from teleder.accounts import people
from teleder.cases import intake

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ai_is_open")]
KINDS = ("display", "thumbnail", "mask", "attribution")
HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@pytest.fixture
def photo(alices_submission, analyse, stored):
    photo = alices_submission.photos.get()
    analyse(photo)
    stored(photo)
    photo.refresh_from_db()
    return photo


def link(photo, kind: str = "display") -> str:
    return reverse("web:photo", args=[photo.pk, kind])


def logged_in(person) -> Client:
    client = Client(headers={"Sec-Fetch-Site": "none"})
    client.force_login(person)
    return client


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_is_not_cached_and_not_rendered_as_a_page(dana, photo, kind):
    answer = logged_in(dana).get(link(photo, kind))
    assert {name: answer[name] for name in HEADERS} == HEADERS
    assert answer["Content-Type"] in {"image/jpeg", "image/png"}
    assert answer["Content-Disposition"] == f'inline; filename="{kind}{Path(answer.filename).suffix}"'


def test_only_the_link_of_a_version_is_kept_by_her_browser(settings, dana, photo):
    hers, kept = logged_in(dana), f"private, max-age={settings.PHOTO_CACHE_MINUTES * 60}, immutable"
    for kind, expected in zip(KINDS, (kept, kept, *[HEADERS["Cache-Control"]] * 2), strict=True):
        answer = hers.get(f"{link(photo, kind)}?v={photo.copy_version}")
        assert answer["Cache-Control"] == expected
        assert "Cookie" in answer["Vary"]
    for wrong in ("", "0", f"{photo.copy_version}x"):
        assert hers.get(f"{link(photo)}?v={wrong}")["Cache-Control"] == HEADERS["Cache-Control"]


def test_new_copies_of_a_photo_have_another_link(photo):
    before = photo.copy_version
    photo.thumbnail_key = photo.thumbnail_key.replace(f"/{before}/", "/7/")
    assert (before, photo.copy_version) == ("1", "7")


def test_a_log_out_empties_the_browsers_cache(settings, alice, dana, photo):
    for person, seconds in ((alice, 0), (dana, settings.STAFF_IDLE_MINUTES * 60 + 1)):
        hers = logged_in(person)
        assert "Clear-Site-Data" not in hers.get(link(photo)).headers
        if seconds:
            session = hers.session
            session["seen_at"] -= seconds
            session.save()
        answer = hers.get(reverse("web:home")) if seconds else hers.post(reverse("account_logout"))
        # A dermatologist's unfinished answers stay (drafts.js); a patient's photos that are not sent do not (outbox.js).
        assert answer["Clear-Site-Data"] == ('"cache"' if seconds else '"cache", "storage"')


def test_the_link_is_invalid_after_logging_out(alice, photo):
    hers = logged_in(alice)
    assert hers.get(link(photo)).status_code == 200
    before = hers.cookies.copy()
    hers.post(reverse("account_logout"))
    hers.cookies = before  # somebody copied the cookie
    assert hers.get(link(photo)).status_code == 302


def test_bob_and_a_visitor_cannot_use_alices_link(bob, photo):
    assert logged_in(bob).get(link(photo)).status_code == 404
    assert Client().get(link(photo)).status_code == 302


def test_danas_open_session_sees_no_photo_after_her_suspension(dana, adam, photo):
    hers = logged_in(dana)
    assert hers.get(link(photo)).status_code == 200
    people.deactivate(dana, by=adam)
    assert hers.get(link(photo)).status_code == 302


def test_danas_open_session_sees_no_photo_after_a_change_of_clinic(dana, north, photo):
    hers = logged_in(dana)
    dana.clinic = north
    dana.save(update_fields=["clinic"])
    assert hers.get(link(photo)).status_code in {302, 404}


def test_a_removed_photo_is_404_at_once(alice, alices_draft, analyse, stored):
    taken = alices_draft.photos.get()
    analyse(taken)
    stored(taken)
    hers = logged_in(alice)
    assert hers.get(link(taken)).status_code == 200
    intake.remove_photo(taken)
    assert hers.get(link(taken)).status_code == 404


def test_a_changed_link_is_404(dana, photo):
    hers, right = logged_in(dana), link(photo)
    for place, letter in enumerate(right):
        for other in {"0", "f", "%00", "%2e", ".", "/", "é"} - {letter}:
            answer = hers.get(right[:place] + other + right[place + 1 :])
            assert answer.status_code in {301, 302, 400, 404, 405}, (place, other)
            assert not answer.streaming


def test_a_changed_session_key_is_invalid(alice, photo):
    hers = logged_in(alice)
    right = hers.cookies[settings.SESSION_COOKIE_NAME].value
    for place in range(len(right)):
        forger = Client()
        other = next(each for each in string.ascii_lowercase if each != right[place])
        forger.cookies[settings.SESSION_COOKIE_NAME] = right[:place] + other + right[place + 1 :]
        assert forger.get(link(photo)).status_code == 302


# --- In a browser -----------------------------------------------------------------------------------------
RUN = "document.title = 'ran'; fetch('/ran'); "
HOSTILE = {
    "svg": f'<svg xmlns="http://www.w3.org/2000/svg" onload="{RUN}"><script>{RUN}</script></svg>'.encode(),
    "html": f'<!doctype html><title>x</title><script>{RUN}</script><img src=x onerror="{RUN}">'.encode(),
    "jpeg that is html, too": b"\xff\xd8\xff\xfe\x40\x00" + f"<html><script>{RUN}</script>".encode(),
    "gif that is a script, too": f"GIF89a=1;{RUN}".encode(),
    "png that is html, too": b"\x89PNG\r\n\x1a\n" + f'<html><body onload="{RUN}">'.encode(),
    "pdf": f"%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript/JS({RUN})>>>>".encode(),
    "mhtml": f"MIME-Version: 1.0\nContent-Type: text/html\n\n<script>{RUN}</script>".encode(),
}


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_compromised_worker_cannot_run_a_script_in_danas_browser(
    browser, live_server, dana, submission_of, alice, analyse, stored
):
    """An attacker replaced the copy by another file; Chromium opens it and embeds it in a page."""
    photo = submission_of(alice).photos.get()
    analyse(photo)
    stored(photo)
    photo.refresh_from_db()
    context = browser.new_context(base_url=live_server.url)
    session = logged_in(dana).cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    for content in HOSTILE.values():
        (Path(settings.MEDIA_ROOT) / photo.display_key).write_bytes(content)
        page = context.new_page()
        page.goto(link(photo), wait_until="load")
        assert page.title() != "ran"
        for tag in ("iframe src", "embed src", "object data", "script src", "img src"):
            page.goto("/healthz")
            element, attribute = tag.split()
            page.evaluate(
                "([tag, name, url]) => { const one = document.createElement(tag);"
                " one.setAttribute(name, url); document.body.append(one); }",
                [element, attribute, link(photo)],
            )
            page.wait_for_timeout(150)
            assert page.title() != "ran"
        page.close()
    context.close()
    assert not [url for url in asked if url.endswith("/ran")]


def test_a_file_that_could_hold_a_script_is_refused_at_upload(client, alice, alices_draft, photo_file):
    client.force_login(alice)
    before = alices_draft.photos.count()
    for name in ("svg", "html", "pdf", "mhtml"):
        client.post(
            reverse("web:add_photo", args=[alices_draft.pk]),
            {"photo": photo_file("skin.jpg", HOSTILE[name]), "view": "close_up"},
        )
    assert alices_draft.photos.count() == before


def test_the_photo_folder_has_no_url(client, photo):
    assert (Path(settings.MEDIA_ROOT) / photo.display_key).exists()
    for path in (
        f"/media/{photo.display_key}",
        f"/static/../media/{photo.display_key}",
        f"/{photo.original_key}",
    ):
        assert client.get(path).status_code == 404
