"""What messages say: that something happened, never what. No health data, no name of a disease or body part."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from teleder.accounts.models import User
from teleder.cases.models import Event, EventKind

TITLES = {
    EventKind.SUBMITTED: gettext_noop("We have received your consultation"),
    EventKind.PHOTOS_REQUESTED: gettext_noop("A dermatologist asks you for another photo"),
    EventKind.SIGNED: gettext_noop("An answer has arrived"),
    EventKind.AMENDED: gettext_noop("Your answer was corrected"),
    EventKind.REPLIED: gettext_noop("There is a reply to your question"),
    EventKind.PHOTOS_DUE: gettext_noop("Today is the day for new photos"),
    EventKind.MOVED_UP: gettext_noop("You were moved up: a doctor looks sooner"),
}
# To staff: no health data, and for less urgent cases no case either.
STAFF_SUBJECTS = {
    EventKind.ON_CALL_TOLD: gettext_noop("A case needs somebody now"),
    EventKind.TIME_RUNNING_OUT: gettext_noop("The promised time of a case is running out"),
    EventKind.SEND_STOPPED: gettext_noop("An answer that you signed was not sent"),
    EventKind.HANDED_OVER: gettext_noop("A colleague has handed a case over to you"),
    EventKind.OPINION_ASKED: gettext_noop("A colleague asks for your opinion"),
    EventKind.OPINION_GIVEN: gettext_noop("A colleague has given an opinion"),
}
WEBHOOK_TYPES = {
    EventKind.ON_CALL_TOLD: "case.needs_somebody",
    EventKind.TIME_RUNNING_OUT: "case.time_running_out",
}
# Where a mail, which others may see, says less than the message that its person reads after log-in.
NEWS = gettext_noop("There is news about your consultation")
IN_MAIL = {EventKind.MOVED_UP: NEWS, EventKind.REPLIED: NEWS}


def title_of(event: Event) -> str:
    """Return the title in the active language."""
    kind = EventKind(event.kind)
    return _(TITLES.get(kind) or STAFF_SUBJECTS[kind])


def mail_of(event: Event, person: User) -> tuple[str, str]:
    """Return subject and body in the receiver's language."""
    if event.kind in STAFF_SUBJECTS:
        return _mail_to_staff(event, person)
    with translation.override(person.language):
        body = _(
            "%(title)s.\n\nPlease log in to read it:\n%(link)s\n\n"
            "If you feel very unwell or it gets worse quickly, don't wait for us: see a doctor at once.\n\n"
            "This address does not read replies."
        )
        link = f"{settings.PUBLIC_URL}{event.submission.get_absolute_url()}"
        kind = EventKind(event.kind)
        title = _(IN_MAIL.get(kind, TITLES[kind]))
        return title, body % {"title": title, "link": link}


def _mail_to_staff(event: Event, person: User) -> tuple[str, str]:
    with translation.override(person.language):
        subject = _(STAFF_SUBJECTS[EventKind(event.kind)])
        body = _(
            "%(title)s.\n\nPlease log in and see to it:\n%(link)s\n\n"
            "This message is repeated until somebody has claimed an urgent case.\n\n"
            "This address does not read replies."
        )
        return subject, body % {"title": subject, "link": staff_link(event, person)}


def staff_link(event: Event, person: User) -> str:
    """Return the address of the case, as the person's role sees it."""
    name = "web:case_admin" if person.is_admin else "web:review"
    return settings.PUBLIC_URL + reverse(name, args=[event.submission_id])
