"""The doors of the web: pages, API, the admin's back room."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("teleder.web.urls")),
    path("accounts/", include("allauth.urls")),
    path("api/", include("teleder.api.urls")),
    path("admin/", admin.site.urls),
    path("language/", include("django.conf.urls.i18n")),
]
