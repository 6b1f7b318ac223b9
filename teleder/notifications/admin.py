"""The admin site's list of messages: to whom, over which channel, sent or not. Messages hold no text."""

from __future__ import annotations

from django.contrib import admin

from teleder.accounts.admin import AdminOnlyMixin, VisibleRowsMixin
from teleder.notifications.models import Message, Preference


@admin.register(Message)
class MessageAdmin(VisibleRowsMixin, AdminOnlyMixin, admin.ModelAdmin):
    list_display = ("person", "event", "channel", "state", "attempt", "created_at", "sent_at", "read_at")
    list_filter = ("state", "channel", "event__kind")
    search_fields = ("person__email", "event__submission__case__number")
    list_select_related = ("person", "event")
    date_hierarchy = "created_at"
    show_full_result_count = False


@admin.register(Preference)
class PreferenceAdmin(VisibleRowsMixin, AdminOnlyMixin, admin.ModelAdmin):
    list_display = ("person", "email")
    list_filter = ("email",)
    search_fields = ("person__email",)
    list_select_related = ("person",)
