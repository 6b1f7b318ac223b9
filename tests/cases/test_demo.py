"""The demonstration data are created once, by the same functions as real submissions."""

from __future__ import annotations

import csv

import pytest
from django.core.management import CommandError, call_command

from teleder.accounts.models import User
from teleder.cases.management.commands.demo import CASES, PASSWORD
from teleder.cases.models import Case, Status, Submission
from tests.conftest import JPEG_HEAD

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _only_this_machine(settings) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]  # Django's test client adds its own


@pytest.fixture
def drawn(tmp_path):
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "class"])
        for number, condition in enumerate(["AD", "HI", "IM", "MF", "OTHER", "NORMAL"] * 4):
            (tmp_path / f"{number}.jpg").write_bytes(JPEG_HEAD + bytes([number]))
            writer.writerow([f"{number}.jpg", condition])
    return tmp_path


def test_the_demo_has_four_people_a_child_and_its_cases_once(drawn):
    call_command("demo", photos=drawn)
    call_command("demo", photos=drawn)
    assert User.objects.exclude(email=None).count() == 4
    assert all(user.check_password(PASSWORD) for user in User.objects.exclude(email=None))
    child = User.objects.get(email=None)
    assert [row.guardian.email for row in child.guardians] == ["alice@example.com"]
    assert Submission.objects.get(case__patient=child).written_by == "parent"
    assert Submission.objects.count() == len(CASES)
    assert Case.objects.count() == len(CASES) - 1
    assert Submission.objects.filter(status=Status.ANSWERED).count() == 1
    assert not Submission.objects.filter(photos=None).exists()


def test_photos_must_be_drawn_first(tmp_path):
    with pytest.raises(CommandError, match="draw photos first"):
        call_command("demo", photos=tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INSECURE_COOKIES", False),
        ("ALLOWED_HOSTS", ["teleder.example"]),
        ("ALLOWED_HOSTS", ["localhost", "*"]),
        ("PUBLIC_URL", "https://teleder.example"),
    ],
)
def test_demo_users_are_not_created_where_others_could_log_in(settings, drawn, name, value):
    setattr(settings, name, value)
    with pytest.raises(CommandError, match="for this machine alone"):
        call_command("demo", photos=drawn)
    assert not User.objects.exists()


def test_other_users_cannot_choose_the_demo_password(monkeypatch, db):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    with pytest.raises(CommandError, match="easy to guess"):
        call_command("createsuperuser", email="root@example.com", interactive=False)
    assert not User.objects.exists()
