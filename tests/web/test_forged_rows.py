"""With rows from before results were checked no page, API response or export fails or shows other people's data."""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from teleder.cases import leftovers, training
from teleder.cases.models import Analysis, Finding, Photo
from teleder.pipeline import tasks
from teleder.privacy import export

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ai_is_open")]
API = "/api/v1"
COLUMNS = (
    *("boxes", "nearest_miss", "views", "thresholds", "alarms", "distance"),
    *("segmentation_model", "classification_model"),
)
SECRET = b"SECRET_KEY=very-secret"


@pytest.fixture
def photo(alices_submission, analyse, stored):
    photo = alices_submission.photos.get()
    analyse(photo)
    stored(photo)
    photo.refresh_from_db()
    (Path(settings.MEDIA_ROOT).parent / "secret-key").write_bytes(SECRET)
    return photo


@pytest.fixture
def bobs(bob, submission_of, analyse, stored):
    photo = submission_of(bob).photos.get()
    analyse(photo)
    stored(photo)
    photo.refresh_from_db()
    for key in (photo.display_key, photo.thumbnail_key):
        (Path(settings.MEDIA_ROOT) / key).write_bytes(b"bob's own")
    return photo


@pytest.fixture
def answers(alice, dana, adam, photo):
    """Request every page and every API response that shows something of the submission."""
    submission = photo.submission
    clients = {}
    for person in (alice, dana, adam):
        clients[person] = Client(headers={"Sec-Fetch-Site": "none"}), APIClient()
        for client in clients[person]:
            client.force_login(person)
    pages = {
        alice: [reverse("web:submission", args=[submission.pk]), reverse("web:status", args=[submission.pk])],
        dana: [reverse("web:review", args=[submission.pk]), reverse("web:worklist")],
        adam: [
            reverse("web:operations"),
            reverse("web:models"),
            reverse("web:case_admin", args=[submission.pk]),
        ],
    }
    kinds = ("display", "thumbnail", "mask", "attribution")
    of_submission = ("", "/photos", "/findings", "/reviews", "/status")
    reported = [f"{API}/submissions/{submission.pk}{end}" for end in of_submission]
    reported += [f"{API}/photos/{photo.pk}", f"{API}/photos/{photo.pk}/distances"]
    reported += [f"{API}/worklist", f"{API}/jobs", f"{API}/cases"]

    def ask(*people) -> list[bytes]:
        found = []
        for person in people or clients:
            pages_of, api = clients[person]
            for path in pages[person] + [reverse("web:photo", args=[photo.pk, kind]) for kind in kinds]:
                found.append(pages_of.get(path))
            for path in reported + [f"{API}/photos/{photo.pk}/{kind}" for kind in kinds]:
                found.append(api.get(path))
        assert [answer.status_code for answer in found if answer.status_code >= 500] == []
        return [answer.getvalue() for answer in found]

    return ask


def test_a_valid_submission_is_shown_everywhere(answers):
    assert any(b"display" in answer for answer in answers())


ILL_TYPED = [1, "boxes", True, [], {}, [1], [None], [[]], [{}], {"a": {"b": []}}]
ILL_TYPED += [[{"x": "1", "y": None, "width": [], "height": {}, "skin": "a", "lesion": True}]]
ILL_TYPED += [{"x": 1}, [{"box": "1", "probabilities": [1]}], {"HI": "0.3"}, {"HI": None}, {"name": 1}]
ILL_TYPED += [{"name": [], "version": {}, "sha256": 5}, [{"x": 1e300}], {"HI": 1e308}]


@pytest.mark.parametrize("value", ILL_TYPED, ids=repr)
def test_no_page_fails_with_an_invalid_value_in_a_column(answers, dana, value):
    Analysis.objects.update(**dict.fromkeys(COLUMNS, value))
    Photo.objects.update(quality=value)
    answers(dana)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["x", "box", "skin", "HI", "name"]), inner)
    ),
    max_leaves=8,
).filter(lambda value: value is not None and "\\u0000" not in json.dumps(value))


def test_no_page_fails_with_generated_values_in_all_columns(answers, dana, adam):
    @hypothesis_settings(
        max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.fixed_dictionaries(dict.fromkeys(COLUMNS, _json)))
    def forge(columns):
        Analysis.objects.update(**columns)
        answers(dana)

    forge()
    answers(adam)


