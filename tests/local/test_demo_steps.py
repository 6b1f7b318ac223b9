"""Who starts the demo sees what takes long, and where its mails are."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from local import demo, servers

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def started(tmp_path, monkeypatch, capsys):
    """What preparing an empty demo prints; nothing is run."""
    monkeypatch.setattr(demo, "STATE", tmp_path)
    monkeypatch.setattr(demo, "_python", lambda *_: None)
    demo.prepare({})
    return capsys.readouterr().out.splitlines()


def test_each_step_is_named_before_it_starts_and_timed_after(started):
    assert [line.split(":")[0] for line in started[::2]] == [f"step {n} of {demo.STEPS}" for n in (2, 3, 4)]
    assert all(re.search(r"second|minute", line) for line in started[::2])
    assert all(re.fullmatch(r"  done in \d+ s", line) for line in started[1::2])


def test_a_step_that_fails_is_not_said_to_be_done(capsys):
    with pytest.raises(servers.ServerError), demo.step(1, "servers"):
        raise servers.ServerError
    assert "done" not in capsys.readouterr().out


def test_readme_and_demo_say_where_the_code_of_a_sign_up_is_read():
    assert "{mail}" in demo.WELCOME and "code of a sign-up" in demo.WELCOME
    assert ".teleder/mail/" in (ROOT / "README.md").read_text()


def test_the_command_that_shows_the_newest_mail_works_in_any_folder(tmp_path):
    """As a person copies it from the terminal: their folders have spaces, quotes and Japanese names."""
    mail = tmp_path / "わたしの 'デモ'" / "mail"
    mail.mkdir(parents=True)
    (mail / "one").write_text("the code")
    places = {"url": "", "port": 1, "photos": "", "mail": shlex.quote(str(mail)), "logs": ""}
    command = re.search(r"tail -n .*", demo.WELCOME.format(**places))[0]
    assert (
        subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout == "the code"
    )
