"""What a person whose answers are urgent says on the phone, and does until they are seen: parts of the advice."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.utils.translation import get_language

from teleder.cases.triage import read_texts


def phone_script(answers: Mapping[str, str], *, urgent: Collection[str], for_child: bool) -> list[str]:
    """Return what to say, sentence by sentence in the active language: who calls, then each answer that reports something.

    `answers` are in the order of the questions; those to `urgent` questions are said first.
    """
    data, language = read_texts("phone_script"), (get_language() or "ja")[:2]
    said = sorted(answers, key=lambda question: question not in urgent)
    sentences = [data["answers"].get(question, {}).get(answers[question]) for question in said]
    opening = data["opening"]["child" if for_child else "own"]
    return [sentence[language] for sentence in (opening, *filter(None, sentences))]


def until_seen() -> dict[str, Any]:
    """Return text, title and list of what to do on the way to a doctor today, in the active language."""
    data, language = read_texts("until_seen"), (get_language() or "ja")[:2]
    return {
        "text": data["text"][language],
        "title": data["title"][language],
        "steps": [step[language] for step in data["steps"]],
    }
