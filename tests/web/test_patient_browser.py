"""Alice in a real browser, on a phone and at a desk, in both languages."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from tests.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
EACH_WAY = pytest.mark.parametrize(
    ("language", "size"), [("ja", "phone"), ("en", "phone"), ("ja", "desk"), ("en", "desk")]
)


@EACH_WAY
def test_a_visitors_pages_are_accessible(visit, is_accessible, language, size):
    page = visit(language=language, size=size)
    for name in ("web:home", "account_login", "account_signup", "account_reset_password"):
        page.goto(reverse(name))
        is_accessible(page, language)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_carol_signs_up_with_the_code_of_her_mail(visit, is_accessible, mailoutbox, language):
    page = visit(language=language)
    page.goto(reverse("account_signup"))
    page.fill("[name=email]", "carol@example.com")
    page.fill("[name=name]", "Carol")
    page.fill("[name=password1]", PASSWORD)
    page.fill("[name=password2]", PASSWORD)
    page.click("main [type=submit]")
    page.wait_for_url("**" + reverse("account_email_verification_sent"))
    is_accessible(page, language)
    page.fill("[name=code]", re.search(r"^\d{6}$", mailoutbox[0].body, re.M)[0])
    page.click("main [type=submit]")
    page.wait_for_url("**" + reverse("web:welcome"))


@EACH_WAY
def test_alices_pages_are_accessible(visit, is_accessible, alice, submission_of, draft_of, language, size):
    submission, draft = submission_of(alice, photos=2), draft_of(alice)
    page = visit(alice, language=language, size=size)
    for name in ("home", "new", "inbox", "settings", "welcome"):
        page.goto(reverse(f"web:{name}"))
        is_accessible(page, language)
    for name in ("about", "photos", "send"):
        page.goto(reverse(f"web:{name}", args=[draft.pk]))
        is_accessible(page, language)
    page.goto(submission.get_absolute_url())
    is_accessible(page, language)
