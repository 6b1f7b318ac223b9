"""Which e-mail addresses are accepted, and how they are written in mail.

Old Japanese carriers gave out addresses with dots where RFC 5322 has none (`a..b@docomo.ne.jp`, `abc.@ezweb.ne.jp`).
People still use them, so the carriers' domains accept them. In mail their local part is quoted, which makes them valid
(RFC 5321, section 4.1.2).
"""

from __future__ import annotations

import re

from django import forms
from django.core import validators
from django.core.exceptions import ValidationError
from django.utils.deconstruct import deconstructible

from teleder.accounts.normalisation import normalise_email

# Domains, and their subdomains, whose users could choose dots freely before 2009 to 2013.
CARRIERS = (
    "docomo.ne.jp",
    "ezweb.ne.jp",
    "au.com",
    "ido.ne.jp",
    "tu-ka.ne.jp",
    "softbank.ne.jp",
    "vodafone.ne.jp",
    "jp-c.ne.jp",
    "jp-d.ne.jp",
    "jp-h.ne.jp",
    "jp-k.ne.jp",
    "jp-n.ne.jp",
    "jp-q.ne.jp",
    "jp-r.ne.jp",
    "jp-s.ne.jp",
    "jp-t.ne.jp",
    "disney.ne.jp",
    "pdx.ne.jp",
    "willcom.com",
    "wcm.ne.jp",
    "emnet.ne.jp",
    "emobile.ne.jp",
    "ymobile.ne.jp",
    "ymobile1.ne.jp",
    "uqmobile.jp",
)
LOCAL_PART_LIMIT = 64
_ATOM = r"-!#$%&'*+/=?^_`{|}~0-9A-Za-z"
_DOTTED_ATOMS = re.compile(rf"[{_ATOM}.]*[{_ATOM}][{_ATOM}.]*")
_DOT_ATOM = re.compile(rf"[{_ATOM}]+(\.[{_ATOM}]+)*")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


@deconstructible
class EmailAddressValidator(validators.EmailValidator):
    """Django's rule for e-mail addresses and the carriers' dots, applied to the normalised address."""

    def __call__(self, value: str | None) -> None:
        address = normalise_email(value or "")
        try:
            super().__call__(address)
        except ValidationError:
            local_part, _at, domain = address.rpartition("@")
            is_carrier = any(domain == carrier or domain.endswith(f".{carrier}") for carrier in CARRIERS)
            is_domain = re.fullmatch(r"(?![.-])(?!.*\.\.)[a-z0-9.-]+", domain)
            is_short = len(local_part) <= LOCAL_PART_LIMIT
            if not (is_carrier and is_domain and is_short and _DOTTED_ATOMS.fullmatch(local_part)):
                raise


class EmailField(forms.EmailField):
    """A form field for an e-mail address in any character width.

    The input's type is text: browsers refuse a full-width "@" in `type=email` before we see it.
    """

    widget = forms.TextInput

    def widget_attrs(self, widget: forms.Widget) -> dict[str, str]:
        typing = {"inputmode": "email", "autocapitalize": "none", "spellcheck": "false"}
        return super().widget_attrs(widget) | typing

    def to_python(self, value: str | None) -> str:
        return normalise_email(super().to_python(value) or "")


def take_any_width(form: forms.Form, name: str) -> None:
    """Replace a field of allauth's form by ours."""
    theirs = form.fields[name]
    attributes = {
        key: value for key, value in theirs.widget.attrs.items() if key in ("autocomplete", "placeholder")
    }
    form.fields[name] = EmailField(
        label=theirs.label, required=theirs.required, widget=forms.TextInput(attributes)
    )


def quoted(address: str) -> str:
    """Return an address for mail servers: a local part that is no dot-atom is quoted (RFC 5321)."""
    local_part, at, domain = address.rpartition("@")
    if not at or _DOT_ATOM.fullmatch(local_part) or _QUOTED.fullmatch(local_part) or not local_part.isascii():
        return address
    if not _DOTTED_ATOMS.fullmatch(local_part):  # a display name or a refused address: Django decides
        return address
    return f'"{local_part}"@{domain}'
