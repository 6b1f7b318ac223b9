"""Alice shares an answer by a link: it ends, it can be ended, it is listed, and it shows no more than she chose."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.exceptions import ValidationError

from teleder.audit.models import Entry
from teleder.cases import reviews, sharing
from teleder.cases.models import ShareLink
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import IllegalMoveError

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "Go on with the moisturiser."}


@pytest.fixture(autouse=True)
def _visitors_read_english(client) -> None:
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"


@pytest.fixture
def answered(alices_submission, dana, analyse, stored):
    for photo in alices_submission.photos.all():
        analyse(photo)
        stored(photo)
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    return alices_submission


def link_of(submission, days: int = 7, *, with_photos: bool = False) -> tuple[ShareLink, str]:
    link, token = sharing.share(submission, days=days, with_photos=with_photos)
    return link, f"/shared/{token}/"


def test_a_visitor_reads_the_answer_and_the_visit_is_in_the_log(client, answered, alice):
    link, path = link_of(answered)
    reply = client.get(path)
    page = reply.content.decode()
    assert reply.status_code == 200 and "Go on with the moisturiser." in page and "Answer for Alice" in page
    assert "Small, painful blisters close together" in page and "<img" not in page
    entry = Entry.objects.get(door="web:shared")
    assert (entry.role, entry.person, entry.object, entry.cases) == (
        "link",
        None,
        str(link.pk),
        [answered.case_id],
    )
    link.refresh_from_db()
    assert link.times_opened == 1 and link.last_opened_at


def test_no_search_engine_no_referrer_and_no_cache(client, answered):
    for path, status in ((link_of(answered)[1], 200), (ended(answered), 410)):
        reply = client.get(path)
        assert reply.status_code == status
        assert reply["Referrer-Policy"] == "no-referrer" and "noindex" in reply["X-Robots-Tag"]
        assert "no-store" in reply["Cache-Control"] and 'name="robots"' in reply.content.decode()


def ended(submission) -> str:
    link, path = link_of(submission)
    sharing.revoke(link)
    return path


@pytest.mark.parametrize("days", [1, 7, 30])
def test_a_link_ends_after_its_days(client, answered, days):
    _link, path = link_of(answered, days)
    now = datetime.now(UTC)
    with time_machine.travel(now + timedelta(days=days, minutes=-5), tick=False):
        assert client.get(path).status_code == 200
    with time_machine.travel(now + timedelta(days=days, minutes=5), tick=False):
        reply = client.get(path)
    assert reply.status_code == 410 and "This link has ended" in reply.content.decode()
    assert "moisturiser" not in reply.content.decode() and "Alice" not in reply.content.decode()


def test_a_token_that_never_was_is_not_found(client, answered):
    link_of(answered)
    assert client.get(f"/shared/{'x' * 43}/").status_code == 404


def test_only_a_hash_of_the_token_is_stored(answered):
    link, path = link_of(answered)
    token = path.split("/")[2]
    assert len(token) >= 43 and len(link.token_sha256) == 64
    assert token not in str(ShareLink.objects.values())


def test_photos_are_shown_only_if_alice_ticked_them(client, answered, alice, bob, submission_of):
    photo = answered.photos.get()
    without, with_photos = link_of(answered)[1], link_of(answered, with_photos=True)[1]
    assert client.get(f"{without}photos/{photo.pk}/").status_code == 404
    page = client.get(with_photos).content.decode()
    address = re.search(r'src="(/shared/[^"]+)"', page)[1]
    reply = client.get(address)
    assert reply.status_code == 200 and b"".join(reply.streaming_content) == b"display"
    assert reply["Referrer-Policy"] == "no-referrer" and reply["Cache-Control"] == "private, no-store"
    assert Entry.objects.filter(door="web:shared_photo", role="link", object=str(photo.pk)).exists()
    others = submission_of(bob).photos.get()
    assert client.get(f"{with_photos}photos/{others.pk}/").status_code == 404
    sharing.revoke(ShareLink.objects.get(with_photos=True))
    assert client.get(address).status_code == 404


def test_alice_makes_lists_and_ends_a_link_on_her_page(client, answered, alice):
    client.force_login(alice)
    path = f"/consultations/{answered.pk}/share/"
    page = client.post(path, {"days": "30", "photos": "1"}).content.decode()
    address = re.search(r'value="https?://[^/]+(/shared/[^"]+)"', page)[1]
    client.logout()
    assert client.get(address).status_code == 200
    client.force_login(alice)
    page = client.get(path).content.decode()
    assert "with photos" in page and "opened 1 time" in page and address not in page
    link = ShareLink.objects.get()
    assert client.post(f"{path}end/", {"link": link.pk}).status_code == 302
    assert "Ended by you" in client.get(path).content.decode()
    assert client.get(address).status_code == 410
    looks = client.get(f"/consultations/{answered.pk}/looks/").content.decode()
    assert "somebody with a share link" not in looks  # nobody opened a photo


def test_who_opened_a_photo_by_a_link_is_among_who_viewed_it(client, answered, alice):
    path = link_of(answered, with_photos=True)[1]
    b"".join(client.get(f"{path}photos/{answered.photos.get().pk}/").streaming_content)
    client.force_login(alice)
    assert "somebody with a share link" in client.get(f"/consultations/{answered.pk}/looks/").content.decode()


@pytest.mark.parametrize("days", ["", "0", "2", "365", "-1", "x"])
def test_no_other_time_can_be_chosen(client, answered, alice, days):
    client.force_login(alice)
    reply = client.post(f"/consultations/{answered.pk}/share/", {"days": days})
    assert reply.status_code == 422
    assert not ShareLink.objects.exists()


def test_another_patient_and_the_clinic_can_neither_make_nor_end_a_link(client, answered, bob, dana):
    link, _path = link_of(answered)
    for person, status in ((bob, 404), (dana, 403)):
        client.force_login(person)
        for path in ("share/", "share/end/"):
            data = {"days": "7", "link": link.pk}
            assert client.post(f"/consultations/{answered.pk}/{path}", data).status_code == status
    assert ShareLink.objects.get().works


@pytest.mark.parametrize("link", ["", "x", "00000000-0000-0000-0000-000000000000"])
def test_ending_what_is_no_link_is_not_found(client, answered, alice, link):
    client.force_login(alice)
    assert client.post(f"/consultations/{answered.pk}/share/end/", {"link": link}).status_code == 404


def test_five_links_work_at_once(answered):
    first = [link_of(answered)[0] for _ in range(5)][0]
    with pytest.raises(RefusedError):
        link_of(answered)
    sharing.revoke(first)
    link_of(answered)


def test_without_an_answer_nothing_is_shared_and_a_reopened_case_shows_nothing(
    client, alices_draft, answered, dana
):
    with pytest.raises(IllegalMoveError):
        link_of(alices_draft)
    with pytest.raises(ValidationError):
        link_of(answered, 3)
    _link, path = link_of(answered)
    reviews.reopen(answered, by=dana)
    assert client.get(path).status_code == 410


def test_so_many_requests_a_minute_and_no_more(client, answered, settings):
    settings.SHARED_PAGES_PER_ADDRESS_PER_MINUTE = 3
    paths = [link_of(answered)[1], *(f"/shared/{'x' * 42}{n}/" for n in range(3))]
    assert [client.get(path).status_code for path in paths] == [200, 404, 404, 429]


def test_a_reader_who_is_logged_in_elsewhere_sees_no_menu(client, answered, bob):
    client.force_login(bob)
    page = client.get(link_of(answered)[1]).content.decode()
    assert "Main menu" not in page and "Go on with the moisturiser." in page
