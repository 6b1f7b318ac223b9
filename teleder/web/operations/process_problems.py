"""What is wrong with the processes, for an admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from teleder.notifications.runbook import AlertKind
from teleder.web.operations.problem import Problem

if TYPE_CHECKING:
    from teleder.web.operations.problems import SignsOfLife


def silent_processes(signs: SignsOfLife, waiting: dict[str, Any]) -> list[Problem | None]:
    """Return the problems of a sweeper and of workers that do not respond."""
    sweeper = Problem(
        AlertKind.SWEEPER,
        _("The sweeper does not respond."),
        _("Messages to patients and lost jobs are waiting. Answers are not delayed."),
        _("Start `manage.py sweep` again."),
        meaning=_("The process that repeats lost work and sends messages has stopped."),
        doctors=_("All cases as usual. Claims that nobody uses are not released."),
    )
    prepare = Problem(
        AlertKind.PREPARE,
        _("The prepare worker does not respond: new photos cannot be seen."),
        _(
            "Patients and dermatologists do not see new photos yet, and the AI does not read them. No photo is lost."
        ),
        _("Start the prepare worker again. Waiting photos are then sent automatically."),
        f"{reverse('web:cases_admin')}?mark=unseen",
        meaning=_("No photo was prepared for a minute although photos are waiting."),
        doctors=_("Cases with their answers, and in place of new photos that they are being prepared."),
        button=_("Show these cases"),
    )
    results = Problem(
        AlertKind.RESULTS,
        _("The results worker does not respond."),
        _("New photos cannot be seen yet, and AI findings are delayed. Nothing is lost."),
        _("Start the results worker again. It then records what is waiting."),
        meaning=_("The process that records what the workers did has stopped or hangs."),
        doctors=_("Cases with their answers, and photos that were prepared before."),
    )
    beat = Problem(
        AlertKind.BEAT,
        _("Beat does not respond."),
        _("Nothing changes for them."),
        _("Start beat again. Only one may run."),
        meaning=_("The process that starts the nightly checks has stopped or hangs."),
        doctors=_("Nothing changes for them."),
    )
    watch = Problem(
        AlertKind.WATCH,
        _("The watch does not respond."),
        _("Nothing changes for them."),
        _("Start `manage.py watch` again."),
        meaning=_("The process that mails who is on call, if another one stops, has stopped or hangs."),
        doctors=_("Nothing changes for them."),
    )
    web = Problem(
        AlertKind.WEB,
        _("A process of the web does not respond."),
        _(
            "Some pages load slowly or not at all. What was sent is kept; what was not answered can be sent again."
        ),
        _("It is ended and replaced within a minute. If this stays, start the web again."),
        meaning=_("It does not answer requests, or one of its requests has taken longer than a minute."),
        doctors=_("Some pages load slowly or not at all."),
    )
    database = Problem(
        AlertKind.CONNECTION,
        _("PostgreSQL accepts no new connections."),
        _("Pages work as long as the connections last that are open now. Then nothing can be sent or read."),
        _("Find out why its main process does not respond, and start PostgreSQL again."),
        meaning=_("PostgreSQL's main process has stopped or hangs, or all connections are taken."),
        doctors=_("All cases as usual, as long as the open connections last."),
    )
    return [
        database if signs.database_refuses else None,
        web if signs.web_hangs else None,
        sweeper if signs.sweeper_is_late else None,
        results if signs.results_is_silent else None,
        prepare if signs.prepare_is_silent else None,
        _inference_silent(waiting) if signs.inference_is_silent else None,
        beat if signs.beat_is_silent else None,
        watch if signs.watch_is_silent else None,
    ]


def _inference_silent(waiting: dict[str, Any]) -> Problem:
    n = waiting["for_ai"] + waiting["without_ai"]
    text = ngettext(
        "The inference workers do not respond: %(n)d submission has no AI results.",
        "The inference workers do not respond: %(n)d submissions have no AI results.",
        n,
    )
    return Problem(
        AlertKind.INFERENCE,
        text % {"n": n}
        if n
        else _("The inference workers do not respond: photos of unsent drafts are waiting."),
        _("Photos can be seen. Nothing changes for patients: a dermatologist answers by the same due time."),
        _("Start the inference workers again. Waiting photos are then sent automatically."),
        f"{reverse('web:cases_admin')}?mark=unread" if n else "",
        meaning=_("No photo was read by the AI for a minute although photos are waiting."),
        doctors=_("The photos, without AI findings."),
        button=_("Show these cases") if n else "",
    )
