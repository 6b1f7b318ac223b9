"""The admin site's pages of people. Roles come from sign-up and invitation, never from a form here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from teleder.accounts import people
from teleder.accounts.models import (
    Clinic,
    Consent,
    DermatologistProfile,
    FailedLogin,
    Invitation,
    PatientProfile,
    User,
)
from teleder.accounts.normalisation import normalise_width

# Lookups of Django's own filters: by value, choice, relation, emptiness and date.
FILTER_LOOKUPS = ("", "__exact", "__id__exact", "__isnull", "__gte", "__lt")


class AdminOnlyMixin:
    """Every admin may view, superuser or not; a class that allows adding or changing says so."""

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


class VisibleRowsMixin:
    """Restricts lists, pages, searches and actions to `visible_to`; a model without it does not open."""

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).visible_to(request.user)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        """Search for what a Japanese keyboard types in any width."""
        return super().get_search_results(request, queryset, normalise_width(search_term))

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Allow only the page's filters: any other column could be guessed letter by letter (?password__...)."""
        offered = {name + end for name in self.get_list_filter(request) for end in FILTER_LOOKUPS}
        return lookup in offered | {f"{self.date_hierarchy}__{part}" for part in ("year", "month", "day")}


def _require_recent_login(request: HttpRequest) -> None:
    """Raise allauth's `ReauthenticationRequired` where it is due; allauth then repeats the POST."""
    # allauth drops the form of a POST whose URL has a query, as the admin site's have.
    if is_reauthentication_required(request, app=""):
        request.META["QUERY_STRING"] = ""
        raise ReauthenticationRequired


class DermatologistInline(AdminOnlyMixin, admin.StackedInline):
    model = DermatologistProfile
    fk_name = "user"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)


class BirthForm(forms.ModelForm):
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        born, year = cleaned.get("birth_date"), cleaned.get("birth_year")
        if born and year and born.year != year:
            self.add_error("birth_date", _("Please check the date of birth."))
        return cleaned


class PatientInline(AdminOnlyMixin, admin.StackedInline):
    """An admin corrects the date of birth where somebody grown up gave a child's: the account itself cannot."""

    model = PatientProfile
    form = BirthForm
    readonly_fields = ("skin_type",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)


class ConsentInline(AdminOnlyMixin, admin.TabularInline):
    model = Consent
    fk_name = "person"
    fields = ("purpose", "version", "language", "given_at", "withdrawn_at")


@admin.register(Clinic)
class ClinicAdmin(VisibleRowsMixin, AdminOnlyMixin, admin.ModelAdmin):
    """A superuser adds and names clinics. Clinics are never deleted, because their cases stay."""

    list_display = ("name",)
    fields = ("name",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request) and request.user.is_superuser

    has_change_permission = has_add_permission


@admin.register(User)
class UserAdmin(VisibleRowsMixin, AdminOnlyMixin, admin.ModelAdmin):
    """Admins change name and language, a superuser also the address. People are deactivated, never deleted.

    The name stands under signatures, so a change needs a recent log-in. Only a superuser changes an address: a new
    password can be sent there, and the form reveals whether the address has an account elsewhere.
    """

    list_display = ("email", "name", "role", "clinic", "language", "is_active", "date_joined", "last_login")
    list_select_related = ("clinic",)
    list_filter = ("role", "is_active", "language")
    search_fields = ("email", "name", "reading")
    ordering = ("-date_joined",)
    readonly_fields = ("role", "clinic", "is_active", "is_superuser", "date_joined", "last_login")
    fields = ("email", "name", "reading", "language", *readonly_fields)
    actions = ("deactivate", "activate")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        return queryset.matching(search_term), False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_above = obj is not None and obj.is_superuser and not request.user.is_superuser
        return self.has_module_permission(request) and not is_above

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        is_child = obj is not None and obj.email is None  # an address comes by the hand-over
        may_set_address = request.user.is_superuser and not is_child
        return self.readonly_fields if may_set_address else (*self.readonly_fields, "email")

    def get_inlines(self, request: HttpRequest, obj: User | None = None) -> list[type]:
        if obj is not None and obj.is_dermatologist:
            return [DermatologistInline]
        return [PatientInline, ConsentInline] if obj is not None and obj.is_patient else []

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        if request.method == "POST":
            _require_recent_login(request)
        return super().changeform_view(request, *args, **options)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "email" in form.changed_data:
            people.set_only_address(obj)

    def response_action(self, request: HttpRequest, queryset: QuerySet[User]) -> Any:
        _require_recent_login(request)
        return super().response_action(request, queryset)

    @admin.action(description=gettext_lazy("Deactivate: can no longer log in"))
    def deactivate(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        for person in rows:
            self._try(request, people.deactivate, person)

    @admin.action(description=gettext_lazy("Activate: may log in again"))
    def activate(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        for person in rows:
            self._try(request, people.activate, person)

    def _try(self, request: HttpRequest, verb: Callable[..., None], person: User) -> None:
        try:
            verb(person, by=request.user)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)


@admin.register(FailedLogin)
class FailedLoginAdmin(VisibleRowsMixin, AdminOnlyMixin, admin.ModelAdmin):
    list_display = ("at", "person", "reason", "attempts", "entrance", "network_address")
    list_filter = ("reason", "entrance")
    search_fields = ("person__email", "network_address")
    list_select_related = ("person",)
    fields = list_display
    date_hierarchy = "at"


@admin.register(Consent)
class ConsentAdmin(VisibleRowsMixin, AdminOnlyMixin, admin.ModelAdmin):
    list_display = ("person", "purpose", "version", "language", "given_at", "withdrawn_at")
    list_filter = ("purpose", "version", "language")
    search_fields = ("person__email",)
    list_select_related = ("person",)
    ordering = ("-given_at",)


@admin.register(Invitation)
class InvitationAdmin(VisibleRowsMixin, AdminOnlyMixin, admin.ModelAdmin):
    """Invitations are sent from the People page; a leaked link is stopped here."""

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
