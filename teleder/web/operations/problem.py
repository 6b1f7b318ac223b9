"""What is wrong, on the board: each red light says what it means, what people see, and what to press."""

from __future__ import annotations

from dataclasses import dataclass

from teleder.notifications.runbook import AlertKind


@dataclass(frozen=True)
class Problem:
    """What is wrong, the effect on patients, and the remedy; what it means, and what dermatologists notice."""

    kind: AlertKind  # its alert, and its section of the runbook
    words: str
    patients: str
    remedy: str
    url: str = ""  # the list of what `words` count
    meaning: str = ""
    doctors: str = ""
    button: str = ""  # the name of the button that leads to `url`, where the remedy is
