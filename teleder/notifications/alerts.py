"""Alerts: the board's problems as rows, told to admins and on-call addresses until somebody says that they see to it.

`update` compares what is wrong now with what was open. `tell_alerts` mails and calls the webhook. A fault that comes and goes is one
alert, which is told once and then in summaries. Each week a line says that all is well, so that silence means a fault.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from teleder.accounts.models import Role, User
from teleder.notifications import runbook, webhook
from teleder.notifications.models import Alert

log = logging.getLogger(__name__)
WELL = "all_is_well"  # the kind of the weekly line
WEEK_DAY, WEEK_HOUR = 0, 9  # Monday at nine, at the clinic
FLAPS = 3  # one that has come so often is told although it never stayed
AT_ONCE = 50
SEND_SECONDS, RETRY_SECONDS = 120, 60


# --- Rows -------------------------------------------------------------------------------------------------
def update(found: set[tuple[str, UUID | None]]) -> int:
    """Open and close alerts so that those open are the `found` ones (kind, clinic); return how many changed."""
    now = timezone.now()
    standing = {(alert.kind, alert.clinic_id): alert for alert in Alert.objects.open()}
    opened = sum(_open(*key, now) for key in found - standing.keys())
    return opened + sum(_close(standing[key], now) for key in standing.keys() - found)


def _open(kind: str, clinic: UUID | None, now: datetime) -> bool:
    lately = now - timedelta(minutes=settings.ALERT_SAME_MINUTES)
    before = (
        Alert.objects.filter(kind=kind, clinic=clinic, closed_at__gte=lately).order_by("-closed_at").first()
    )
    try:
        with transaction.atomic():
            # What somebody saw to, and whose end was told, is over: the next one is another.
            if before is None or (before.acknowledged_at and before.tell_at is None):
                soon = now + timedelta(seconds=settings.ALERT_TELL_SECONDS)
                Alert.objects.create(kind=kind, clinic_id=clinic, opened_at=now, tell_at=soon)
                return True
            mine = Alert.objects.filter(pk=before.pk, closed_at=before.closed_at)
            return bool(mine.update(closed_at=None, times=F("times") + 1, tell_at=_when_again(before, now)))
    except IntegrityError:  # another sweeper has just opened it
        return False


def _when_again(alert: Alert, now: datetime) -> datetime | None:
    """Return when to tell of an alert that has begun again."""
    if alert.acknowledged_at:
        return None
    if alert.last_told_at:
        return alert.last_told_at + timedelta(minutes=settings.ALERT_REPEAT_MINUTES)
    return now if alert.times + 1 >= FLAPS else now + timedelta(seconds=settings.ALERT_TELL_SECONDS)


def _close(alert: Alert, now: datetime) -> bool:
    minutes = settings.ALERT_QUIET_MINUTES if alert.times == 1 else settings.ALERT_REPEAT_MINUTES
    tell_at = now + timedelta(minutes=minutes) if alert.told_at else None
    return bool(Alert.objects.open().filter(pk=alert.pk).update(closed_at=now, tell_at=tell_at))


def acknowledge_alerts(kind: str, *, by: User) -> int:
    """Tell no more of the open alerts of this kind that `by` may see, until they have ended; return how many."""
    waiting = Alert.objects.visible_to(by).open().filter(kind=kind, acknowledged_at=None)
    return waiting.update(acknowledged_at=timezone.now(), acknowledged_by=by, tell_at=None)


def newest(user: User, number: int) -> list[Alert]:
    """Return the alerts for the board of `user`: the open ones, then those that ended last."""
    rows = Alert.objects.visible_to(user).exclude(kind=WELL).select_related("acknowledged_by")
    return list(rows.order_by(F("closed_at").desc(nulls_first=True), "-opened_at")[:number])


def say_all_is_well() -> int:
    """Open the weekly line, of an installation that is older than the moment for it; return how many."""
    now = timezone.localtime()
    monday = now - timedelta(days=(now.weekday() - WEEK_DAY) % 7)
    at = monday.replace(hour=WEEK_HOUR, minute=0, second=0, microsecond=0)
    at -= timedelta(days=7) if at > now else timedelta()
    if Alert.objects.filter(kind=WELL, opened_at__gte=at).exists():
        return 0
    if not User.objects.filter(date_joined__lt=at).exists():
        return 0
    line = Alert(kind=WELL, opened_at=at, closed_at=now, tell_at=now)
    return len(Alert.objects.bulk_create([line], ignore_conflicts=True))


# --- Mail and webhook -------------------------------------------------------------------------------------
class _Telling(NamedTuple):
    alert: Alert
    number: int
    taken_until: datetime  # then another sweeper may tell it

    @property
    def is_over(self) -> bool:
        return self.alert.closed_at is not None


class _Letter(NamedTuple):
    address: str
    languages: list[str]
    own: list[_Telling]
    clinic: UUID | None = None  # whose admin it is for


def tell_alerts() -> int:
    """Tell what is due, in one mail to each person; return how many alerts."""
    now = timezone.now()
    due = Alert.objects.filter(tell_at__lte=now).order_by("opened_at")[:AT_ONCE]
    mine = [telling for telling in map(_take, due) if telling is not None]
    if not mine:
        return 0
    mailed = _mail([each for each in mine if each.alert.mailed < each.number])
    done = 0
    for each in mine:
        is_mailed = each.alert.mailed == each.number or each.alert.pk in mailed
        is_called = None
        if settings.ON_CALL_WEBHOOK:
            is_called = each.alert.called == each.number or _call(each)
        done += _note(each, is_mailed=is_mailed, is_called=is_called)
    return done


def _take(alert: Alert) -> _Telling | None:
    """Take an alert to tell it; of two sweepers one gets it."""
    until = timezone.now() + timedelta(seconds=SEND_SECONDS)
    if not Alert.objects.filter(pk=alert.pk, tell_at=alert.tell_at).update(tell_at=until):
        return None
    is_retry = alert.mailed != alert.called
    return _Telling(alert, max(alert.mailed, alert.called) + (not is_retry), until)


def _note(telling: _Telling, *, is_mailed: bool, is_called: bool | None) -> bool:
    """Keep what was told, and when to go on; somebody may have acknowledged it meanwhile. `is_called` is None without webhook."""
    now, number = timezone.now(), telling.number
    row = Alert.objects.filter(pk=telling.alert.pk)
    is_done = is_mailed and is_called is not False
    counts = {
        name: number for name, done in (("mailed", is_mailed), ("called", is_called or is_done)) if done
    }
    if counts:
        row.update(told_at=Coalesce(F("told_at"), now), last_told_at=now, **counts)
    again = now + timedelta(seconds=RETRY_SECONDS)
    if is_done:
        again = None if telling.is_over else now + timedelta(minutes=settings.ALERT_REPEAT_MINUTES)
    row.filter(tell_at=telling.taken_until).update(tell_at=again)
    return is_done


def _call(telling: _Telling) -> bool:
    alert = telling.alert
    kind = "ended" if telling.is_over else "opened" if telling.number == 1 else "repeated"
    data = {"kind": alert.kind, "times": alert.times, "link": _board_link()}
    if alert.kind != WELL:
        data["link"] = runbook.link(alert.kind)
    name = WELL if alert.kind == WELL else kind
    try:
        webhook.post(f"alert_{alert.pk}_{telling.number}", f"alert.{name}", alert.opened_at, data)
    except (OSError, webhook.WebhookError) as error:
        log.warning("the webhook did not take alert %s (%s)", alert.pk, type(error).__name__)
        return False
    return True


def _mail(tellings: list[_Telling]) -> set[int]:
    """Mail each person what they may know; return the alerts that somebody was mailed, or that concern nobody."""
    if not tellings:
        return set()
    letters = list(_letters(tellings))
    concern = {each.alert.pk for letter in letters for each in letter.own}
    reached = {each.alert.pk for each in tellings} - concern
    if reached:
        log.error("an alert has nobody to be mailed to")
    connection, host = get_connection(), urlsplit(settings.PUBLIC_URL).hostname
    try:
        connection.open()  # a mail server that is away costs one time-out, not one for each person
        for place, letter in enumerate(letters):
            first = letter.own[0]
            name = f"<teleder.alert.{first.alert.pk}.{first.number}.{place}@{host}>"
            headers = {"Message-ID": name, "Auto-Submitted": "auto-generated"}
            subject, body = _words(letter)
            try:
                EmailMessage(
                    subject, body, to=[letter.address], headers=headers, connection=connection
                ).send()
                reached |= {each.alert.pk for each in letter.own}
            except OSError as error:  # the others must still get it
                log.warning("somebody was not mailed of an alert (%s)", type(error).__name__)
        connection.close()
    except OSError as error:
        log.warning("nobody was mailed of an alert (%s)", type(error).__name__)
    return reached


def _letters(tellings: list[_Telling]) -> Iterator[_Letter]:
    """Admins are told of their clinic and the machines, on-call addresses of the machines."""
    admins = list(User.objects.filter(role=Role.ADMIN, is_active=True).exclude(email="").order_by("pk"))
    for admin in admins:
        own = [each for each in tellings if each.alert.clinic_id in (None, admin.clinic_id)]
        if own:
            yield _Letter(admin.email, [admin.language], own, admin.clinic_id)
    shared = [each for each in tellings if each.alert.clinic_id is None]
    known = {admin.email.lower() for admin in admins}
    for address in settings.WATCH_MAIL if shared else ():
        if address.lower() not in known:
            yield _Letter(address, [code for code, _name in settings.LANGUAGES], shared)


def _words(letter: _Letter) -> tuple[str, str]:
    """Return subject and body; with several languages the body has all, one after the other."""
    written = []
    for code in letter.languages:
        with translation.override(code):
            written.append((_subject(letter), _body(letter)))
    return written[0][0], "\n\n".join(body for _subject_again, body in written)


def _subject(letter: _Letter) -> str:
    new = [each for each in letter.own if not each.is_over]
    if len(new) == 1:
        return _("teleder: %(what)s") % {"what": runbook.section(new[0].alert.kind).title}
    if new:
        return ngettext("teleder: %(n)d fault", "teleder: %(n)d faults", len(new)) % {"n": len(new)}
    if any(each.alert.kind != WELL for each in letter.own):
        return _("teleder: a fault has ended")
    if not (n := _open_now(letter)):
        return _("teleder: all is well")
    return ngettext("teleder: %(n)d fault is open", "teleder: %(n)d faults are open", n) % {"n": n}


def _body(letter: _Letter) -> str:
    lines = [_line(each, letter) for each in letter.own]
    if any(not each.is_over for each in letter.own):
        minutes = settings.ALERT_REPEAT_MINUTES
        lines += [
            _("Say on the operations page that you see to it: %(url)s") % {"url": _board_link()},
            _("Until somebody does, this mail is repeated every %(n)d minutes.") % {"n": minutes},
        ]
    return "\n\n".join(lines)


def _line(telling: _Telling, letter: _Letter) -> str:
    alert = telling.alert
    if alert.kind == WELL:
        if not (n := _open_now(letter)):
            return _(
                "All is well: no fault is open. This line comes every week. If it does not, something is wrong."
            )
        text = ngettext(
            "%(n)d fault is open, and the operations page names it: %(url)s",
            "%(n)d faults are open, and the operations page names them: %(url)s",
            n,
        )
        return text % {"n": n, "url": _board_link()}
    values = {"what": runbook.section(alert.kind).title, "since": _time(alert.opened_at)}
    if telling.is_over:
        text = _("Ended: %(what)s (%(since)s to %(until)s).") % (values | {"until": _time(alert.closed_at)})
    else:
        text = _("%(what)s, since %(since)s.") % values
    if alert.times > 1:
        text = f"{text} " + _("It came %(n)d times in that time.") % {"n": alert.times}
    if telling.is_over:
        return text
    return f"{text}\n" + _("What to do: %(url)s") % {"url": runbook.link(alert.kind)}


def _open_now(letter: _Letter) -> int:
    """Count what is open and concerns the receiver."""
    return Alert.objects.open().filter(Q(clinic=None) | Q(clinic=letter.clinic)).count()


def _time(at: datetime) -> str:
    return date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT")


def _board_link() -> str:
    return settings.PUBLIC_URL + reverse("web:operations")
