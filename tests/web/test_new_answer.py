"""Home shows an answer that is not read yet before everything but an emergency."""

from __future__ import annotations

import pytest
from django.urls import reverse

from teleder.cases import reviews
from teleder.cases.models import Submission
from teleder.notifications import outbox

pytestmark = pytest.mark.django_db
HOME = reverse("web:home")


@pytest.fixture
def answered(alices_submission, dana):
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, impression="AD", disposition="self_care", text="Go on.")
    outbox.queue_messages()
    return Submission.objects.get(pk=alices_submission.pk)


def test_an_unread_answer_comes_first_and_names_the_doctor(client, alice, answered, draft_of):
    draft_of(alice)
    client.force_login(alice)
    page = client.get(HOME).content.decode()
    assert "Not read yet" in page and "Dr Dana has answered" in page
    assert page.index("New answer") < page.index('class="start"') < page.index('id="in-progress"')
    assert page.count(answered.get_absolute_url()) == 1  # not below as well
    client.get(answered.get_absolute_url())
    page = client.get(HOME).content.decode()
    assert "New answer" not in page and page.index('id="in-progress"') < page.index('id="answered"')


def test_an_emergency_stays_before_it(client, alice, answered, draft_of):
    draft_of(alice, very_ill="yes")
    client.force_login(alice)
    page = client.get(HOME).content.decode()
    assert page.index('class="alarm"') < page.index("New answer")
