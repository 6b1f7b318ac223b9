"""`manage.py watch`: it asks the web, tells who is on call, and is itself missed by the sweeper."""

from __future__ import annotations

import io
from datetime import timedelta
from urllib.error import HTTPError

import pytest
from django.utils import timezone

from teleder import watching
from teleder.cases.models import Heartbeat
from teleder.pipeline import heartbeats
from teleder.web.operations import health

ON_CALL = ["on-call@example.com"]


@pytest.fixture(autouse=True)
def _on_call(settings) -> None:
    settings.WATCH_MAIL = ON_CALL


@pytest.fixture
def says(monkeypatch):
    """What the web answers: a status with a text, or an error."""

    def answer(status: int, text: str = "") -> None:
        def urlopen(request, timeout):
            assert request.full_url.endswith("/readyz") and timeout == watching.ANSWER_SECONDS
            if status == 0:
                raise TimeoutError
            if status >= 400:
                raise HTTPError(request.full_url, status, "", {}, io.BytesIO(text.encode()))
            return io.BytesIO(text.encode())

        monkeypatch.setattr(watching.urllib.request, "urlopen", urlopen)

    return answer


@pytest.mark.parametrize(
    ("status", "text", "found"),
    [
        (200, "ready\n", set()),
        (200, "ready\nsweeper does not respond\nprepare does not respond\n", {"sweeper", "prepare"}),
        (503, "the database does not take a write\n", {"database"}),
        (503, "the storage of photos does not take a file\n", {"storage"}),
        (502, "<html>sweeper</html>", {"web"}),
        (0, "", {"web"}),
    ],
)
def test_the_watch_knows_what_does_not_respond(says, status, text, found):
    says(status, text)
    assert watching.ask_web() == found


def test_one_lost_answer_is_no_fault_and_half_of_them_are(mailoutbox):
    watch = watching.Watch()
    for at, found in ((0, {"web"}), (40, {"web"}), (80, set())):
        watch.look(at, found)
    assert mailoutbox == []
    for at, found in ((100, {"web"}), (105, set()), (110, {"web"})):
        watch.look(at, found)
    assert len(mailoutbox) == 1


def test_a_fault_is_mailed_once_in_both_languages_and_its_end_too(mailoutbox, settings):
    watch = watching.Watch()
    for at in range(0, 50, 5):
        watch.look(at, {"sweeper"})
    (mail,) = mailoutbox
    assert mail.to == ON_CALL
    assert "The sweeper does not respond" in mail.body and "スイーパーが応答しません" in mail.body
    assert f"{settings.PUBLIC_URL}/operations/" in mail.body
    for at in range(50, 120, 5):
        watch.look(at, set())
    assert len(mailoutbox) == 2
    assert "Everything responds again" in mailoutbox[1].body


def test_what_stops_beside_another_is_mailed_too(mailoutbox):
    watch = watching.Watch()
    for at in range(0, 30, 5):
        watch.look(at, {"sweeper"} if at < 15 else {"sweeper", "beat"})
    assert ["Beat does not" in mail.body for mail in mailoutbox] == [False, True]


def test_a_mail_that_could_not_be_sent_is_sent_again(mailoutbox, monkeypatch):
    def refused(*_args, **_how):
        raise ConnectionRefusedError

    watch = watching.Watch()
    with monkeypatch.context() as patch:
        patch.setattr(watching, "send_mail", refused)
        for at in (0, 5):
            watch.look(at, {"sweeper"})
    watch.look(10, {"sweeper"})
    assert mailoutbox == [], "not at once"
    watch.look(25, {"sweeper"})
    assert len(mailoutbox) == 1


@pytest.mark.django_db
def test_only_the_watch_is_told_of_processes_and_leaves_its_own_sign(client, alices_submission):
    heartbeats.note_alive("sweeper")
    Heartbeat.objects.update(at=timezone.now() - timedelta(seconds=30))
    assert client.get("/readyz").content == b"ready\n"
    assert not Heartbeat.objects.filter(name="watch")
    answer = client.get("/readyz", headers={watching.HEADER: "1"})
    assert (answer.status_code, answer.content) == (200, b"ready\nsweeper does not respond\n")
    assert Heartbeat.objects.get(name="watch").at


@pytest.mark.django_db
def test_the_sweeper_misses_the_watch_once(mailoutbox, adam):
    assert heartbeats.miss_watch() == 0, "there is none"
    heartbeats.note_alive("watch")
    assert heartbeats.miss_watch() == 0
    Heartbeat.objects.update(at=timezone.now() - timedelta(seconds=25))
    assert [heartbeats.miss_watch(), heartbeats.miss_watch()] == [1, 0]
    assert mailoutbox[0].to == ON_CALL
    assert [problem.words for problem in health.board(adam).problems] == ["The watch does not respond."]
    heartbeats.note_alive("watch")
    assert health.board(adam).problems == []
    Heartbeat.objects.update(
        at=timezone.now() - timedelta(seconds=25), asked_at=timezone.now() - timedelta(hours=1)
    )
    assert heartbeats.miss_watch() == 1, "another time"


@pytest.mark.django_db
def test_a_watch_that_could_not_be_missed_by_mail_is_missed_again(mailoutbox, monkeypatch):
    def refused(*_args, **_how):
        raise ConnectionRefusedError

    heartbeats.note_alive("watch")
    Heartbeat.objects.update(at=timezone.now() - timedelta(seconds=25))
    with monkeypatch.context() as patch:
        patch.setattr(heartbeats, "send_mail", refused)
        with pytest.raises(ConnectionRefusedError):
            heartbeats.miss_watch()
    assert heartbeats.miss_watch() == 1
