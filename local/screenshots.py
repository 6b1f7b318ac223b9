"""`./run screenshots`: take the pictures of the README from the demo, with drawn photos only, in about three minutes.

The demo runs in a temporary folder, which is removed at the end. Chromium comes from the system.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import cv2
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from local import servers
from training import phantom

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
PHONE, DESK = (390, 844), (1440, 900)
START_SECONDS, ANALYSIS_SECONDS = 300, 900
LARGEST_KB = 150
# Seeds whose drawings show the condition clearly: one or two photos for each case of the demo, as it takes them in turn.
SEEDS = {
    "AD": (100, 106, 104),
    "HI": (106,),
    "IM": (106, 105),
    "MF": (100,),
    "OTHER": (101,),
    "NORMAL": (100,),
}
PASSWORD = "teleder-demo-2026"  # noqa: S105  (the public one of the demo, which only this machine reaches)
ANSWERED_SITE, REVIEWED_SITE = "forearm", "around_mouth"  # two of bob's cases in `manage.py demo`
ANSWER = {
    "impression": "other",
    "disposition": "self_care",
    "text": (
        "Thank you for the photos. This looks like a harmless ring-shaped rash. Keep using your moisturiser. "
        "Photos cannot rule out other causes: see a doctor today if you get pain, blisters or fever."
    ),
    "reason": "No sign of infection.",
}


def main() -> int:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="teleder-screenshots-") as name:
        folder = Path(name)
        draw_photos(folder / "photos")
        port = servers.free_port()
        environment = {
            key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL"}
        }
        with (folder / "demo.log").open("wb") as log:
            demo = subprocess.Popen(
                [sys.executable, "-m", "local", "demo", "--port", str(port)],
                cwd=ROOT,
                env=environment | {"TELEDER_DEMO_FOLDER": name},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_for_demo(demo, folder / "demo.log")
            take_pictures(f"http://localhost:{port}")
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.wait()
    return 0


def draw_photos(folder: Path) -> None:
    """Write what `python -m training.phantom` writes, as far as the demo reads it."""
    folder.mkdir()
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "class"])
        for condition, seeds in SEEDS.items():
            for seed in seeds:
                name = f"{condition.lower()}_{seed}.jpg"
                scene = phantom.draw(seed, condition=condition, blur=0)
                cv2.imwrite(str(folder / name), scene.photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
                writer.writerow([name, condition])


def wait_for_demo(demo: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while b"teleder is running" not in log.read_bytes():
        if demo.poll() is not None or time.monotonic() > end:
            raise servers.ServerError("The demo did not start:\n" + log.read_text()[-2000:])
        time.sleep(0.5)


def take_pictures(url: str) -> None:
    """Sign an answer by the API once the AI is done, then photograph three pages."""
    tokens = {
        email: call(url, "POST", "tokens", body={"email": email, "password": PASSWORD})["token"]
        for email in ("bob@example.com", "dana@example.com")
    }
    dana = tokens["dana@example.com"]
    call(url, "PATCH", "me", token=dana, body={"language": "en"})
    end = time.monotonic() + ANALYSIS_SECONDS
    while True:
        rows = call(url, "GET", "worklist", token=dana)["results"]
        if all(row["ai_status"] != "waiting" for row in rows):
            break
        if time.monotonic() > end:
            raise servers.ServerError("The analyses did not end in time.")
        time.sleep(2)
    by_site = {row["body_site"]: row["id"] for row in rows}
    answered, reviewed = by_site[ANSWERED_SITE], by_site[REVIEWED_SITE]
    call(url, "POST", f"submissions/{answered}/claim", token=dana)
    call(url, "POST", f"submissions/{answered}/reviews", token=dana, body=ANSWER)

    with sync_playwright() as playwright:
        chromium = (
            shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        )
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])

        def log_in(email: str, size: tuple[int, int]):
            page = browser.new_page(
                base_url=url,
                viewport={"width": size[0], "height": size[1]},
                locale="en-GB",
                timezone_id="Asia/Tokyo",
            )
            page.goto("/accounts/login/")
            page.fill("[name=login]", email)
            page.fill("[name=password]", PASSWORD)
            page.press("[name=password]", "Enter")
            page.wait_for_url(lambda address: "/login" not in address)
            return page

        page = log_in("bob@example.com", PHONE)
        page.goto(f"/consultations/{answered}/")
        save(page.screenshot(), "patient")
        page = log_in("dana@example.com", DESK)
        page.goto("/worklist/")
        wait_for_images(page)
        save(page.screenshot(), "worklist")
        call(url, "POST", f"submissions/{reviewed}/claim", token=dana)
        page.goto(f"/review/{reviewed}/")
        for layer in ("mask", "boxes"):
            if (button := page.locator(f"[data-layer={layer}]")).count():
                button.click()
        page.wait_for_load_state("networkidle")
        wait_for_images(page)
        page.locator("#photo").evaluate("photo => photo.scrollIntoView()")
        save(page.screenshot(), "review")
        browser.close()


def wait_for_images(page: Page) -> None:
    """Wait until every image is drawn, 15 s at most. The pages' CSP forbids Playwright's own `wait_for_function`."""
    for _ in range(150):
        if page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth)"):
            break
        page.wait_for_timeout(100)


def call(url: str, method: str, path: str, *, token: str = "", body: dict | None = None):
    """Ask the API of the demo and return the JSON of its answer."""
    request = urllib.request.Request(  # noqa: S310  (our own address on loopback)
        f"{url}/api/v1/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Accept-Language": "en"}
        | ({"Authorization": f"Token {token}"} if token else {}),
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310
        return json.load(response)


def save(png: bytes, name: str) -> None:
    """Write a picture as WebP of at most `LARGEST_KB`, as good as that allows."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for quality in range(90, 20, -10):
        picture.save(IMAGES / f"{name}.webp", quality=quality, method=6)
        size = (IMAGES / f"{name}.webp").stat().st_size
        if size <= LARGEST_KB * 1000:
            break
    print(f"docs/images/{name}.webp  {picture.width}x{picture.height}  {size // 1000} kB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
