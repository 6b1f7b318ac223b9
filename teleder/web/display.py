"""How large a patient's texts are, and whether kanji have their readings. Of this browser, as its zoom is: a cookie."""

from __future__ import annotations

import re
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

COOKIE = "teleder_display"
YEAR_SECONDS = 365 * 24 * 3600
# Step in patient.css and its name.
TEXT_SIZES = [("1", _("Normal")), ("2", _("Large")), ("3", _("Larger")), ("4", _("Largest"))]


class Display(NamedTuple):
    text_size: str = "1"
    furigana: bool = False


def display_of(request: HttpRequest) -> Display:
    found = re.fullmatch(r"([1-4])([01])", request.COOKIES.get(COOKIE, ""))
    return Display(found[1], found[2] == "1") if found else Display()


def keep_display(response: HttpResponse, display: Display) -> None:
    response.set_cookie(
        COOKIE,
        f"{display.text_size}{display.furigana:d}",
        max_age=YEAR_SECONDS,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
        httponly=True,
    )
