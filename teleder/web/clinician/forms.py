"""Forms of dermatologists: the answer, and the request for another photo."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from teleder.accounts.models import Language, User
from teleder.accounts.text import LineFormField, TextFormField
from teleder.cases import diagnoses, replies
from teleder.cases.answer_drafts import FIRST_ANSWER as NOTHING
from teleder.cases.models import (
    AnswerDraft,
    Confidence,
    Disposition,
    Impression,
    PhotosWanted,
    Review,
    Snippet,
    Submission,
)
from teleder.cases.models.photo_request import WORDS_LENGTH
from teleder.cases.plan import Plan, clinic_day
from teleder.cases.transitions import AlreadyAmendedError

TEXT_LIMIT = 4000
REASON_LIMIT = 1000
WEEKS = (1, 2, 4)
BLISTERS = {"grouped_blisters": {"yes"}, "crusts": {"many"}}  # answers that tell of blisters
AS_USUAL, NO_PHOTO, ON_A_DATE = "usual", "none", "date"  # choices of the next photo beside a number of weeks
TO_DO = ("today", "this_week")
BEGUN = ("template", "plan_template")  # what text and plan began as
CODED = ("diagnosis", "confidence", "template")  # for the record; the patient sees none of them


class AnswerForm(forms.Form):
    """The answer to sign; a correction begins with the answer in force and says why it is corrected."""

    impression = forms.ChoiceField(label=_("Impression"), choices=Impression, widget=forms.RadioSelect)
    disposition = forms.ChoiceField(
        label=_("Action for the patient"), choices=Disposition, widget=forms.RadioSelect
    )
    diagnosis = LineFormField(label=_("Diagnosis, from the list"), max_length=80, required=False)
    confidence = forms.ChoiceField(
        label=_("Confidence"),
        choices=[("", _("not said")), *Confidence.choices],
        required=False,
        widget=forms.RadioSelect,
    )
    text = TextFormField(label=_("Reply to the patient"), max_length=TEXT_LIMIT)
    reason = TextFormField(max_length=REASON_LIMIT, required=False)
    today = TextFormField(label=_("To do today, one line each"), required=False)
    this_week = TextFormField(label=_("To do this week, one line each"), required=False)
    next_photo = forms.ChoiceField(label=_("Next photos"), required=False, widget=forms.RadioSelect)
    next_photo_date = forms.DateField(
        label=_("Date of the next photos"),
        required=False,
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
    )
    amends = forms.CharField(required=False, widget=forms.HiddenInput)
    template = forms.CharField(required=False, widget=forms.HiddenInput)  # `key` of the one that was inserted
    plan_template = forms.CharField(required=False, widget=forms.HiddenInput)  # the same of the plan
    template_language = forms.CharField(required=False, widget=forms.HiddenInput)  # of what is inserted next
    keep_text = forms.CharField(required=False)  # the action for which a text of a less urgent one is kept

    conflict: Review | None = None  # the answer that a colleague has signed meanwhile
    offered: replies.Offered | None = None  # the template that was just inserted
    own_texts: Sequence[Snippet] | None = None  # to choose from, once they are asked for
    replaced_text = ""  # the text that was typed before it was begun again

    def __init__(
        self,
        *args: Any,
        submission: Submission,
        amending: bool,
        impression: str = "",
        draft: AnswerDraft | None = None,
        **kwargs: Any,
    ) -> None:
        initial: dict[str, Any] = {"amends": NOTHING, "impression": impression, "next_photo": AS_USUAL}
        if amending:
            answer = submission.answer()
            names = ("impression", "disposition", "text", *CODED)
            initial = {name: getattr(answer, name) for name in names}
            initial |= {name: "\n".join(getattr(answer, name)) for name in TO_DO}
            initial["amends"] = answer.pk
            initial["plan_template"] = replies.plan_began_as(
                answer.disposition, answer.impression, initial, answer.template
            )
            initial["next_photo"] = ON_A_DATE if answer.next_photo_on else NO_PHOTO
            initial["next_photo_date"] = answer.next_photo_on
        if draft is not None:
            # The impression of a first answer is kept apart: choosing it opens the AI's opinion.
            left_out = {"amends"} if amending else {"amends", "impression"}
            initial |= {name: text for name, text in draft.typed.items() if name not in left_out}
        initial["diagnosis"] = diagnoses.name_of(initial.get("diagnosis", ""))
        kwargs.setdefault("initial", initial)
        super().__init__(*args, **kwargs)
        self.submission, self.amending = submission, amending
        self.fields["reason"].required = amending
        self.fields["reason"].label = (
            _("Reason for the correction") if amending else _("Why less urgent than the triage")
        )
        self.may_say_no_blisters = not any(
            submission.answers.get(one) in said for one, said in BLISTERS.items()
        )
        self.fields["next_photo"].choices = [
            (AS_USUAL, _("as usual for the action")),
            *((str(weeks), in_weeks(weeks)) for weeks in WEEKS),
            (ON_A_DATE, _("on the date below")),
            (NO_PHOTO, _("none")),
        ]
        usual = {label: replies.next_photo_weeks(value) for value, label in Disposition.choices}
        self.usual_photos = [f"{label}: {in_weeks(weeks)}" for label, weeks in usual.items() if weeks]
        self.to_do = [self[name] for name in TO_DO]
        self.diagnoses, self.codes_are_drafts = diagnoses.all_diagnoses(), diagnoses.codes_are_drafts()
        self.languages = sorted(
            Language.choices, key=lambda choice: choice[0] != submission.patient.reader.language
        )

    @property
    def language(self) -> str:
        """The language of the templates, as it was chosen; else that of the inserted one, else the reader's."""
        chosen = self["template_language"].value()
        began = replies.read_key(self["template"].value() or "")
        return chosen if chosen in Language.values else began.language if began else self.languages[0][0]

    def _begun_as(self) -> dict[str, replies.Key]:
        """Return what text and plan began as, of those that are not empty."""
        filled = {
            "template": self["text"].value(),
            "plan_template": any((self[name].value() or "").strip() for name in TO_DO),
        }
        found = {name: replies.read_key(self[name].value() or "") for name in BEGUN if filled[name]}
        return {name: key for name, key in found.items() if key}

    @property
    def begun_for_another(self) -> str:
        """Name the action, and where it differs the impression, that text or plan began as; empty where they fit."""
        chosen = self["disposition"].value(), self["impression"].value()
        for key in self._begun_as().values():
            if chosen[0] in Disposition.values and key.disposition != chosen[0]:
                return str(key.disposition.label)
            if chosen[1] in Impression.values and key.impression not in ("", chosen[1]):
                return f"{key.disposition.label}, {Impression(key.impression).label}"
        return ""

    @property
    def must_keep(self) -> bool:
        """Whether text or plan began as the template of a less urgent action than the chosen one."""
        chosen, keys = self["disposition"].value(), [self[name].value() or "" for name in self._begun_as()]
        return chosen in Disposition.values and bool(replies.begun_for_less(chosen, keys))

    @property
    def offers_template(self) -> bool:
        """Whether there is a text that a template would replace only if that is asked for."""
        if not self["text"].value() or self["disposition"].value() not in Disposition.values:
            return False
        begun = self._begun_as()
        return (
            "template" not in begun
            or bool(self.begun_for_another)
            or any(key.language != self.language for key in begun.values())
        )

    def with_reply(self, language: str, *, over: bool = False) -> Self:
        """Return the form with the template of the chosen impression and action in place of an empty or unedited text, and
        its plan in place of an empty or unedited one. `over` replaces an edited text as well, which then stands beside it;
        a text that began as no template stays, above the template."""
        disposition = self.data.get("disposition")
        if disposition not in Disposition.values or language not in Language.values:
            self.errors.clear()  # the form is not sent yet: empty fields are no errors
            self.add_error("disposition", _("Please choose the action for the patient first."))
            return self
        chosen = Disposition(disposition), language, self.data.get("impression", "")
        template = replies.offered(self.submission.clinic_id, *chosen)
        typed = {"template": ""} | self.data.dict() | {"template_language": language}
        text, began = typed.get("text", "").strip(), typed.get("template", "")
        is_plain = not text or replies.is_as_offered(self.submission.clinic_id, began, text)
        is_own = bool(text) and replies.read_key(began) is None
        replaced = []
        if is_plain or over:
            typed |= {"text": template.text, "template": template.key}
            if is_own:
                typed["text"] = f"{text}\n\n{template.text}"[:TEXT_LIMIT]
            elif not is_plain:
                replaced = [text]
        replaced += self._put_plan(typed, chosen, is_new=is_plain or over, over=over)
        form = type(self)(initial=typed, submission=self.submission, amending=self.amending)
        form.offered = template if typed["template"] == template.key else None
        form.replaced_text = "\n\n".join(replaced)
        return form

    def _put_plan(
        self, typed: dict[str, str], chosen: tuple[Disposition, str, str], *, is_new: bool, over: bool
    ) -> list[str]:
        """Put the plan in place of one that stands as it was inserted, and of none where the text `is_new`. `over`: of an
        edited one as well, whose lines are returned; lines that began as no template stay, above the new ones."""
        disposition, language, impression = chosen
        there = [typed.get(name, "").strip() for name in TO_DO]
        began = typed.get("plan_template", "")
        is_plain = replies.is_plan_as_offered(began, typed)
        is_own = any(there) and replies.read_key(began) is None
        if not (is_plain or over or (is_new and not any(there))):
            return []
        for (name, lines), mine in zip(replies.plan(*chosen).items(), there, strict=True):
            typed[name] = "\n".join(dict.fromkeys([*(mine.splitlines() if is_own else []), *lines]))
        typed["plan_template"] = replies.plan_key(disposition, language, impression)
        return [] if is_plain or is_own else list(filter(None, there))

    @property
    def impression_label(self) -> str:
        return str(dict(Impression.choices).get(self["impression"].value(), ""))

    @property
    def disposition_label(self) -> str:
        return str(dict(Disposition.choices).get(self["disposition"].value(), ""))

    def with_own_text(self, text: str) -> Self:
        """Return the form with one of the reader's own texts below the typed text."""
        parts = [self.data.get("text", "").strip(), text]
        typed = self.data.dict() | {"text": "\n\n".join(filter(None, parts))[:TEXT_LIMIT]}
        return type(self)(initial=typed, submission=self.submission, amending=self.amending)

    def with_choice_of(self, texts: Sequence[Snippet]) -> Self:
        """Return the form as it was typed, with the reader's own texts to choose from."""
        form = type(self)(initial=self.data.dict(), submission=self.submission, amending=self.amending)
        form.own_texts = texts
        return form

    def with_draft(self, draft: AnswerDraft) -> Self:
        """Return the form with a colleague's unsigned text below the typed text, and their choices where none was made."""
        typed = self.data.dict()
        for name, text in draft.typed.items():
            if name in ("text", *TO_DO) and typed.get(name, "").strip() and text:
                separator = "\n\n" if name == "text" else "\n"
                typed[name] = f"{typed[name].strip()}{separator}{text}"
            elif name not in ("amends", "impression") and not typed.get(name):
                typed[name] = text
        return type(self)(initial=typed, submission=self.submission, amending=self.amending)

    def from_answer_in_force(self) -> Self:
        """Return the form of a correction as it begins, with the typed text beside it."""
        form = type(self)(submission=self.submission, amending=True)
        form.replaced_text = self.data.get("text", "")
        return form

    def clean_amends(self) -> UUID | None:
        """Return the id of the answer on the page; a page opened before the first answer gives a nil id."""
        try:
            return UUID(self.cleaned_data["amends"]) if self.cleaned_data["amends"] else None
        except ValueError:
            return UUID(int=0)

    def clean(self) -> dict[str, Any]:
        """Set `plan`, and name the diagnosis by its id. A form that does not name the choice, as of a page opened before an update, asks for no photos."""
        data = super().clean()
        try:
            codes = diagnoses.codes_for(data.get("impression", ""), data.get("diagnosis", ""))
            data["diagnosis"] = codes["diagnosis"] if data.get("diagnosis") else ""
        except ValidationError as error:
            self.add_error("diagnosis", error.message_dict["diagnosis"])
        wish, weeks = data.get("next_photo") or NO_PHOTO, 0
        if wish == AS_USUAL and data.get("disposition"):
            weeks = replies.next_photo_weeks(data["disposition"])
        elif wish.isdigit():
            weeks = int(wish)
        elif wish == ON_A_DATE and not data.get("next_photo_date") and "next_photo_date" not in self.errors:
            self.add_error("next_photo_date", _("Please give the date."))
        on = data.get("next_photo_date") if wish == ON_A_DATE else None
        self.plan = Plan(
            **{name: data.get(name, "").splitlines() for name in TO_DO},
            next_photo_on=clinic_day() + timedelta(weeks=weeks) if weeks else on,
        )
        try:
            self.plan.columns()
        except ValidationError as error:
            for name, found in error.message_dict.items():
                self.add_error("next_photo_date" if name == "next_photo_on" else name, found)
        return data

    def answer(self) -> dict[str, Any]:
        """Return the arguments of `reviews.sign`, or of `reviews.amend` for a correction."""
        names = ("impression", "disposition", "text", "reason", *CODED)
        names += ("amends",) if self.amending else ()
        plan_template = self.cleaned_data["plan_template"] if self.plan.today or self.plan.this_week else ""
        keep_text = self.cleaned_data["keep_text"] == self.cleaned_data["disposition"]
        begun = {"plan_template": plan_template, "keep_text": keep_text}
        return {name: self.cleaned_data[name] for name in names} | {"plan": self.plan} | begun

    def on_top_of(self, conflict: AlreadyAmendedError) -> Self:
        """Return the filled form as a correction of the newer answer, with the conflict as its error."""
        data = self.data.copy()
        data["amends"] = str(conflict.newer.pk)
        form = type(self)(data, submission=self.submission, amending=True)
        form.add_error(None, str(conflict))
        form.conflict = conflict.newer
        return form

    def as_review(self, author: User) -> Review:
        """Return the answer unsigned and unsaved, for the preview."""
        typed = {name: self.cleaned_data[name] for name in ("impression", "disposition", "text", "reason")}
        typed |= self.plan.columns()
        return Review(submission=self.submission, author=author, signed_at=timezone.now(), **typed)


def in_weeks(weeks: int) -> str:
    return ngettext("in %(n)d week", "in %(n)d weeks", weeks) % {"n": weeks}


class PhotosWantedForm(forms.Form):
    """Why another photo is asked for, of which place, and in words for the patient."""

    reason = forms.ChoiceField(label=_("Problem with the photos"), choices=PhotosWanted)
    place = forms.ChoiceField(label=_("Of which place"), required=False)
    words = TextFormField(
        label=_("What to show (the patient reads it)"), max_length=WORDS_LENGTH, required=False
    )

    def __init__(self, *args: Any, submission: Submission, **options: Any) -> None:
        super().__init__(*args, **options)
        places = submission.case.body_places
        self.fields["place"].choices = [("", _("whichever")), *((str(one), one.label) for one in places)]
        self.language = submission.patient.get_language_display()
