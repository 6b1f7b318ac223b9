"""Forms of dermatologists: the answer, and the request for another photo."""

from __future__ import annotations

from typing import Any, Self
from uuid import UUID

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import Language, User
from teleder.accounts.text import TextFormField
from teleder.cases.models import Disposition, Impression, PhotosWanted, Review, Submission
from teleder.cases.transitions import AlreadyAmendedError
from teleder.web.clinician import replies

TEXT_LIMIT = 4000
REASON_LIMIT = 1000
NOTHING = "nothing"  # `amends` of a first answer's form


class AnswerForm(forms.Form):
    """The answer to sign; a correction begins with the answer in force and says why it is corrected."""

    impression = forms.ChoiceField(label=_("Impression"), choices=Impression, widget=forms.RadioSelect)
    disposition = forms.ChoiceField(
        label=_("Action for the patient"), choices=Disposition, widget=forms.RadioSelect
    )
    text = TextFormField(label=_("Answer to the patient"), max_length=TEXT_LIMIT)
    reason = TextFormField(max_length=REASON_LIMIT, required=False)
    amends = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, submission: Submission, amending: bool, impression: str = "", **kwargs: Any
    ) -> None:
        initial: dict[str, Any] = {"amends": NOTHING, "impression": impression}
        if amending:
            answer = submission.answer()
            initial = {name: getattr(answer, name) for name in ("impression", "disposition", "text")}
            initial["amends"] = answer.pk
        kwargs.setdefault("initial", initial)
        super().__init__(*args, **kwargs)
        self.submission, self.amending = submission, amending
        self.fields["reason"].required = amending
        self.fields["reason"].label = (
            _("Reason for the correction")
            if amending
            else _("Reason for a lower urgency than the triage (if so)")
        )
        self.languages = sorted(Language.choices, key=lambda choice: choice[0] != submission.patient.language)

    def with_reply(self, language: str) -> Self:
        """Return the form with the draft text of the chosen disposition appended to the typed text."""
        disposition = self.data.get("disposition")
        if disposition not in Disposition.values or language not in Language.values:
            self.errors.clear()  # the form is not sent yet: empty fields are no errors
            self.add_error("disposition", _("Please choose the action for the patient first."))
            return self
        draft = replies.reply(Disposition(disposition), language, self.data.get("impression", ""))
        parts = [self.data.get("text", "").strip(), draft]
        text = "\n\n".join(filter(None, parts))[:TEXT_LIMIT]
        typed = self.data.dict() | {"text": text}
        return type(self)(initial=typed, submission=self.submission, amending=self.amending)

    def clean_amends(self) -> UUID | None:
        """Return the id of the answer on the page; a page opened before the first answer gives a nil id."""
        try:
            return UUID(self.cleaned_data["amends"]) if self.cleaned_data["amends"] else None
        except ValueError:
            return UUID(int=0)

    def answer(self) -> dict[str, Any]:
        """Return the arguments of `reviews.sign`, or of `reviews.amend` for a correction."""
        names = ("impression", "disposition", "text", "reason", *(["amends"] if self.amending else []))
        return {name: self.cleaned_data[name] for name in names}

    def on_top_of(self, conflict: AlreadyAmendedError) -> Self:
        """Return the filled form as a correction of the newer answer, with the conflict as its error."""
        data = self.data.copy()
        data["amends"] = str(conflict.newer.pk)
        form = type(self)(data, submission=self.submission, amending=True)
        form.add_error(None, str(conflict))
        return form

    def as_review(self, author: User) -> Review:
        """Return the answer unsigned and unsaved, for the preview."""
        typed = {name: value for name, value in self.answer().items() if name != "amends"}
        return Review(submission=self.submission, author=author, signed_at=timezone.now(), **typed)


class PhotosWantedForm(forms.Form):
    reason = forms.ChoiceField(label=_("Problem with the photos"), choices=PhotosWanted)
