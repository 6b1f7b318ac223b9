"""The admin's pages of the clinic's texts for patients: write, preview, approve, and go back to an earlier version."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from teleder.accounts import clinic_texts as verbs
from teleder.accounts.clinic_texts import TEXT_CHARACTERS, TextKind
from teleder.accounts.text import TextFormField
from teleder.web.clinic_texts import as_html, draft, in_force, kind_or_404
from teleder.web.roles import admin_required, recent_login_required


class TextForm(forms.Form):
    ja = TextFormField(label=gettext_lazy("Japanese text"), max_length=TEXT_CHARACTERS)
    en = TextFormField(label=gettext_lazy("English text"), max_length=TEXT_CHARACTERS)

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        for name, field in self.fields.items():
            field.widget.attrs = {"rows": 16, "lang": name, "class": "long"}


@require_safe
@admin_required
def clinic_texts(request: HttpRequest) -> HttpResponse:
    """Each text with its version in force and the newest one."""
    clinic = request.user.clinic
    rows = [(in_force(clinic, kind), clinic.texts.filter(kind=kind).first()) for kind in TextKind]
    return render(request, "web/operations/texts.html", {"rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@admin_required
def edit_text(request: HttpRequest, text: str) -> HttpResponse:
    """Write a new version. It is shown here as patients would see it, and stored as a draft."""
    kind, clinic = kind_or_404(text), request.user.clinic
    newest = clinic.texts.filter(kind=kind).first() or draft(kind)
    form = TextForm(request.POST or None, initial={"ja": newest.ja, "en": newest.en})
    if form.is_valid() and request.POST.get("verb") == "save":
        row = verbs.save_draft(clinic=clinic, kind=kind, by=request.user, **form.cleaned_data)
        messages.success(request, _("Saved as a draft. Patients do not see it before it is approved."))
        return redirect("web:text_version", text=kind, number=row.number)
    context = {
        "kind": kind,
        "form": form,
        "preview": [(name, as_html(words)) for name, words in form.cleaned_data.items()]
        if form.is_valid()
        else [],
        "shown": in_force(clinic, kind),
        "versions": clinic.texts.filter(kind=kind).select_related("written_by"),
    }
    status = 422 if form.is_bound and not form.is_valid() else 200
    return render(request, "web/operations/edit_text.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@admin_required
def text_version(request: HttpRequest, text: str, number: int) -> HttpResponse:
    """One version in both languages. A POST puts it in force."""
    rows = request.user.clinic.texts.filter(kind=kind_or_404(text)).select_related("written_by", "clinic")
    row = get_object_or_404(rows, number=number)
    if request.method == "POST":
        return approve_text(request, row)
    context = {
        "row": row,
        "texts": [("ja", as_html(row.ja)), ("en", as_html(row.en))],
        "approvals": row.approvals.select_related("approved_by"),
        "shown": in_force(row.clinic, TextKind(row.kind)),
    }
    return render(request, "web/operations/text_version.html", context)


@recent_login_required
def approve_text(request: HttpRequest, row: verbs.ClinicText) -> HttpResponse:
    verbs.put_in_force(row, by=request.user)
    messages.success(request, _("Patients see this version now."))
    return redirect("web:text_version", text=row.kind, number=row.number)
