"""Names of codes, for templates."""

from __future__ import annotations

from django import template

from teleder.cases import diagnoses

register = template.Library()


@register.filter
def diagnosis_name(id: str) -> str:
    return diagnoses.name_of(id)
