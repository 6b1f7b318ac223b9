"""The URLs of the web: pages, API, admin site."""

from django.contrib import admin
from django.urls import include, path

from teleder.metrics import metrics
from teleder.probes import StatusView, healthz, readyz
from teleder.web.entrance import AddressCodeView

urlpatterns = [
    path("", include("teleder.web.urls")),
    # Before allauth's page of this name, which it replaces.
    path("accounts/confirm-email/", AddressCodeView.as_view(), name="account_email_verification_sent"),
    path("accounts/", include("allauth.urls")),
    path("api/", include("teleder.api.urls")),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("status", StatusView.as_view(), name="status"),
]
# Problem documents below /api/, pages elsewhere.
handler400 = "teleder.api.errors.bad_request"
handler403 = "teleder.api.errors.permission_denied"
handler404 = "teleder.api.errors.page_not_found"
handler429 = "teleder.security.rate_limits.rate_limited_response"  # allauth's name for it
handler500 = "teleder.api.errors.server_error"
