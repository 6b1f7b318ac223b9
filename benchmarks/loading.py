"""How soon a patient on a slow phone sees a page, and what it weighs: Chromium on the real web server, nothing cached.

Starts PostgreSQL, Valkey and the web server below a temporary folder, and loads each page in turns, each time in a new browser
context. Network (1.6 Mbit/s down, 750 kbit/s up, 150 ms for each request) and CPU (4 times slower) are throttled by CDP.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import pages, pages_report
from benchmarks.frame import Goal, Section, Table, in_turns, median
from benchmarks.own_system import own_web
from benchmarks.upload import CHROMIUM, NETWORK, PHONE

ROUNDS = 5
CPU_SLOWER = 4
LCP_SECONDS, WEIGHT_KB = 2.0, 60
LOCALES = {"ja": "ja-JP", "en": "en-GB"}
# The largest text or picture so far; without input to the page, this is the final one.
LCP = """() => new Promise((resolve) => new PerformanceObserver((list) => {
    const last = list.getEntries().at(-1);
    resolve([last.startTime, last.element ? last.element.tagName.toLowerCase() : ""]);
}).observe({ type: "largest-contentful-paint", buffered: true }))"""


@dataclass(frozen=True)
class Load:
    """One load: seconds until the largest text or picture, its element, and bytes over the network by kind."""

    seconds: float
    element: str
    bytes: Mapping[str, int]

    @property
    def weight(self) -> int:
        return sum(size for kind, size in self.bytes.items() if kind != "photo")


def add_arguments(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument("--loads", type=int, default=ROUNDS, help=f"loads of each page ({ROUNDS})")


def run(options: argparse.Namespace) -> Section:
    from playwright.sync_api import sync_playwright

    with own_web() as (state, environment):
        visits = json.loads(pages.run_python(environment, "-m", "benchmarks.loading_visits"))
        with pages.web(environment, state) as (port, _session), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
            address = f"http://127.0.0.1:{port}"
            found: dict[str, list[Load]] = {name_of(visit): [] for visit in visits}

            def again(visit: Mapping[str, str]) -> float:
                found[name_of(visit)].append(one := load(browser, address, visit))
                return one.seconds

            for visit in visits:  # the server's own caches are warm, the browser's never
                load(browser, address, visit)
            in_turns({name_of(visit): lambda visit=visit: again(visit) for visit in visits}, options.loads)
            browser.close()
    return section(found)


def name_of(visit: Mapping[str, str]) -> str:
    return f"{visit['page']}, {visit['language']}"


def load(browser: Any, address: str, visit: Mapping[str, str]) -> Load:
    """Load a page as a phone that was never there before."""
    context = browser.new_context(
        viewport=PHONE, is_mobile=True, has_touch=True, locale=LOCALES[visit["language"]]
    )
    if visit["session"]:
        context.add_cookies([{"name": "sessionid", "value": visit["session"], "url": address}])
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    kinds: dict[str, str] = {}
    sizes: dict[str, int] = {}
    devtools.on("Network.responseReceived", lambda event: kinds.update({event["requestId"]: kind_of(event)}))
    devtools.on(
        "Network.loadingFinished",
        lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}),
    )
    devtools.send("Network.enable")
    devtools.send("Network.emulateNetworkConditions", NETWORK)
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": CPU_SLOWER})
    reply = page.goto(address + visit["path"], wait_until="networkidle")
    if reply.status != 200 or page.url != address + visit["path"]:
        raise RuntimeError(f"{name_of(visit)} answered {reply.status} at {page.url}")
    milliseconds, element = page.evaluate(LCP)
    context.close()
    weights: dict[str, int] = {}
    for request, size in sizes.items():
        kind = kinds.get(request, "other")
        weights[kind] = weights.get(kind, 0) + round(size)
    return Load(milliseconds / 1000, element, weights)


def kind_of(event: Mapping[str, Any]) -> str:
    """Return "photo" or what Chromium calls it: "document", "stylesheet", "script", "image"."""
    is_photo = "/photos/" in event["response"]["url"] and event["type"] == "Image"
    return "photo" if is_photo else event["type"].lower()


def section(found: Mapping[str, Sequence[Load]]) -> Section:
    lcp = {name: median([one.seconds for one in loads]) for name, loads in found.items()}
    weight = {name: median([one.weight for one in loads]) for name, loads in found.items()}
    goals = [Goal(f"{name}: LCP", seconds, "s", LCP_SECONDS) for name, seconds in lcp.items()]
    goals += [Goal(f"{name}: weight", size / 1000, "kB", WEIGHT_KB) for name, size in weight.items()]
    kinds = ("document", "stylesheet", "script", "image", "photo")
    return Section(
        name="loading",
        title="Patients' pages on a slow phone",
        text=(
            "Each page of 390 x 844 is loaded in Chromium with nothing cached, at 1.6 Mbit/s down, 750 kbit/s up and 150 ms for "
            f"each request, with a CPU {CPU_SLOWER} times slower (CDP); the figures are medians of "
            f"{min(map(len, found.values()))} loads. LCP is Largest Contentful Paint. Weight is what comes over the network, "
            "headers too, without photos. Connection and TLS handshakes take no extra time here, and what the service worker "
            "fetches afterwards for the offline page is not in the weight. The server's cores are the browser's, too."
        ),
        goals=goals,
        tables=[
            Table(
                "Each page",
                ("page", "LCP, s", "slowest, s", "largest element", *(f"{kind}, kB" for kind in kinds)),
                [
                    (
                        name,
                        lcp[name],
                        max(one.seconds for one in loads),
                        loads[-1].element,
                        *(loads[-1].bytes.get(kind, 0) / 1000 for kind in kinds),
                    )
                    for name, loads in found.items()
                ],
            )
        ],
        unmet=pages_report.busy(),
    )
