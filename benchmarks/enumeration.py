"""Does the time of an answer tell who has an account? Log-in, token, choosing a new password and sign-up.

python -m benchmarks.enumeration [--tries 100]

Asks for known and unknown addresses in turn, with the product's own hasher, in this process (no network hides a
difference) and on servers of its own. Mann-Whitney: a small p means that the two can be told apart.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from scipy.stats import mannwhitneyu

from local import servers

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
    settings.TOKENS_PER_ADDRESS_PER_MINUTE = settings.API_REQUESTS_PER_ADDRESS_PER_MINUTE = 10**9
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    call_command("migrate", verbosity=0)


def post(path: str, form: dict, **more: str) -> None:
    from django.test import Client

    answer = Client().post(path, form, **more)
    assert answer.status_code in {200, 302, 401}, answer.status_code


DOORS: dict[str, Callable[[str], None]] = {
    "log-in": lambda email: post("/accounts/login/", {"login": email, "password": "wrong"}),
    "token": lambda email: post(
        "/api/v1/tokens", {"email": email, "password": "wrong"}, content_type="application/json"
    ),
    "new password": lambda email: post("/accounts/password/reset/", {"email": email}),
    "sign-up": lambda email: post(
        "/accounts/signup/", {"email": email, "password1": PASSWORD, "password2": PASSWORD}
    ),
}


def milliseconds(act: Callable[[str], None], email: str) -> float:
    started = time.perf_counter()
    act(email)
    return (time.perf_counter() - started) * 1000


def measure(door: str, tries: int) -> None:
    from teleder.accounts.models import User

    known, unknown = [], []
    for number in range(-3, tries):
        there, nowhere = (f"{door[:3]}{kind}{number + 3}@example.com" for kind in "ab")
        User.objects.create_user(there, PASSWORD)
        pair = [(known, there), (unknown, nowhere)]
        for times, email in pair if number % 2 else reversed(pair):
            took = milliseconds(DOORS[door], email)
            if number >= 0:  # the first ones warm up
                times.append(took)
    p = mannwhitneyu(known, unknown).pvalue
    medians = statistics.median(known), statistics.median(unknown)
    difference = medians[0] - medians[1]
    print(
        f"{door:13} known {medians[0]:7.1f} ms, unknown {medians[1]:7.1f} ms, "
        f"difference {difference:+6.1f} ms ({difference / medians[1]:+.1%}), p = {p:.3f}",
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