@pytest.mark.parametrize("share", [math.nan, math.inf, -math.inf, -1.0, 7e300])
def test_no_page_fails_with_an_invalid_share(answers, share):
    Analysis.objects.update(skin=share, lesion=share)
    Finding.objects.update(threshold=share)
    shown = [re.sub(rb"[A-Za-z0-9]{64}", b"", answer) for answer in answers()]  # tokens are random letters
    assert not [answer for answer in shown if b"NaN" in answer or b"Infinity" in answer]


def test_no_page_fails_with_an_unknown_condition(answers):
    Finding.objects.filter(condition="AD").update(condition="ZZ")
    Analysis.objects.update(
        attribution_condition="ZZ", attribution_box=99, top="ZZ", abstention="gossip", no_box="gossip"
    )
    answers()


BAD_KEYS = [
    "/proc/self/environ",
    "../secret-key",
    "photos/../../secret-key",
    "",
    "x",
    "photos",
    "\u540d",
    "a\n.jpg",
]


@pytest.mark.parametrize("key", [*BAD_KEYS, "photos/{other}/prepare/1/display.jpg", "{original}", "{mask}"])
def test_a_key_of_another_photo_opens_nothing(answers, alice, photo, bobs, key):
    key = key.format(other=bobs.pk, original=photo.original_key, mask=photo.analysis.mask_key)
    Photo.objects.filter(pk=photo.pk).update(
        display_key=key or "/", analysis_key=key or "/", thumbnail_key=key
    )
    Analysis.objects.filter(photo=photo).update(attribution_key=bobs.analysis.attribution_key)
    shown = answers()
    assert not [
        answer for answer in shown if b"bob's own" in answer or SECRET in answer or b"PATH=" in answer
    ]
    content = b"".join(export.answer(alice).streaming_content)
    assert b"bob's own" not in content and SECRET not in content and b"PATH=" not in content
    data = json.loads(zipfile.ZipFile(io.BytesIO(content)).read("data.json"))
    files = data["cases"][0]["submissions"][0]["photos"][0]["files"]
    assert [file.get("missing", False) for file in files] == [False, True]


def test_another_persons_original_is_not_exported(alice, photo, bobs):
    Photo.objects.filter(pk=photo.pk).update(original_key=bobs.original_key)
    content = b"".join(export.answer(alice).streaming_content)
    files = json.loads(zipfile.ZipFile(io.BytesIO(content)).read("data.json"))["cases"][0]["submissions"]
    assert files[0]["photos"][0]["files"][0] == {
        "name": files[0]["photos"][0]["files"][0]["name"],
        "missing": True,
    }


def test_a_symlink_in_place_of_a_copy_is_neither_shown_nor_exported(answers, alice, photo):
    path = Path(settings.MEDIA_ROOT) / photo.display_key
    path.unlink()
    path.symlink_to(Path(settings.MEDIA_ROOT).parent / "secret-key")
    assert not [answer for answer in answers() if SECRET in answer]
    assert SECRET not in b"".join(export.answer(alice).streaming_content)


def test_a_broken_record_is_reported_and_the_checks_continue(photo, bobs, capsys):
    Photo.objects.filter(pk=photo.pk).update(display_key=bobs.display_key)
    with pytest.raises(SystemExit):
        call_command("check_record")
    assert f"{photo.pk} {bobs.display_key}" in capsys.readouterr().out


def test_a_file_named_only_by_the_row_of_another_photo_is_a_leftover(photo, bobs):
    Photo.objects.filter(pk=bobs.pk).update(thumbnail_key="")
    Photo.objects.filter(pk=photo.pk).update(thumbnail_key=bobs.thumbnail_key)
    left = set(leftovers.leftovers(-1))
    assert bobs.thumbnail_key in left and bobs.display_key not in left


def test_another_persons_copy_is_not_exported_for_training(photo, bobs, tmp_path, monkeypatch):
    Photo.objects.filter(pk=photo.pk).update(analysis_key=bobs.analysis_key)
    photo.refresh_from_db()
    monkeypatch.setattr(training, "_rows", lambda clinic: iter([(photo, {"file": "a.jpg"})]))
    assert training.export(photo.submission.case.clinic, tmp_path / "out") == 0


def test_adam_sees_how_many_messages_were_refused(client, adam):

    client.force_login(adam)
    assert "refused since yesterday." not in client.get(reverse("web:operations")).text
    for _ in range(3):
        tasks.started_task(job="gossip")
    assert (
        "3 messages of inference workers were refused since yesterday."
        in client.get(reverse("web:operations")).text
    )
