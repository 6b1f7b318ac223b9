"""What messages say: that something happened, never what. No health data, no name of a disease or body part."""

from __future__ import annotations

from django.conf import settings
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
}


def title_of(event: Event) -> str:
    """Return the title in the active language."""
    return _(TITLES[EventKind(event.kind)])


def mail_of(event: Event, person: User) -> tuple[str, str]:
    """Return subject and body in the receiver's language."""
    with translation.override(person.language):
        body = _(
            "%(title)s.\n\nPlease log in to read it:\n%(link)s\n\n"
            "If you feel very unwell or it gets worse quickly, don't wait for us: see a doctor at once.\n\n"
            "This address does not read replies."
        )
        link = f"{settings.PUBLIC_URL}{event.submission.get_absolute_url()}"
        return title_of(event), body % {"title": title_of(event), "link": link}
