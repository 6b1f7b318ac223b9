"""Reply templates of the clinic, in versions that a named clinician approves, and a dermatologist's own short texts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from teleder.accounts.models import User
from teleder.accounts.text import LineFormField, TextFormField
from teleder.cases import replies
from teleder.cases.models import Disposition, Impression, ReplyTemplate
from teleder.cases.models.reply_template import SNIPPET_LENGTH, TEMPLATE_LENGTH
from teleder.web.roles import dermatologist_required, staff_required

OWN_TEXTS_AT_MOST = 50


# --- Templates of the clinic ------------------------------------------------------------------------------
class TemplateForm(forms.Form):
    ja = TextFormField(label=gettext_lazy("Japanese text"), max_length=TEMPLATE_LENGTH)
    en = TextFormField(label=gettext_lazy("English text"), max_length=TEMPLATE_LENGTH)


@require_safe
@staff_required
def reply_templates(request: HttpRequest) -> HttpResponse:
    """Each action and impression with the text in force, who approved it, and whether a newer version waits."""
    rows = ReplyTemplate.objects.filter(clinic=request.user.clinic).select_related("approved_by")
    versions: dict[tuple[str, str], list[ReplyTemplate]] = {}
    for row in rows.order_by("-number"):
        versions.setdefault((row.disposition, row.impression), []).append(row)
    groups = [
        (
            Disposition(disposition).label,
            [_line(disposition, i, versions.get((disposition, i), [])) for i in _impressions()],
        )
        for disposition in Disposition.values
    ]
    context = {"groups": groups, "may_edit": replies.may_edit(request.user)}
    return render(request, "web/clinician/reply_templates.html", context)


def _impressions() -> list[str]:
    return ["", *Impression.values]


def _line(disposition: str, impression: str, versions: list[ReplyTemplate]) -> dict[str, Any]:
    address = f"{reverse('web:reply_template')}?disposition={disposition}&impression={impression}"
    return {
        "name": Impression(impression).label if impression else _("any impression"),
        "url": address,
        "in_force": next((row for row in versions if row.approved_by_id), None),
        "waits": versions[0] if versions and not versions[0].approved_by_id else None,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@staff_required
def reply_template(request: HttpRequest) -> HttpResponse:
    """One template: its text in force, its versions, and a form for a new one. A POST saves or approves a version."""
    given = request.POST or request.GET
    disposition = given.get("disposition", Disposition.SELF_CARE)
    impression = given.get("impression", "")
    if disposition not in Disposition.values or impression not in _impressions():
        disposition, impression = Disposition.SELF_CARE, ""
    named = {"disposition": disposition, "impression": impression}
    rows = ReplyTemplate.objects.filter(clinic=request.user.clinic, **named).order_by("-number")
    verb = request.POST.get("verb")
    if verb == "approve":
        return _approve(request, rows)
    newest = rows.first()
    texts = {
        language: getattr(newest, language) if newest else _product_text(named, language)
        for language in ("ja", "en")
    }
    form = TemplateForm(request.POST if request.method == "POST" else None, initial=texts)
    may_edit = replies.may_edit(request.user)
    if verb == "save" and not may_edit:
        raise PermissionDenied
    if verb == "save" and form.is_valid():
        row = replies.save_version(request.user.clinic, by=request.user, **named, **form.cleaned_data)
        messages.success(
            request, _("Saved as version %(n)d. It is a draft until it is approved.") % {"n": row.number}
        )
        return redirect(_address(named))
    context = {
        "form": form,
        **named,
        "title": f"{Disposition(disposition).label} · {Impression(impression).label if impression else _('any impression')}",
        "versions": rows.select_related("written_by", "approved_by"),
        "in_force": next((row for row in rows if row.approved_by_id), None),
        "product": {language: _product_text(named, language) for language in ("ja", "en")},
        "product_version": replies.texts()["version"],
        "product_signed_by": replies.texts()["signed_by"],
        "may_edit": may_edit,
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "web/clinician/reply_template.html", context, status=status)


def _product_text(named: dict[str, str], language: str) -> str:
    return replies.product_letter(Disposition(named["disposition"]), language, named["impression"])


def _address(named: dict[str, str]) -> str:
    return (
        f"{reverse('web:reply_template')}?disposition={named['disposition']}&impression={named['impression']}"
    )


def _approve(request: HttpRequest, rows: Any) -> HttpResponse:
    if not request.user.is_dermatologist:
        raise PermissionDenied
    row = get_object_or_404(rows, pk=_id(request.POST.get("version", "")))
    try:
        replies.approve(row, by=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("Version %(n)d is in force, approved by you.") % {"n": row.number})
    return redirect(_address({"disposition": row.disposition, "impression": row.impression}))


# --- Texts of one's own -----------------------------------------------------------------------------------
class OwnTextForm(forms.Form):
    title = LineFormField(label=gettext_lazy("Heading"), max_length=60)
    text = TextFormField(label=gettext_lazy("Text"), max_length=SNIPPET_LENGTH)


@require_http_methods(["GET", "HEAD", "POST"])
@dermatologist_required
def own_texts(request: HttpRequest) -> HttpResponse:
    """Add, edit and delete one's own texts; `?edit=` names the one in the form."""
    rows = request.user.snippets
    edited = rows.filter(pk=_id((request.POST or request.GET).get("edit", ""))).first()
    if request.POST.get("verb") == "delete":
        get_object_or_404(rows, pk=_id(request.POST.get("edit", ""))).delete()
        messages.success(request, _("Deleted."))
        return redirect("web:own_texts")
    initial = {"title": edited.title, "text": edited.text} if edited else {}
    form = OwnTextForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_valid() and _save(request.user, form, edited):
        messages.success(request, _("Saved."))
        return redirect("web:own_texts")
    context = {"form": form, "edited": edited, "rows": rows.all()}
    return render(request, "web/clinician/own_texts.html", context, status=422 if form.is_bound else 200)


def _save(owner: User, form: OwnTextForm, edited: Any) -> bool:
    if edited is None and owner.snippets.count() >= OWN_TEXTS_AT_MOST:
        form.add_error(
            "title", _("At most %(n)d texts, please. Delete one first.") % {"n": OWN_TEXTS_AT_MOST}
        )
        return False
    row = form.cleaned_data | {"changed_at": timezone.now()}
    owner.snippets.update_or_create(pk=edited.pk if edited else None, defaults=row)
    return True


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)
