"""The Django admin, for our own tables and behind our own log-in."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _


class AdminSite(admin.AdminSite):
    """Our tables only: the tables of libraries hold tokens and second factors, which nobody needs to see.

    Its own log-in and password pages lead to the product's: Django's would skip second factor and throttling.
    """

    site_header = site_title = "teleder"
    index_title = _("All tables")

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        models = model_or_iterable if isinstance(model_or_iterable, list | tuple) else [model_or_iterable]
        ours = [model for model in models if model.__module__.startswith("teleder.")]
        super().register(ours, admin_class, **options)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        # Imported here: the settings name this module before any model can be loaded.
        from django.contrib.auth.views import redirect_to_login

        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(request.GET.get("next", request.get_full_path()))

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return redirect("account_change_password")


class AdminSiteConfig(AdminConfig):
    default_site = "teleder.security.admin_site.AdminSite"
