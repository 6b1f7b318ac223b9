"""Each new row of the training log can be repeated by a command."""

from __future__ import annotations

import importlib.util
import re

import pytest

from training import log_rows

GOOD = """# Log

## 2026-11-28 classify/x: published

    python -m training.classify --seed 3

AUC .8; sha256 `0123456789ab`.

## 2026-11-25 older, without anything
"""


def test_a_row_that_can_be_repeated_has_no_fault_and_old_rows_are_left_alone():
    assert list(log_rows.faults(GOOD)) == []


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("    python -m training.classify --seed 3", ["no command", "no seed"]),
        (" --seed 3", ["no seed"]),
        ("0123456789ab", ["no checkpoint"]),
        ("    python", ["no command"]),  # named in a sentence alone it cannot be copied
    ],
)
def test_what_a_row_lacks_is_told(lost, message):
    found = list(log_rows.faults(GOOD.replace(lost, "")))
    assert len(found) == len(message) and all(word in line for word, line in zip(message, found, strict=True))


def test_no_randomness_may_be_said_instead_of_a_seed():
    assert list(log_rows.faults(GOOD.replace(" --seed 3", "  # no randomness"))) == []


def test_the_log_has_no_row_that_cannot_be_repeated():
    assert list(log_rows.faults(log_rows.LOG.read_text(encoding="utf-8"))) == []


def test_the_commands_of_new_rows_exist():
    """A command in the log that was renamed repeats nothing."""
    since = [
        body
        for heading, body in log_rows.rows(log_rows.LOG.read_text()).items()
        if heading[:10] >= log_rows.FIRST
    ]
    modules = {name for body in since for name in re.findall(r"python -m ([\w.]+)", body)}
    assert [name for name in sorted(modules) if importlib.util.find_spec(name) is None] == []
