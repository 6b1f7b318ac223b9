"""The demonstration is seeded once, through the same verbs as everybody's submissions."""

from __future__ import annotations

import csv

import pytest
from django.core.management import CommandError, call_command

from teleder.accounts.models import User
from teleder.cases.management.commands.demo import CASES, PASSWORD
from teleder.cases.models import Case, Status, Submission
from tests.conftest import JPEG_HEAD

pytestmark = pytest.mark.django_db


@pytest.fixture
def drawn(tmp_path):
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "class"])
        for number, condition in enumerate(["AD", "HI", "IM", "MF", "OTHER", "NORMAL"] * 4):
            (tmp_path / f"{number}.jpg").write_bytes(JPEG_HEAD + bytes([number]))
            writer.writerow([f"{number}.jpg", condition])
    return tmp_path


def test_the_demo_has_four_people_and_its_cases_once(drawn):
    call_command("demo", photos=drawn)
    call_command("demo", photos=drawn)
    assert User.objects.count() == 4
    assert all(user.check_password(PASSWORD) for user in User.objects.all())
    assert Submission.objects.count() == len(CASES)
    assert Case.objects.count() == len(CASES) - 1
    assert Submission.objects.filter(status=Status.ANSWERED).count() == 1
    assert not Submission.objects.filter(photos=None).exists()


def test_photos_must_be_drawn_first(tmp_path):
    with pytest.raises(CommandError, match="draw photos first"):
        call_command("demo", photos=tmp_path)
