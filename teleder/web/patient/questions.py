"""The safety questions, one a page. A choice is stored at once and leads on by a redirect, so that Back and reload resend nothing."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from teleder.accounts.guardians import children_of
from teleder.accounts.models import Purpose, User
from teleder.cases import answers, triage
from teleder.cases.models import Case, Status, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.questionnaire import Question, red_flag_questions
from teleder.cases.transitions import IllegalMoveError
from teleder.cases.triage import Urgency
from teleder.cases.triage.spoken import phone_script, until_seen
from teleder.security import rate_limits
from teleder.web.patient.common import (
    UNPROCESSABLE,
    SeeOther,
    is_child,
    is_ready_to_ask,
    next_step,
    own_submission,
    urgent_advice,
)
from teleder.web.roles import patient_required

# Questions with a drawing, and what it shows.
HINTS = {
    "very_ill": ("hint-very-ill", _("A person in bed who is very unwell (drawing)")),
    "eye_symptoms": ("hint-eye", _("A red eye with a rash beside it (drawing)")),
    "near_eye": ("hint-eyelid", _("A rash on the eyelid. The eye is not red (drawing)")),
    "grouped_blisters": ("hint-blisters", _("Blisters in a group (drawing)")),
    "painful_or_sudden": ("hint-sudden", _("A rash that got much larger (drawing)")),
    "fever": ("hint-fever", _("Fever and shivering (drawing)")),
    "cold_sore": ("hint-cold-sore", _("A cold sore beside the mouth (drawing)")),
    "spreading": ("hint-spreading", _("A rash that spreads in all directions (drawing)")),
    "crusts": ("hint-crusts", _("Yellow crusts and weeping (drawing)")),
    "weak_immunity": ("hint-medicines", _("Tablets and an injection (drawing)")),
    "baby_or_pregnant": ("hint-baby", _("A baby and a pregnant woman (drawing)")),
    "lasting_patch": ("hint-lasting", _("A patch that stays for months (drawing)")),
}
AFTER_YES = {"no": 1, "unsure": 2}  # every kind of "yes" comes first
# Where a question leads that was opened to change its answer: `?then=`.
THEN = {"answers": "web:answers", "send": "web:send"}


@patient_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
    """The first question, whose answer opens the draft. Where one is unsent already, the way back to it."""
    case = get_object_or_404(Case.objects.visible_to(request.user).known_as(pk)) if pk else None
    patient = case.patient if case else _chosen(request)
    if patient is None:
        frame = {"back": reverse("web:home"), "stage": 1, "part": 0}
        return render(request, "web/patient/who.html", {"children": children_of(request.user), **frame})
    if not is_ready_to_ask(patient):
        return redirect(_where_to_agree(request, patient))
    if patient == request.user and is_child(patient):
        return redirect("web:guardian_needed")
    drafts = answers.drafts_of(patient, case)
    another = case is None and "another" in request.GET
    first = red_flag_questions(triage.policy())[0]
    if request.method != "POST":
        if drafts and case:
            return redirect(next_step(drafts[0]))
        if drafts and not another:
            context = {"drafts": [*map(_summary, drafts)], "patient": patient, "for": request.GET.get("for")}
            return render(request, "web/patient/continue.html", context)
        return _page(request, first, 1, case=case, patient=patient, key=uuid4())
    if another or not drafts:
        rate_limits.spend(rate_limits.SUBMISSIONS, request.user)
    key = request.POST.get("key", "")[:100]
    try:
        draft = answers.open_with_answer(
            patient=patient,
            by=request.user,
            question=first.id,
            value=request.POST.get("answer"),
            case=case,
            another=another,
            key=key,
        )
    except ValidationError:
        return _page(request, first, 1, case=case, patient=patient, key=key or uuid4(), status=UNPROCESSABLE)
    except RefusedError as refusal:
        messages.error(request, refusal.message)
        return SeeOther(request.get_full_path())
    return SeeOther(_after(request, draft, 1))


def _chosen(request: HttpRequest) -> User | None:
    """Return for whom is asked (`?for=`): "me", or the id of a child; `None` where that is still to be chosen."""
    chosen = request.GET.get("for", "")
    children = children_of(request.user)
    if chosen in ("", "me"):
        return None if not chosen and children else request.user
    try:
        return get_object_or_404(children, pk=UUID(chosen))
    except ValueError:
        raise Http404 from None


def _where_to_agree(request: HttpRequest, patient: User) -> str:
    if patient != request.user:
        return reverse("web:child", args=[patient.pk]) + "#consents"
    has_agreed = patient.consents.not_withdrawn().filter(purpose=Purpose.CARE).exists()
    # Who agreed to earlier words is asked for nothing else again.
    return reverse("web:settings") + "#consents" if has_agreed else reverse("web:welcome")


def _summary(draft: Submission) -> dict:
    total = len(triage.policy(draft.policy).questions)
    return {
        "submission": draft,
        "urgent": urgent_advice(draft),
        "answered": total - len(draft.unanswered()),
        "total": total,
        "photos": draft.current_photos().count(),
    }


@patient_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def question(request: HttpRequest, pk: UUID, number: int) -> HttpResponse:
    """One question of a draft, with its earlier answer; the choice replaces it."""
    draft = own_submission(request, pk)
    if draft.status != Status.DRAFT:
        return redirect(draft)
    questions = red_flag_questions(triage.policy(draft.policy))
    if not 1 <= number <= len(questions):
        raise Http404
    wanted = questions[number - 1]
    if request.method != "POST":
        return _page(request, wanted, number, draft=draft)
    try:
        draft = answers.record_answer(draft, question=wanted.id, value=request.POST.get("answer"))
    except ValidationError:
        return _page(request, wanted, number, draft=draft, status=UNPROCESSABLE)
    except IllegalMoveError as refusal:
        messages.error(request, str(refusal))
        return SeeOther(draft.get_absolute_url())
    return SeeOther(_after(request, draft, number))


def _page(
    request: HttpRequest,
    wanted: Question,
    number: int,
    *,
    draft: Submission | None = None,
    case: Case | None = None,
    patient: User | None = None,
    key: object = "",
    status: int = 200,
) -> HttpResponse:
    policy = triage.policy(draft.policy) if draft else triage.policy()
    back = reverse("web:home")
    if draft and request.GET.get("then") in THEN:
        back = reverse(THEN[request.GET["then"]], args=[draft.pk])
    elif draft and number > 1:
        back = reverse("web:question", args=[draft.pk, _beside(draft, number, -1)])
    context = {
        "submission": draft,
        "patient": patient,
        "case": case or (draft.case if draft and draft.kind == "follow_up" else None),
        "question": wanted,
        "choices": sorted(wanted.choices, key=lambda choice: AFTER_YES.get(choice[0], 0)),
        "hint": HINTS.get(wanted.id),
        "answer": draft.answers.get(wanted.id) if draft else None,
        "number": number,
        "total": len(policy.questions),
        "stage": 1,
        "part": 100 * number // len(policy.questions),
        "back": back,
        "urgent": urgent_advice(draft) if draft and draft.rule_urgency >= Urgency.EMERGENCY else None,
        "key": key,
        "is_missing": status == UNPROCESSABLE,
    }
    return render(request, "web/patient/question.html", context, status=status)


def _after(request: HttpRequest, draft: Submission, number: int) -> str:
    """Return where an answer leads: to the advice that it calls for, back to where it was changed, or to the next question."""
    missing, total = draft.unanswered(), len(triage.policy(draft.policy).questions)
    level = Urgency.EMERGENCY if missing else Urgency.SAME_DAY
    id = triage.policy(draft.policy).questions[number - 1]["id"]
    if id in _questions_that_mean(level, draft):
        return reverse("web:advice", args=[draft.pk])
    if request.GET.get("then") in THEN:
        return reverse(THEN[request.GET["then"]], args=[draft.pk])
    if number < total or missing:
        following = _beside(draft, number, 1) if number < total else missing[0]
        return reverse("web:question", args=[draft.pk, following])
    if draft.rule_urgency == Urgency.SAME_DAY:  # an emergency was shown at once
        return reverse("web:advice", args=[draft.pk])
    return reverse("web:about", args=[draft.pk])


def _beside(draft: Submission, number: int, step: int) -> int:
    """Return the number of the question before or after this one, past one that is left out; neither the first nor the last ever is."""
    policy, number = triage.policy(draft.policy), number + step
    return number + step if policy.is_left_out(policy.questions[number - 1]["id"], draft.answers) else number


def _questions_that_mean(level: Urgency, draft: Submission) -> list[str]:
    """Return the questions whose answer a rule of at least this level rests on."""
    policy = triage.policy(draft.policy)

    def rules(given: dict[str, str]) -> set[str]:
        return {flag.code for flag in triage.answer_flags(given, policy) if flag.level >= level}

    every = rules(draft.answers)
    return [id for id in draft.answers if every - rules({**draft.answers, id: "no"})]


@patient_required
@never_cache
@require_safe
def all_answers(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Every question of a draft with its answer, and the way to change it."""
    draft = own_submission(request, pk)
    if draft.status != Status.DRAFT:
        return redirect(draft)
    # Back to the question that this was opened from, else the first without an answer, else the last.
    numbers = [str(n) for n, _row in enumerate(triage.policy(draft.policy).questions, 1)]
    number = request.GET.get("from")
    number = number if number in numbers else next(iter(draft.unanswered()), numbers[-1])
    context = {
        "submission": draft,
        "rows": answered_questions(draft),
        "urgent": urgent_advice(draft),
        # Less than "today" after a correction: a doctor should look all the same.
        "softened": triage.advice_for(draft) if _is_softened(draft) else None,
        "missing": draft.unanswered(),
        "next": next_step(draft),
        "back": reverse("web:question", args=[draft.pk, number]),
        "stage": 1,
        "part": 100,
    }
    return render(request, "web/patient/answers.html", context)


