"""A whole consultation in the browser, from home to the sent page, with the network cut at every request once."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from django.urls import resolve
from playwright.sync_api import Error

from teleder.cases.models import Submission
from tests.conftest import CALM
from tests.web.cutting_proxy import CuttingProxy, Fault

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ANY = re.compile("")
TYPED = {"different": "It weeps since Monday", "treatment": "Cream since May"}
CHOSEN = {"itch": "7", "sleep": "3"}
MOST_STEPS = 100
PATIENCE_MS = 6_000
TRIES = 4
VIEWS = ("overview", "close_up")
# What a consultation is made of: each of these was cut.
ROAD = (
    "GET /", "POST /consultations/new/", "POST /consultations/*/questions/*/", "POST /consultations/*/about/",
    "POST /consultations/*/about/different/", "POST /consultations/*/photos/add/", "POST /consultations/*/send/",
    "GET /consultations/*/",
)  # fmt: skip


class Patient:
    """Somebody who goes on where the page lets them, and reloads what is broken."""

    def __init__(self, page, photos: dict[str, bytes]) -> None:
        self.page, self.content = page, photos

    def walk(self) -> None:
        self._try(lambda: self.page.goto("/"))
        for _step in range(MOST_STEPS):
            where = self._where()
            if where == "submission":
                return
            self._try(lambda: self.page.evaluate("window.isSeen = true"))
            self._try(lambda where=where: getattr(self, where)())
            self._try(lambda: self.page.wait_for_function("!window.isSeen", timeout=PATIENCE_MS))
        raise AssertionError(f"still at {self.page.url}: {self.page.locator('body').inner_text()[:500]}")

    def _where(self) -> str:
        """Return the name of the page, or what to do about one that is none of ours."""
        if self.page.url.startswith("chrome-error:") or self.page.locator("main").count() == 0:
            return "reload"
        if self.page.locator("h1", has_text="No connection").count():
            return "offline"
        return resolve(urlsplit(self.page.url).path).url_name

    def _try(self, act) -> None:
        """Do it; what failed is seen from where the page is then."""
        with suppress(Error):
            act()
            self.page.wait_for_load_state("load", timeout=PATIENCE_MS)

    def _go_on(self) -> None:
        self.page.locator("main .btn-primary").first.click(timeout=2_000)

    # --- One method for each page ---
    def reload(self) -> None:
        self.page.reload(timeout=PATIENCE_MS)

    def offline(self) -> None:
        self._go_on()

    def home(self) -> None:
        self.page.locator("main a[href*='/consultations/']").first.click(timeout=2_000)

    def new(self) -> None:
        if self.page.locator("button.pick[value=no]").count():
            self.page.locator("button.pick[value=no]").click(timeout=2_000)
        else:
            self._go_on()  # a draft is there: go on with it

    question = new

    def about(self) -> None:
        self.page.locator("[name=places][value='elbow_crease.right']").check(timeout=2_000)
        self._go_on()

    def history(self) -> None:
        part = self.page.url.rstrip("/").rpartition("/")[2]
        if part == "duration":
            self.page.locator("button[value=years]").click(timeout=2_000)
            return
        if part in TYPED:
            self.page.fill(f"#{part}", TYPED[part], timeout=2_000)
        if part in CHOSEN:
            self.page.locator(f"[name={part}][value='{CHOSEN[part]}']").check(timeout=2_000)
        self._go_on()

    def photos(self) -> None:
        for view in VIEWS:
            self._add(view)
        self._go_on()

    def _add(self, view: str) -> None:
        """Choose a photo, unless its slot holds one or it is still being sent."""
        slot = self.page.locator(f"[data-view={view}]")
        arrived, unsent = (slot.and_(self.page.locator(each)) for each in ("[data-photo]", "[data-unsent]"))
        for _try in range(TRIES):
            if arrived.count():
                return
            if not unsent.count():
                file = {"name": f"{view}.jpg", "mimeType": "image/jpeg", "buffer": self.content[view]}
                slot.locator("input[type=file]:not([capture])").set_input_files(file, timeout=2_000)
                button = slot.get_by_role("button", name="Send this photo")  # where a script was cut
                if button.is_visible():
                    button.click(timeout=2_000)
            with suppress(Error):
                arrived.first.wait_for(timeout=PATIENCE_MS)

    def missing_photo(self) -> None:
        self.page.go_back()

    def advice(self) -> None:
        self._go_on()

    def send(self) -> None:
        self.page.locator(".sticky button").click(timeout=2_000)


@pytest.mark.parametrize("fault", list(Fault))
def test_nothing_is_lost_when_the_network_is_cut_at_every_request(
    visit, live_server, alice, photo_file, fault
):
    address = urlsplit(live_server.url)
    with CuttingProxy((address.hostname, address.port), fault) as proxy:
        page = visit(alice, language="en", expected=ANY, url=proxy.url)
        patient = Patient(page, {view: photo_file().read() for view in VIEWS})
        patient.walk()
        proxy.shutdown()
    submission = Submission.objects.get()  # one, however often it was begun
    assert (submission.status, submission.answers) == ("submitted", CALM)
    assert [str(place) for place in submission.case.body_places] == ["elbow_crease.right"]
    assert submission.history == {
        "duration": "years",
        **TYPED,
        **{name: int(value) for name, value in CHOSEN.items()},
    }
    photos = {photo.view: photo.sha256 for photo in submission.current_photos()}
    assert photos == {view: hashlib.sha256(content).hexdigest() for view, content in patient.content.items()}
    assert submission.photos.count() == len(VIEWS) and submission.events.filter(kind="submitted").count() == 1
    assert set(ROAD) <= set(proxy.cut)
