"""Who asks for which page: logs people in on the filled database of the environment and prints the addresses as JSON.

A child of `benchmarks.pages`, which itself loads no Django. Each page has a reader of its own, as the API limits requests by
person.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

DEEP = 0.7  # the share of the clinic's list that lies before the deep page


def visits() -> Iterator[dict[str, Any]]:
    """Yield name, path, session and group of each page; `group` says which goals it has."""
    from teleder.accounts.models import FIRST_CLINIC, User
    from teleder.cases.models import Status, Submission
    from teleder.cases.transitions import AWAITING_DERMATOLOGIST

    readers = (
        User.objects.filter(role="dermatologist").exclude(email__startswith="example.").order_by("email")
    )
    large, small = (
        list(readers.filter(clinic=clinic))
        for clinic in (FIRST_CLINIC, readers.exclude(clinic=FIRST_CLINIC).last().clinic_id)
    )
    admin = User.objects.filter(role="admin", clinic=FIRST_CLINIC).first()
    asks = iter(range(10_000))

    def ask(name: str, path: str, group: str, people: list[User]) -> dict[str, Any]:
        person = people[next(asks) % len(people)]
        return {"name": name, "path": path, "group": group, "session": session_of(person)}

    open_ones = Submission.objects.visible_to(large[0]).worklist()
    deep = open_ones[int(open_ones.count() * DEEP)]
    second = open_ones[min(49, open_ones.count() - 1)]
    closed = Submission.objects.filter(clinic=FIRST_CLINIC, status=Status.CLOSED).order_by("id")
    some = closed[closed.count() // 2]
    number = some.case.number
    for show in (
        "all",
        "mine",
        "unclaimed",
        "same_day",
        "inconclusive",
        "overdue",
        "waiting",
        "snoozed",
        "done",
    ):
        yield ask(f"worklist, {show}", f"/worklist/?show={show}", "list", large)
    for show in ("all", "overdue", "waiting", "done"):
        yield ask(f"worklist of a small clinic, {show}", f"/worklist/?show={show}", "list", small)
    yield ask("worklist, second page", f"/worklist/?show=all&after={second.place}", "list", large)
    yield ask("worklist, deep page", f"/worklist/?show=all&after={deep.place}", "list", large)
    yield ask("search by number", f"/worklist/?q={number}", "list", large)
    yield ask("search by a part of a number", f"/worklist/?q={number[:4]}", "search", large)
    yield ask("case page, open", f"/review/{deep.pk}/", "case", large)
    yield ask("case page, closed", f"/review/{some.pk}/", "case", large)
    yield ask("operations board", "/operations/", "board", [admin])
    yield ask("cases by number", f"/operations/cases/?find={number}", "other", [admin])
    yield ask("cases by status", "/operations/cases/?status=needs_photos", "other", [admin])
    yield ask("case page of an admin", f"/operations/cases/{some.pk}/", "other", [admin])
    for name, path, people in (
        ("worklist", "worklist", large),
        ("submissions", "submissions", large),
        ("submissions that wait for photos", "submissions?status=needs_photos", large),
        ("cases", "cases", large),
        ("jobs", "jobs", [admin]),
        ("failed jobs", "jobs?state=failed", [admin]),
        ("queues", "queues", [admin]),
    ):
        yield ask(f"API, {name}", f"/api/v1/{path}", "other", people)
    held = Submission.objects.filter(status__in=AWAITING_DERMATOLOGIST, clinic=FIRST_CLINIC).first()
    yield ask("patient's home page", "/", "other", [held.patient])


def session_of(person: Any) -> str:
    """Log a person in and return the value of the session's cookie."""
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(person)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def main() -> None:
    import django

    django.setup()
    json.dump(list(visits()), sys.stdout)


if __name__ == "__main__":
    main()
