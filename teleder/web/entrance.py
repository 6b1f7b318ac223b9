"""The page that asks for the code of a mail: until when it works, and what to do when it is too old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from allauth.account.internal.flows.email_verification_by_code import (
    EMAIL_VERIFICATION_CODE_SESSION_KEY,
    EmailVerificationProcess,
)
from allauth.account.views import ConfirmEmailVerificationCodeView
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from teleder.security import login_throttling


class AddressCodeView(ConfirmEmailVerificationCodeView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        state = request.session.get(EMAIL_VERIFICATION_CODE_SESSION_KEY)
        if state and not EmailVerificationProcess(request, state).is_valid():
            response = super().dispatch(request, *args, **kwargs)  # ends what was begun
            messages.warning(request, _("The code is too old. Please start again: you get a new one."))
            return redirect("account_signup") if request.user.is_anonymous else response
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the time until which the code works. A code that is sent again works no longer than the first."""
        began = datetime.fromtimestamp(self._process.state["at"], UTC)
        return super().get_context_data(**kwargs) | {
            "valid_until": began + timedelta(seconds=self._process.timeout)
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self._counted = (
            login_throttling.count_code(request, self._process.email) if self._action == "verify" else None
        )
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        if self._counted:
            self._counted.rollback()
        return super().form_valid(form)

    def _resend_form_valid(self, form: Any) -> HttpResponse:
        """Send a new code. Too soon after the last one, say so on the page."""
        try:
            response = super()._resend_form_valid(form)
        except ImmediateHttpResponse:
            messages.warning(self.request, _("Please wait ten seconds before you ask for another code."))
            return redirect("account_email_verification_sent")
        messages.success(self.request, _("We sent a new code. The one before no longer works."))
        return response
