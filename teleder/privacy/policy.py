"""The clinic's retention policy: versioned data in `policies/`, drafts until the clinic signs."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

POLICIES = Path(__file__).parent / "policies"
CURRENT_POLICY = "2026-11-25"


@dataclass(frozen=True, kw_only=True)
class RetentionPurpose:
    days: int
    basis: str

    @property
    def age(self) -> timedelta:
        return timedelta(days=self.days)


@dataclass(frozen=True, kw_only=True)
class RetentionPolicy:
    version: str
    signed_by: str
    cooling_off_days: int
    open_case_days: int
    answer_days: int
    record_duty_first: bool
    backup_days: int
    purposes: dict[str, RetentionPurpose]


@cache
def retention_policy(name: str = CURRENT_POLICY) -> RetentionPolicy:
    """Return a policy by its file's name; `signed_by` is empty while it is a draft."""
    found = tomllib.loads((POLICIES / f"{name}.toml").read_text())
    purposes = {name: RetentionPurpose(**row) for name, row in found["purposes"].items()}
    return RetentionPolicy(
        version=found["version"], signed_by=found["signed_by"], purposes=purposes, **found["erasure"]
    )
