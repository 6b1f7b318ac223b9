"""Costs, contact, terms and privacy as a patient reads them: the version in force, or our draft until there is one.

The texts are Markdown, of which headings, lists, emphasis and links work; HTML in them is shown as it was typed.
"""

from __future__ import annotations

import tomllib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, override
from django.views.decorators.http import require_safe
from markdown_it import MarkdownIt

from teleder.accounts.clinic_texts import ClinicText, TextKind, approval_in_force
from teleder.accounts.models import FIRST_CLINIC, Clinic, Language
from teleder.privacy.policy import retention_policy
from teleder.privacy.statement import kept_by_law

DRAFTS = Path(__file__).with_name("clinic_texts.toml")
HEADINGS_BELOW = 1  # the page has a heading of its own
MARKDOWN = MarkdownIt("zero", {"html": False, "breaks": True}).enable(
    ["heading", "list", "emphasis", "link", "newline", "escape"]
)


class Version(NamedTuple):
    """A text as it is shown; `number` is `None` and `since` is empty for our draft."""

    kind: TextKind
    ja: str
    en: str
    number: int | None = None
    since: datetime | None = None

    @property
    def words(self) -> str:
        return self.en if get_language() == Language.EN else self.ja

    @property
    def html(self) -> SafeString:
        return as_html(self.words)

    @property
    def first_line(self) -> SafeString:
        lines = [line for line in self.words.splitlines() if line.strip()]
        return mark_safe(MARKDOWN.renderInline(lines[0]))  # noqa: S308 - the renderer escapes what it was given

    @property
    def is_longer(self) -> bool:
        return len(self.words.strip().splitlines()) > 1


def as_html(words: str) -> SafeString:
    tokens = MARKDOWN.parse(words)
    for token in tokens:
        if token.type.startswith("heading"):
            token.tag = f"h{min(int(token.tag[1]) + HEADINGS_BELOW, 6)}"
    return mark_safe(MARKDOWN.renderer.render(tokens, MARKDOWN.options, {}))  # noqa: S308 - as above


@cache
def draft(kind: TextKind) -> Version:
    """Return our own text, with the periods of the retention policy."""
    policy = retention_policy()
    periods = {
        "cooling_off_days": policy.cooling_off_days,
        "open_case_days": policy.open_case_days,
        "backup_days": policy.backup_days,
        "draft_days": policy.purposes["draft"].days,
        "account_years": policy.purposes["account"].days // 365,
    }
    words = tomllib.loads(DRAFTS.read_text())[kind]
    texts = {}
    for language in ("ja", "en"):
        with override(language):
            texts[language] = words[language].format(**periods, kept_by_law=kept_by_law()).strip()
    return Version(kind, **texts)


def in_force(clinic: Clinic, kind: TextKind) -> Version:
    if approval := approval_in_force(clinic, kind):
        return _version(approval.text, approval.approved_at)
    return draft(kind)


def _version(text: ClinicText, since: datetime | None = None) -> Version:
    return Version(TextKind(text.kind), text.ja, text.en, text.number, since)


def clinic_of(request: HttpRequest) -> Clinic:
    """Return the clinic whose texts are shown: the reader's, and to visitors the one that they would join."""
    user = request.user
    return user.clinic if user.is_authenticated else Clinic.objects.get(pk=FIRST_CLINIC)


def kind_or_404(text: str) -> TextKind:
    if text not in TextKind.values:
        raise Http404
    return TextKind(text)


@require_safe
def clinic_text(request: HttpRequest, text: str) -> HttpResponse:
    """The text in force, and links to those that were."""
    kind, clinic = kind_or_404(text), clinic_of(request)
    return render(request, "web/patient/clinic_text.html", _context(clinic, in_force(clinic, kind)))


@require_safe
def clinic_text_version(request: HttpRequest, text: str, number: int) -> HttpResponse:
    """A version that is or was in force. Drafts are for the clinic alone."""
    kind, clinic = kind_or_404(text), clinic_of(request)
    approved = clinic.texts.filter(kind=kind, approvals__isnull=False).distinct()
    row = get_object_or_404(approved, number=number)
    context = _context(clinic, _version(row, row.approvals.latest("approved_at").approved_at))
    return render(request, "web/patient/clinic_text.html", context)


def _context(clinic: Clinic, shown: Version) -> dict[str, Any]:
    current = in_force(clinic, shown.kind)
    approved = clinic.texts.filter(kind=shown.kind, approvals__isnull=False).distinct()
    return {
        "shown": shown,
        "is_in_force": shown.number == current.number,
        "others": approved.exclude(number=shown.number) if shown.number else [],
    }
