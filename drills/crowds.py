"""Drills with simultaneous requests: R13 repeats one request, in R14 many dermatologists claim one case."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from drills.client import Accepted, App, at_once, calm, photo
from drills.oracle import Figures
from drills.people import NAME
from drills.run import Run, drill

AT_ONCE = 50
REPEATED_AFTER = timedelta(hours=23)


@drill("R13", f"{AT_ONCE} equal requests at once with one Idempotency-Key", guard="idempotency")
def equal_requests(run: Run) -> Figures:
    from django.db.models import F

    from teleder.cases.models import Submission

    clients = run.clients()
    broken = []
    for number in range(run.few_or_many(1, 10)):
        app = App(clients, run.people[number % len(run.people)])
        opened = set(at_once([app.open] * AT_ONCE))
        submission = opened.pop()
        if opened:
            broken.append(f"{len(opened)} more submissions for one key")
        at_once([lambda app=app, s=submission: app.add_photo(s, photo())] * AT_ONCE)
        seconds = max(at_once([lambda app=app, s=submission: app.submit(s)] * AT_ONCE))
        clients.accepted.append(Accepted(submission, (hashlib.sha256(photo()).hexdigest(),), seconds))
        other = app.ask(
            "POST",
            "submissions",
            json={"answers": calm() | {"fever": "yes"}},
            headers={"Idempotency-Key": app.key},
        )
        if other.status_code != 422:
            broken.append(f"another body with the same key was answered {other.status_code}")
        Submission.objects.filter(pk=submission).update(created_at=F("created_at") - REPEATED_AFTER)
        if app.open() != submission:
            broken.append("a repeat a day later opened another submission")
    found = run.finish(clients, bound=float("inf"))
    found.broken += broken
    return found


@drill("R14", f"{AT_ONCE} dermatologists claim one case", guard="one-claims")
def claims(run: Run) -> Figures:
    clients = run.clients()
    clients.send(1)
    (case,) = clients.accepted
    apps = [App(clients, person) for person in run.dermatologists[:AT_ONCE]]
    broken = []
    rounds = run.few_or_many(5, 100)
    for _ in range(rounds):
        answers = at_once(
            [lambda app=app: app.ask("POST", f"submissions/{case.submission}/claim") for app in apps]
        )
        winners = [app for app, answer in zip(apps, answers, strict=True) if answer.status_code == 200]
        others = [answer for answer in answers if answer.status_code != 200]
        if len(winners) != 1 or any(answer.status_code != 409 for answer in others):
            broken.append(f"{len(winners)} winners, others {sorted({a.status_code for a in others})}")
        if any(NAME in answer.text for answer in others):
            broken.append("the refusal names who claimed it")
        for winner in winners:
            winner.ask("POST", f"submissions/{case.submission}/release")
    found = run.finish(clients, bound=float("inf"))
    found.notes.append(f"{rounds} rounds")
    found.broken += broken
    return found
