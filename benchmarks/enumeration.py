"""Does the time of an answer tell who has an account, or which submission there is?

Log-in, token, choosing a new password and sign-up by known and unknown addresses; a submission by page and API, asked for
by another patient, that exists or does not exist.

python -m benchmarks.enumeration [--tries 100]

Asks for what is there and what is not in turn, with the product's own hasher, in this process (no network hides a
difference) and on servers of its own. Mann-Whitney: a small p means that the two can be told apart.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scipy.stats import mannwhitneyu

from local import servers

if TYPE_CHECKING:
    from django.test import Client

Act = Callable[[], None]

PASSWORD = "correct-horse-battery"  # noqa: S105 - of nobody


def start(found: servers.Servers) -> None:
    os.environ |= {
        "DATABASE_URL": found.database_url,
        "REDIS_URL": found.redis_url,
        "TELEDER_SECRET_KEY": "benchmark-only",
        "TELEDER_PHOTO_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
        "TELEDER_INSECURE_COOKIES": "1",
        "TELEDER_EMAIL_URL": f"file://{tempfile.gettempdir()}/teleder-benchmark-mail",
        "DJANGO_SETTINGS_MODULE": "teleder.settings",
    }
    import logging

    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    logging.disable()
    settings.ACCOUNT_RATE_LIMITS = False
    for counted in ("TOKENS_PER_ADDRESS", "API_REQUESTS_PER_ADDRESS", "API_REQUESTS_PER_PERSON"):
        setattr(settings, f"{counted}_PER_MINUTE", 10**9)
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    call_command("migrate", verbosity=0)


def post(path: str, form: dict, **more: str) -> None:
    from django.test import Client

    answer = Client().post(path, form, **more)
    assert answer.status_code in {200, 302, 401}, answer.status_code


def look(path: str, client: Client) -> None:
    answer = client.get(path)
    assert answer.status_code == 404, answer.status_code


def pairs_of_addresses(path: str, form: Callable[[str], dict], **more: str) -> Iterator[tuple[Act, Act]]:
    """Yield the same request with an address that has an account and with one that has none; new addresses each time."""
    from teleder.accounts.models import User

    for number in itertools.count():
        known, unknown = (f"{path[-7:-1].strip('/')}{kind}{number}@example.com" for kind in "ab")
        User.objects.create_user(known, PASSWORD)
        yield partial(post, path, form(known), **more), partial(post, path, form(unknown), **more)


def pairs_of_submissions(path: str) -> Iterator[tuple[Act, Act]]:
    """Yield a patient's look at another's submission and at none."""
    from django.test import Client

    from teleder.accounts.models import User
    from teleder.cases.models import Case, Submission

    bob, alice = (
        User.objects.create_user(f"{path.strip('/')[0]}{name}@example.com") for name in ("bob", "alice")
    )
    client = Client()
    client.force_login(bob)
    case = Case.objects.create(patient=alice, clinic=alice.clinic)
    while True:
        known = Submission.objects.create(case=case, rule_urgency=1, urgency=1).pk
        unknown = Submission._meta.pk.get_default()
        yield tuple(partial(look, path.format(pk), client) for pk in (known, unknown))


DOORS: dict[str, Callable[[], Iterator[tuple[Act, Act]]]] = {
    "log-in": partial(
        pairs_of_addresses, "/accounts/login/", lambda email: {"login": email, "password": "wrong"}
    ),
    "token": partial(
        pairs_of_addresses,
        "/api/v1/tokens",
        lambda email: {"email": email, "password": "wrong"},
        content_type="application/json",
    ),
    "new password": partial(pairs_of_addresses, "/accounts/password/reset/", lambda email: {"email": email}),
    "sign-up": partial(
        pairs_of_addresses,
        "/accounts/signup/",
        lambda email: {"name": "Carol", "email": email, "password1": PASSWORD, "password2": PASSWORD},
    ),
    "submission": partial(pairs_of_submissions, "/api/v1/submissions/{}"),
    "its page": partial(pairs_of_submissions, "/consultations/{}/"),
}


def milliseconds(act: Act) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def measure(door: str, tries: int) -> None:
    known, unknown = [], []
    for number, (there, nowhere) in zip(range(-3, tries), DOORS[door](), strict=False):
        # By chance, not in turn: what comes every so often (a collection of garbage) would meet one kind only.
        for times, act in random.sample([(known, there), (unknown, nowhere)], k=2):
            took = milliseconds(act)
            if number >= 0:  # the first ones warm up
                times.append(took)
    p = mannwhitneyu(known, unknown).pvalue
    medians = statistics.median(known), statistics.median(unknown)
    difference = medians[0] - medians[1]
    print(
        f"{door:13} known {medians[0]:7.2f} ms, unknown {medians[1]:7.2f} ms, "
        f"difference {difference:+6.2f} ms ({difference / medians[1]:+.1%}), p = {p:.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tries", type=int, default=100, help="for each address and door")
    parser.add_argument("--doors", nargs="*", choices=DOORS, default=list(DOORS))
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="teleder-benchmark-") as folder,
        servers.running(Path(folder), durable=False, given={}) as found,
    ):
        start(found)
        for door in options.doors:
            measure(door, options.tries)


if __name__ == "__main__":
    main()
