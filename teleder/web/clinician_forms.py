"""What a dermatologist fills in: the answer, and why another photo is wanted."""

from __future__ import annotations

from typing import Any, Self

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import Language, User
from teleder.cases.models import Disposition, Impression, PhotosWanted, Review, Submission
from teleder.web import replies

TEXT_LIMIT = 4000
REASON_LIMIT = 1000


class AnswerForm(forms.Form):
    """The answer to sign; a correction begins with the answer in force and says why it is corrected."""

    impression = forms.ChoiceField(
        label=_("What I take it for"), choices=Impression, widget=forms.RadioSelect
    )
    disposition = forms.ChoiceField(
        label=_("What the patient should do"), choices=Disposition, widget=forms.RadioSelect
    )
    text = forms.CharField(label=_("Answer to the patient"), max_length=TEXT_LIMIT, widget=forms.Textarea)
    reason = forms.CharField(max_length=REASON_LIMIT, required=False, widget=forms.Textarea)

    def __init__(self, *args: Any, submission: Submission, amending: bool, **kwargs: Any) -> None:
        if amending:
            kwargs.setdefault("initial", _as_initial(submission.answer()))
        super().__init__(*args, **kwargs)
        self.submission, self.amending = submission, amending
        self.fields["reason"].required = amending
        self.fields["reason"].label = (
            _("Why it is corrected") if amending else _("Why it is less urgent than the triage (if it is)")
        )
        self.languages = sorted(Language.choices, key=lambda choice: choice[0] != submission.patient.language)

    def with_reply(self, language: str) -> Self:
        """Return the form with the draft text of the chosen disposition under what was typed."""
        disposition = self.data.get("disposition")
        if disposition not in Disposition.values or language not in Language.values:
            self.errors.clear()  # it is not sent yet: what is still empty is no mistake
            self.add_error("disposition", _("Please choose what the patient should do first."))
            return self
        draft = replies.reply(Disposition(disposition), language, self.data.get("impression", ""))
        parts = [self.data.get("text", "").strip(), draft]
        text = "\n\n".join(filter(None, parts))[:TEXT_LIMIT]
        typed = self.data.dict() | {"text": text}
        return type(self)(initial=typed, submission=self.submission, amending=self.amending)

    def as_review(self, author: User) -> Review:
        """Return the answer unsigned and unsaved, for the preview."""
        return Review(
            submission=self.submission, author=author, signed_at=timezone.now(), **self.cleaned_data
        )


def _as_initial(answer: Review) -> dict[str, str]:
    return {name: getattr(answer, name) for name in ("impression", "disposition", "text")}


class PhotosWantedForm(forms.Form):
    reason = forms.ChoiceField(label=_("What is wrong with the photos"), choices=PhotosWanted)
