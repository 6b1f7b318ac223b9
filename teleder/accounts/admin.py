"""The back room: people as tables. Roles come from sign-up and invitation, never from a form here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from teleder.accounts import people
from teleder.accounts.models import (
    Consent,
    DermatologistProfile,
    Invitation,
    PatientProfile,
    User,
)

admin.site.site_header = admin.site.site_title = "teleder"
admin.site.index_title = gettext_lazy("All tables")


class ForAdmins:
    """Every admin may look, superuser or not; changing and adding are opened by the class that means it."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_admin

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DermatologistInline(ForAdmins, admin.StackedInline):
    model = DermatologistProfile

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)


class PatientInline(ForAdmins, admin.StackedInline):
    model = PatientProfile


class ConsentInline(ForAdmins, admin.TabularInline):
    model = Consent
    fields = ("purpose", "version", "language", "given_at", "withdrawn_at")


@admin.register(User)
class UserAdmin(ForAdmins, admin.ModelAdmin):
    """Name, address and language can be mended. Nobody is deleted: a person is deactivated."""

    list_display = ("email", "name", "role", "language", "is_active", "date_joined", "last_login")
    list_filter = ("role", "is_active", "language")
    search_fields = ("email", "name")
    ordering = ("-date_joined",)
    fields = ("email", "name", "language", "role", "is_active", "is_superuser", "date_joined", "last_login")
    readonly_fields = ("role", "is_active", "is_superuser", "date_joined", "last_login")
    actions = ("deactivate", "activate")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def get_inlines(self, request: HttpRequest, obj: User | None = None) -> list[type]:
        if obj is not None and obj.is_dermatologist:
            return [DermatologistInline]
        return [PatientInline, ConsentInline] if obj is not None and obj.is_patient else []

    @admin.action(description=gettext_lazy("Deactivate: they can no longer log in"))
    def deactivate(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        for person in rows:
            try:
                people.deactivate(person, by=request.user)
            except ValidationError as error:
                self.message_user(request, " ".join(error.messages), messages.ERROR)

    @admin.action(description=gettext_lazy("Activate: they may log in again"))
    def activate(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        for person in rows:
            people.activate(person, by=request.user)


@admin.register(Consent)
class ConsentAdmin(ForAdmins, admin.ModelAdmin):
    list_display = ("person", "purpose", "version", "language", "given_at", "withdrawn_at")
    list_filter = ("purpose", "version", "language")
    search_fields = ("person__email",)
    list_select_related = ("person",)
    ordering = ("-given_at",)


@admin.register(Invitation)
class InvitationAdmin(ForAdmins, admin.ModelAdmin):
    """Invitations are sent from the People page; a link that got into wrong hands is stopped here."""

    list_display = ("email", "role", "invited_by", "created_at", "expires_at", "accepted_at")
    list_filter = ("role",)
    search_fields = ("email",)
    list_select_related = ("invited_by",)
    fields = list_display
    ordering = ("-created_at",)
    actions = ("stop",)

    @admin.action(description=gettext_lazy("Stop: the link no longer works"))
    def stop(self, request: HttpRequest, rows: QuerySet[Invitation]) -> None:
        stopped = people.stop_invitations(rows, by=request.user)
        self.message_user(request, _("%(n)d invitations stopped.") % {"n": stopped})
