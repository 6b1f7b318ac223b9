"""Another site cannot make a logged-in browser do anything: no endpoint accepts a cookie alone."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client

from tests.access.test_matrix import ADDRESSES, SPACES, address

pytestmark = pytest.mark.django_db
UNSAFE = ("post", "put", "patch", "delete")
# A token requires a password, which another site does not have; this endpoint ignores cookies.
WITHOUT_COOKIES = {"api:tokens"}


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", ["alice", "dana", "adam"])
def test_a_request_by_another_site_with_a_users_cookie_is_refused(request, things, space, name):
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(request.getfixturevalue(name))
    accepted = [
        f"{method} {endpoint}: {status}"
        for endpoint in SPACES[space]
        if endpoint not in WITHOUT_COOKIES
        for method in UNSAFE
        if (status := sent(client, method, address(endpoint, things, known=True))) != 403
    ]
    assert not accepted, "\n".join(accepted)


def sent(client: Client, method: str, path: str) -> int:
    cache.clear()
    with transaction.atomic():
        status = getattr(client, method)(path, {}, content_type="application/json").status_code
        transaction.set_rollback(True)
    return status


@pytest.mark.parametrize(
    "endpoint", ["account_login", "account_signup", "account_reset_password", "web:language"]
)
def test_another_site_can_neither_log_in_nor_change_a_user(db, things, endpoint):
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "a" * 32
    assert sent(client, "post", address(endpoint, things, known=True)) == 403


def test_every_address_was_tested():
    assert sum(map(len, SPACES.values())) == len(ADDRESSES) > 100
