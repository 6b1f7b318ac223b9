"""When a clinic's dermatologists see the AI's opinion, and what its blind study says, as a page and as CSV."""

from __future__ import annotations

import csv

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from teleder.accounts.openings import Opening, choose_opening, opening_of
from teleder.audit import entries
from teleder.cases.automation_bias import FEWEST, bias_report, sees_all_readers
from teleder.cases.intervals import Share
from teleder.web.roles import admin_required, staff_required

RULES = {
    Opening.AFTER_LOOK: gettext_lazy(
        "after their look: once they have chosen an impression or asked to see it"
    ),
    Opening.ALWAYS: gettext_lazy("always: from the start"),
    Opening.BLIND: gettext_lazy("blind: when the answer is signed"),
    Opening.STUDY: gettext_lazy(
        "blind study: once they have signed their own impression; both impressions are kept"
    ),
}
NONE = "installation"  # in the audit log, where the clinic has no rule of its own
CSV_HEAD = ("group", "row", "reads") + tuple(
    f"{share}{column}"
    for share in ("changed", "toward_ai", "away_from_ai")
    for column in ("", "_of", "_percent", "_low_95", "_high_95")
)


@require_safe
@staff_required
def reading_study(request: HttpRequest) -> HttpResponse:
    clinic = request.user.clinic
    context = {
        "report": bias_report(request.user),
        "sees_all": sees_all_readers(request.user),
        "fewest": FEWEST,
        "chosen": clinic.ai_opinion,
        "in_force": RULES[opening_of(clinic.ai_opinion)],
        "usual": RULES[opening_of("")],
        "rules": RULES.items(),
    }
    return render(request, "web/operations/reading_study.html", context)


@require_POST
@admin_required
def set_ai_opening(request: HttpRequest) -> HttpResponse:
    opening = request.POST.get("opening", "")
    if opening and opening not in Opening.values:
        messages.error(request, _("Please choose one of the rules."))
        return redirect("web:reading_study")
    before = choose_opening(request.user.clinic, opening)
    entries.name_object(request, "clinic", f"ai_opinion:{before or NONE}:{opening or NONE}")
    messages.success(request, _("The rule is in force for your clinic from now on."))
    return redirect("web:reading_study")


@require_safe
@staff_required
def reading_study_csv(request: HttpRequest) -> HttpResponse:
    """The same figures in English column names; a share of too few reads has its counts only."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="automation-bias.csv"'
    answer.write("\ufeff")  # for Excel
    writer = csv.writer(answer)
    writer.writerow(CSV_HEAD)
    report = bias_report(request.user)
    for row in report.rows:
        cells = [cell for share, is_enough in row.shares for cell in _cells(share, is_enough)]
        writer.writerow([row.group, _as_text(str(row.label)), row.n, *cells])
    writer.writerow(["left out", "", report.left_out])
    return answer


def _cells(share: Share, is_enough: bool) -> list[str | int]:
    if not is_enough:
        return [share.of, share.n, "", "", ""]
    low, high = share.interval
    return [share.of, share.n, *(f"{value:.1f}" for value in (share.percent, low, high))]


def _as_text(name: str) -> str:
    """A spreadsheet would run a name that begins like a formula."""
    return f"'{name}" if name[:1] in "=+-@\t\r" else name
