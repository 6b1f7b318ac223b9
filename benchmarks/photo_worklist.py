"""What a clinic's worklist looks like after submissions of known photos, sent through the whole system.

    python -m benchmarks.photo_worklist --manifest ../shared/data/cls/manifest.csv --root ../shared/data/cls \
        --use evaluate --json OUT --markdown docs/models/worklist.md

Submissions of two or three photos (training/submissions.py), drawn by a fixed seed from each class, go through web,
decoder, real networks, results and policy, every red flag answered "no", in a mixed order. Then the worklist is read
as a dermatologist's program reads it. A class is known to this program only, never to the system.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from statistics import median
from typing import Any

from benchmarks.own_system import own_system
from drills.client import App, Clients, wait_until
from training.data import Row, exit_on_manifest_error, measuring_rows, output
from training.statistics import wilson
from training.submissions import GOALS, Submission, submissions_of

PER_CLASS = {"AD": 16, "HI": 10, "IM": 4, "MF": 4, "OTHER": 6}
SEED = 1
WAIT_SECONDS = 900
HEADS = ("research", "open")
LEVELS = ("routine", "weeks_2", "days_2", "same_day", "emergency")


def chosen(rows: list[Row]) -> list[Submission]:
    """Return PER_CLASS submissions of each class, or as many as there are, in a mixed order."""
    rng, by_class = random.Random(SEED), defaultdict(list)
    for one in submissions_of(rows):
        by_class[one.label].append(one)
    found = [
        one
        for label, count in PER_CLASS.items()
        for one in rng.sample(by_class[label], min(count, len(by_class[label])))
    ]
    rng.shuffle(found)
    return found


def worklist(rows: list[Row], submissions: list[Submission]) -> list[dict[str, str]]:
    """Send the submissions through a system of its own and return the worklist from the top: class and urgency."""
    with own_system() as system:
        from drills import people

        clients = Clients(system.url, people.patients(len(submissions)))
        reader = App(Clients(system.url, []), people.dermatologists(1)[0])
        labels = _sent(clients, rows, submissions)
        if not wait_until(lambda: _nothing_waits(reader), WAIT_SECONDS):
            raise RuntimeError("the findings did not arrive in time")
        return [
            {"class": labels[row["id"]], "urgency": row["urgency"], "ai": row["ai_status"]}
            for row in _listed(reader)
        ]


def _sent(clients: Clients, rows: list[Row], submissions: list[Submission]) -> dict[str, str]:
    """Send each submission from a patient of its own; return the class by the submission's id."""
    labels = {}
    for person, one in zip(clients.people, submissions, strict=True):
        photos = tuple(rows[place].path.read_bytes() for place in one.photos)
        if (sent := clients.send_one(person, photos)) is None:
            raise RuntimeError(f"a submission of class {one.label} was not accepted")
        labels[sent.submission] = one.label
    return labels


def _nothing_waits(reader: App) -> bool:
    time.sleep(2)
    return all(row["ai_status"] != "waiting" for row in _listed(reader))


def _listed(reader: App) -> list[dict[str, Any]]:
    """Return every row of the worklist, in its order."""
    answer = reader.ask("GET", "worklist", params={"page_size": 200})
    answer.raise_for_status()
    return answer.json()["results"]


def page(found: dict[str, list[dict[str, str]]], command: str) -> str:
    """Return the worklists of both classifications as Markdown."""
    total = len(found[HEADS[0]])
    lines = [
        "# A worklist of known photos",
        "",
        f"Written by `{command}`. {total} submissions of two or three `evaluate` photos, drawn by seed {SEED}, went through the",
        'whole system with every red flag answered "no". Places count from the top; with no order at all the middle of every',
        f"class would be near {(total + 1) / 2:g}. Photos of classes as here say nothing of how often a clinic meets them.",
    ]
    for head, rows in found.items():
        unread = sum(row["ai"] != "done" for row in rows)
        lines += [
            "",
            f"## {head}",
            "",
            f"Submissions that the AI did not read completely: {unread}.",
            "",
            "| class | n | " + " | ".join(LEVELS) + " | places, middle | places |",
            "| --- " * (len(LEVELS) + 4) + "|",
        ]
        for label in PER_CLASS:
            places = [place for place, row in enumerate(rows, start=1) if row["class"] == label]
            levels = [str(sum(rows[place - 1]["urgency"] == level for place in places)) for level in LEVELS]
            cells = [label, str(len(places)), *levels, f"{median(places):g}", " ".join(map(str, places))]
            lines.append(f"| {' | '.join(cells)} |")
        lines += ["", *_goals(rows)]
    return "\n".join(lines) + "\n"


def _goals(rows: list[dict[str, str]]) -> Iterator[str]:
    """Yield a line for each goal of a submission (`training.submissions`), as these few submissions meet it."""
    for label, (what, goal) in GOALS.items():
        own = [row["urgency"] == "routine" for row in rows if row["class"] == label]
        hits = sum(own) if label == "AD" else len(own) - sum(own)
        low, high = wilson(hits, len(own))
        reached = "reached" if hits >= goal * len(own) else "**not reached**"
        yield (
            f"- Goal, {label} {what} at least {goal:.2f}: {hits / len(own):.3f} [{low:.3f}, {high:.3f}] {len(own)}, "
            f"{reached} by these; [submissions.md](submissions.md) measures all `evaluate` photos and says why."
        )


@exit_on_manifest_error
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--use", default="evaluate")
    parser.add_argument("--json", type=output, required=True)
    parser.add_argument("--markdown", type=output)
    parser.add_argument("--only", choices=HEADS, help="one classification, no page")
    options = parser.parse_args(argv)
    if options.only:  # settings are read once in a process: one system each
        os.environ["TELEDER_CLASSIFIER"] = options.only
        rows = measuring_rows(options, only=PER_CLASS)
        options.json.write_text(json.dumps(worklist(rows, chosen(rows))))
        return
    arguments = ["--manifest", options.manifest, "--root", options.root, "--use", options.use]
    found = {}
    for head in HEADS:
        part = options.json.with_suffix(f".{head}.json")
        command = [
            sys.executable,
            "-m",
            "benchmarks.photo_worklist",
            *arguments,
            "--only",
            head,
            "--json",
            str(part),
        ]
        subprocess.run(command, check=True)
        found[head] = json.loads(part.read_text())
    options.json.write_text(json.dumps(found, indent=1))
    text = page(
        found,
        f"python -m benchmarks.photo_worklist {shlex.join(arguments)} --json {options.json} --markdown PAGE",
    )
    if options.markdown:
        options.markdown.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
