"""How the hints of alice's browser (smaller.js) agree with what the worker later finds, on drawn photos."""

from __future__ import annotations

import base64
from collections import Counter

import cv2
import numpy as np
import pytest
from django.templatetags.static import static
from django.urls import reverse

from contract.photos import SHORT_SIDE_WANTED, QualityFault
from inference_worker.models.quality import assess_quality
from training import phantom

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SEEDS, LONG_SIDE = range(5), 1200
FAULTS = {QualityFault.TOO_DARK: "dark", QualityFault.BLURRED: "blurred"}
LOOK = """async ([module, photo]) => {
    const { smaller } = await import(module);
    const bytes = Uint8Array.from(atob(photo), (letter) => letter.charCodeAt(0));
    return (await smaller(new File([bytes], "skin.jpg", { type: "image/jpeg" }))).hints;
}"""


def photos():
    """Yield what was done to a drawn photo, and the photo (H, W, 3) uint8."""
    for seed in SEEDS:
        photo = phantom.draw(seed, condition="AD", long_side=LONG_SIDE).photo
        grain = np.random.default_rng(seed).normal(0, 4, photo.shape[:2])[..., None]
        photo = np.clip(photo + grain, 0, 255).astype(np.uint8)
        yield "as drawn", photo
        for share in (0.4, 0.2, 0.1):
            yield f"light x {share}", (photo * share).astype(np.uint8)
        for sigma in (2, 6, 12):
            yield f"blur {sigma} px", cv2.GaussianBlur(photo, (0, 0), sigma)
        for short in (150, 300):
            scale = short / min(photo.shape[:2])
            yield f"{short} px", cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def test_the_hints_of_the_browser_agree_with_the_worker(visit, alice, draft_of):
    page = visit(alice)
    page.goto(reverse("web:photos", args=[draft_of(alice, photos=0).pk]))
    table: dict[str, Counter] = {}
    for what, photo in photos():
        content = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        hints = page.evaluate(LOOK, [static("web/smaller.js"), base64.b64encode(content).decode()])
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        is_small = min(photo.shape[:2]) < SHORT_SIDE_WANTED  # of poor quality, or under 200 px refused
        worker = "small" if is_small else FAULTS.get(assess_quality(decoded)[1], "-")
        table.setdefault(what, Counter())[(hints or ["-"])[0], worker] += 1
    print("\nwhat was done: browser, worker: photos")
    for what, found in table.items():
        print(f"{what}: " + "; ".join(f"{hint}, {fault}: {n}" for (hint, fault), n in sorted(found.items())))
    pairs = sum(table.values(), Counter())
    # A hint where the worker finds nothing sends a patient back for nothing.
    wrong = sum(n for (hint, fault), n in pairs.items() if fault == "-" and hint != "-")
    missed = sum(n for (hint, fault), n in pairs.items() if fault != "-" and hint != fault)
    faulty = sum(n for (_hint, fault), n in pairs.items() if fault != "-")
    print(f"hints without a fault: {wrong}; faults without their hint: {missed} of {faulty}")
    assert wrong == 0
    assert missed <= 0.3 * faulty
