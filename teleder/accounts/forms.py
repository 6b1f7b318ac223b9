"""allauth's forms, with addresses and codes in any character width, and a sign-up that reveals no accounts."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

from allauth.account.forms import (
    AddEmailForm,
    ConfirmEmailVerificationCodeForm,
    LoginForm,
    ReauthenticateForm,
    ResetPasswordForm,
    ResetPasswordKeyForm,
    SignupForm,
)
from allauth.account.forms import ChangePasswordForm as AllauthChangePasswordForm
from django import forms
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from teleder.accounts.email_addresses import take_any_width
from teleder.accounts.models import Clinic, User
from teleder.accounts.names import clean_name, clean_reading
from teleder.accounts.normalisation import normalise_code
from teleder.accounts.text import LineFormField

PASSWORD_HINT = format_lazy(
    _("At least {n} characters. Several words are easy to remember."), n=settings.PASSWORD_CHARACTERS
)


def in_our_words(form: forms.Form, **fields: tuple[Any, Any]) -> None:
    """Replace allauth's labels, hints and placeholders by ours: {field: (label, hint)}."""
    for name, (label, hint) in fields.items():
        form.fields[name].label, form.fields[name].help_text = label, hint
        form.fields[name].widget.attrs.pop("placeholder", None)


class InPlainWords:
    """Says what is wrong with a field by its name, in place of Django's own words. A field's own words stay."""

    def full_clean(self) -> None:
        choose, fill = _("Please choose “{field}”."), _("Please fill in “{field}”.")
        unread = _("Please check “{field}”: it can't be read.")
        wrong = dict.fromkeys(("min_value", "max_value", "min_length"), _("Please check “{field}”."))
        wrong |= dict.fromkeys(("invalid", "null_characters_not_allowed"), unread)
        wrong |= dict.fromkeys(("invalid_choice", "invalid_list", "invalid_pk_value"), choose)
        wrong["max_length"] = _("“{field}” is too long: {n} letters at most.")
        for field in self.fields.values():
            usual: dict[str, Any] = {}
            for kind in reversed(type(field).__mro__):
                usual |= getattr(kind, "default_error_messages", {})
            own = {code: text for code, text in field.error_messages.items() if usual.get(code) != text}
            chosen = isinstance(field, forms.ChoiceField | forms.BooleanField | forms.ModelChoiceField)
            longest = getattr(field, "max_length", None)
            field.error_messages |= {
                code: format_lazy(text, field=field.label, n=longest)
                for code, text in (wrong | {"required": choose if chosen else fill}).items()
            } | own
        super().full_clean()


class SamePasswordMixin:
    """A new password is typed twice; where the two differ, the page says so in our words."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        first, again = (self.data.get(self.add_prefix(name)) for name in ("password1", "password2"))
        if first and again and first != again:
            self.errors["password2"] = self.error_class([_("The two passwords are not the same.")])
        return cleaned


class LogInForm(InPlainWords, LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        take_any_width(self, "login")
        in_our_words(self, login=(_("E-mail address"), ""), password=(_("Password"), ""))


class NewAddressForm(InPlainWords, AddEmailForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        take_any_width(self, "email")
        in_our_words(self, email=(_("E-mail address"), _("We send a code there.")))


class ChangePasswordForm(InPlainWords, SamePasswordMixin, AllauthChangePasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        in_our_words(
            self,
            oldpassword=(_("Your password now"), ""),
            password1=(_("New password"), PASSWORD_HINT),
            password2=(_("The same again"), ""),
        )


class PasswordAgainForm(InPlainWords, ReauthenticateForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        in_our_words(self, password=(_("Password"), ""))


class NewPasswordForm(InPlainWords, ResetPasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        take_any_width(self, "email")
        in_our_words(self, email=(_("E-mail address"), ""))


class PasswordFromLinkForm(InPlainWords, SamePasswordMixin, ResetPasswordKeyForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        in_our_words(self, password1=(_("New password"), PASSWORD_HINT), password2=(_("The same again"), ""))


class AddressCodeForm(InPlainWords, ConfirmEmailVerificationCodeForm):
    """The code of a mail, normalised before it is compared: three wrong ones end a sign-up."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        hint = format_lazy(_("The {n} digits of our mail."), n=settings.CODE_DIGITS)
        in_our_words(self, code=(_("Code"), hint))
        self.fields["code"].widget.attrs |= {
            "inputmode": "numeric",
            "autocomplete": "one-time-code",
            "spellcheck": "false",
            "class": "code",
        }

    def clean_code(self) -> str:
        self.cleaned_data["code"] = normalise_code(self.cleaned_data["code"])
        return super().clean_code()


class NameFields(InPlainWords, forms.Form):
    """Name and reading, one field each: no name is split into parts."""

    name = LineFormField(
        label=_("Name"),
        max_length=100,
        help_text=_("As you write it, in kanji or in other letters. The clinic uses it."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    reading = LineFormField(
        label=_("Reading of the name"),
        max_length=100,
        required=False,
        help_text=_("In hiragana or katakana. Leave it empty for a name in Latin letters."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"])

    def clean_reading(self) -> str:
        return clean_reading(self.cleaned_data["reading"], name=self.cleaned_data.get("name", ""))


class ClinicFormField(forms.ModelChoiceField):
    def to_python(self, value: Any) -> Clinic | None:
        """Answer what is no id as one of no clinic."""
        try:
            return super().to_python(value)
        except forms.ValidationError:
            raise forms.ValidationError(
                self.error_messages["invalid_choice"], code="invalid_choice"
            ) from None


class SignUpForm(SamePasswordMixin, NameFields, SignupForm):
    clinic = ClinicFormField(Clinic.objects.all(), label=_("Clinic"), empty_label=_("Please choose"))
    field_order = ("clinic", "name", "reading", "email", "password1", "password2")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        take_any_width(self, "email")
        in_our_words(
            self,
            email=(_("E-mail address"), ""),
            password1=(_("Password"), PASSWORD_HINT),
            password2=(_("The same again"), ""),
        )
        if Clinic.objects.count() < 2:
            del self.fields["clinic"]

    def clean_email(self) -> str:
        """Delete an earlier sign-up that was never confirmed."""
        User.objects.never_confirmed().filter(email__iexact=self.cleaned_data["email"]).delete()
        return super().clean_email()

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        """Do the same work for an address that has an account, so that the time does not tell."""
        user, response = super().try_save(request)
        if user is None:
            with transaction.atomic():
                self.account_already_exists = False
                self.cleaned_data["email"] = f"{token_hex(12)}@example.invalid"
                self.save(request)
                transaction.set_rollback(True)
        return user, response