def _is_softened(draft: Submission) -> bool:
    """Whether answers that meant "today" were corrected to less."""
    return any(flag["code"] == triage.CORRECTED for flag in draft.flags)


def answered_questions(draft: Submission) -> list[tuple[int, str, str]]:
    """Return number, text and answer of each question that is asked; an answer that is missing is empty."""
    policy = triage.policy(draft.policy)
    return [
        (number, each.text, str(dict(each.choices).get(draft.answers.get(each.id), "")))
        for number, each in enumerate(red_flag_questions(policy), 1)
        if each.id in draft.answers or not policy.is_left_out(each.id, draft.answers)
    ]


@patient_required
@never_cache
@require_safe
def advice(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What the answers call for, at an address of its own: it can be reloaded, and leads on."""
    found = own_submission(request, pk)
    text = urgent_advice(found)
    if not text:
        return redirect(found)
    level, is_draft = Urgency(found.rule_urgency), found.status == Status.DRAFT
    reasons = _questions_that_mean(level, found)
    texts = {each.id: each for each in red_flag_questions(triage.policy(found.policy))}
    given = {id: found.answers[id] for id in texts if id in found.answers}
    numbers = [number for number, id in enumerate(texts, 1) if id in reasons]
    change = reverse("web:answers", args=[pk])
    if len(numbers) == 1:
        change = reverse("web:question", args=[pk, numbers[0]])
    context = {
        "submission": found,
        "advice": text,
        "signs": [
            (each.text, dict(each.choices)[found.answers[id]]) for id, each in texts.items() if id in reasons
        ],
        "script": phone_script(given, urgent=reasons, for_child=found.patient != request.user),
        "until_seen": until_seen(),
        "change": change if is_draft else "",
        "next": next_step(found) if is_draft else found.get_absolute_url(),
        "back": change if is_draft else found.get_absolute_url(),
        "is_draft": is_draft,
        "missing": found.unanswered(),
        "stage": 1,
        "part": 100,
    }
    name = "emergency_advice" if level == Urgency.EMERGENCY else "same_day_advice"
    return render(request, f"web/patient/{name}.html", context)
