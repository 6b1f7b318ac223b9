"""What a patient's phone saves on a slow network by making a photo smaller: Chromium on the real page, as on 3G.

Starts PostgreSQL, Valkey and the web server below a temporary folder. The browser's network is slowed down (1.6 Mbit/s down,
750 kbit/s up, 150 ms), and each photo is chosen on the page, once as it is and once with the wish for full size.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import intake_form, pages, pages_report
from benchmarks.frame import Goal, Section, Table, in_turns, median
from benchmarks.own_system import own_web

ROUNDS = 3
NETWORK = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1_600_000 / 8,
    "uploadThroughput": 750_000 / 8,
}
PHONE = {"width": 390, "height": 844}
SCRIPTS_KB = 60
LEAST_SAVED = 0.2
SMALLER, FULL = "at most 3,000 px", "full size"
SCRIPT_BYTES = """() => performance.getEntriesByType('resource').filter(one => one.name.endsWith('.js'))
    .reduce((sum, one) => sum + one.encodedBodySize, 0)"""
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def add_arguments(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument("--upload-rounds", type=int, default=ROUNDS, help=f"uploads of each kind ({ROUNDS})")


def run(options: argparse.Namespace) -> Section:
    from playwright.sync_api import sync_playwright

    with own_web() as (state, environment):
        (photo := state / "photo.jpg").write_bytes(intake_form.photo())
        arguments = ("-m", "benchmarks.intake_patients", "sessions", 2 * options.upload_rounds)
        visits = iter(json.loads(pages.run_python(environment, *arguments)))
        with pages.web(environment, state) as (port, _session), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
            sent: dict[str, list[tuple[int, int]]] = {SMALLER: [], FULL: []}

            def send(kind: str) -> float:
                seconds, *sizes = upload(browser, port, next(visits), photo, full_size=kind == FULL)
                sent[kind].append(tuple(sizes))
                return seconds

            taken = in_turns({kind: lambda kind=kind: send(kind) for kind in sent}, options.upload_rounds)
            browser.close()
    return section(taken, sent)


def upload(
    browser: Any, port: int, visit: Mapping[str, str], photo: Path, *, full_size: bool
) -> tuple[float, int, int]:
    """Choose the photo on the page of a draft; return the seconds until it was received, and the bytes of the request and
    of the page's scripts."""
    address = f"http://127.0.0.1:{port}"
    context = browser.new_context(viewport=PHONE, is_mobile=True, has_touch=True, locale="en-GB")
    context.add_cookies([{"name": "sessionid", "value": visit["session"], "url": address}])
    page = context.new_page()
    page.goto(f"{address}/consultations/{visit['draft']}/photos/")
    scripts = page.evaluate(SCRIPT_BYTES)
    if full_size:
        page.check("#full-size")
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.emulateNetworkConditions", NETWORK)
    began = time.perf_counter()
    with page.expect_response(lambda answer: answer.request.method == "POST", timeout=180_000) as received:
        page.set_input_files("#photo-close_up", photo)
    seconds = time.perf_counter() - began
    if received.value.status != 201:
        raise RuntimeError(f"the page answered {received.value.status}")
    size = int(received.value.request.all_headers()["content-length"])
    context.close()
    return seconds, size, scripts


def section(taken: Mapping[str, list[float]], sent: Mapping[str, list[tuple[int, int]]]) -> Section:
    seconds = {kind: median(found) for kind, found in taken.items()}
    size = {kind: median([one for one, _scripts in found]) for kind, found in sent.items()}
    scripts = max(scripts for _size, scripts in sent[SMALLER])
    saved = {"bytes": 1 - size[SMALLER] / size[FULL], "seconds": 1 - seconds[SMALLER] / seconds[FULL]}
    return Section(
        name="upload",
        title="A photo from a slow network",
        text=(
            "A drawn photo of 12 megapixels is chosen on the patient's page in Chromium, at 1.6 Mbit/s down, 750 kbit/s up and "
            "150 ms (CDP). Seconds run from the choice to the answer, with decoding and encoding in the browser. This Chromium "
            "cannot decode HEIC, so that such a photo goes as it is."
        ),
        goals=[
            Goal("bytes saved", saved["bytes"], "of 1", LEAST_SAVED, at_least=True),
            Goal("seconds saved", saved["seconds"], "of 1", LEAST_SAVED, at_least=True),
            Goal("scripts of the page, compressed", scripts / 1000, "kB", SCRIPTS_KB),
        ],
        tables=[
            Table(
                "Each way",
                ("sent", "megabytes", "seconds", "uploads"),
                [(kind, size[kind] / 1e6, seconds[kind], len(taken[kind])) for kind in (FULL, SMALLER)],
            )
        ],
        unmet=pages_report.busy(),
    )
