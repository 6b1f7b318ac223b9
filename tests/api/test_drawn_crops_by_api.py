"""Dana's program draws a crop on a photo and reads what the model makes of it; no patient does."""

from __future__ import annotations

import pytest

from contract.alarms import Alarm, Condition
from teleder.cases import ai_opinion, reviews
from teleder.cases.models import DrawnCrop
from tests.drawn import reanalysed, record

pytestmark = pytest.mark.django_db
BOX = {"x": 10, "y": 20, "width": 100, "height": 100}
ALARM = Alarm(condition=Condition.HI, score=0.9, threshold=0.2)


@pytest.fixture
def photo(alices_submission, analyse, dana):
    photo = alices_submission.photos.get()
    analyse(photo)
    reviews.claim(alices_submission, by=dana)
    return photo


@pytest.fixture
def ask(caller, dana, photo):
    """Ask as Dana, who has looked."""
    ai_opinion.choose(photo.submission, by=dana, impression="AD")
    client, path = caller(dana), f"/api/v1/photos/{photo.pk}/drawn-crops"
    return lambda body=None: client.get(path) if body is None else client.post(path, body, format="json")


def test_she_draws_and_reads_the_result_beside_the_models_own(photo, dana, ask):
    made = ask({"box": BOX, "lesion": [0, 100, 800 * 600 - 100]})
    assert made.status_code == 201, made.content
    row = made.json()
    assert (row["author"], row["box"], row["state"], row["finding"]) == (dana.name, BOX, "waiting", None)
    assert row["classification_model"]["sha256"] and row["lesion"][1] == 100
    record(photo, reanalysed(photo, alarms=(ALARM,), abstention=None))
    (read,) = ask().json()
    found = read["finding"]
    assert read["state"] == "done" and found["box"] == BOX | {"skin": 0.97, "lesion": 0.34}
    assert found["verdict"]["kind"] == "cannot_rule_out" and found["no_box"] is None
    assert [(each["level"], each["estimate"]) for each in found["verdict"]["alarms"]] == [(None, None)]
    assert found["classification_model"]["version"] and found["demonstration"] is True


def test_a_repeat_is_the_same_and_another_one_waits(photo, ask):
    first = ask({"box": BOX}).json()
    assert ask({"box": BOX}).json() == first
    other = ask({"box": BOX | {"x": 300}})
    assert (other.status_code, other.json()["code"]) == (409, "illegal_move")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "box"),
        ({"box": BOX | {"x": 701}}, "box"),
        ({"box": BOX | {"x": -1}}, "box.x"),
        ({"box": BOX | {"skin": 1}}, "box.skin"),
        ({"box": BOX, "lesion": [1]}, "lesion"),
        ({"box": BOX, "lesion": ["a"]}, "lesion.0"),
        ({"box": BOX, "lesion": [1] * 20_001}, "lesion"),
        ({"box": BOX, "author": "x"}, "author"),
    ],
)
def test_what_does_not_fit_is_refused_by_field(ask, body, field):
    answer = ask(body)
    assert answer.status_code == 400, answer.content
    assert {error["field"] for error in answer.json()["errors"]} == {field}
    assert not DrawnCrop.objects.exists()


def test_nothing_is_read_or_drawn_before_she_has_looked(caller, dana, photo):
    client, path = caller(dana), f"/api/v1/photos/{photo.pk}/drawn-crops"
    assert client.get(path).status_code == 409
    assert client.post(path, {"box": BOX}, format="json").status_code == 409


def test_alice_and_admins_draw_nothing(caller, alice, adam, photo):
    path = f"/api/v1/photos/{photo.pk}/drawn-crops"
    assert caller(alice).get(path).status_code == caller(alice).post(path).status_code == 403
    assert caller(adam).get(path).json() == [] and caller(adam).post(path).status_code == 403
