"""What follows a signed answer: questions about it with their replies, and links by which it is shared."""

from __future__ import annotations

from rest_framework import serializers

from teleder.api.serializers.base import StrictSerializer
from teleder.api.serializers.patient import SignerSerializer
from teleder.cases import sharing
from teleder.cases.models import PatientQuestion, ShareLink
from teleder.cases.models.question import QUESTION_LENGTH


class PatientQuestionSerializer(serializers.ModelSerializer):
    """A question of the patient about an answer. Without a reply, `due_at` says until when there is one."""

    replied_by = SignerSerializer(allow_null=True)

    class Meta:
        model = PatientQuestion
        fields = ("id", "text", "asked_at", "due_at", "reply", "replied_by", "replied_at")


class AskBackSerializer(StrictSerializer):
    text = serializers.CharField(max_length=QUESTION_LENGTH)


class ReplySerializer(StrictSerializer):
    text = serializers.CharField(max_length=QUESTION_LENGTH)


class ShareLinkSerializer(serializers.ModelSerializer):
    """A link to an answer. Its address is told once, when it is made: only its hash is kept."""

    works = serializers.BooleanField(help_text="neither ended nor expired")

    class Meta:
        model = ShareLink
        fields = (
            *("id", "with_photos", "works", "created_at", "expires_at", "revoked_at"),
            *("times_opened", "last_opened_at"),
        )


class NewShareLinkSerializer(ShareLinkSerializer):
    url = serializers.URLField(
        help_text="whoever has it reads the answer without an account; it is not told again"
    )

    class Meta(ShareLinkSerializer.Meta):
        fields = (*ShareLinkSerializer.Meta.fields, "url")


class ShareSerializer(StrictSerializer):
    days = serializers.ChoiceField(sharing.DAYS)
    with_photos = serializers.BooleanField(default=False)
