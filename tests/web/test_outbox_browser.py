"""Alice's photos are never lost without a word: the connection, the server, the session, the tab or the file may go."""

from __future__ import annotations

import re

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import expect

from teleder.cases import intake
from teleder.cases.models import Photo

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
FAILED = re.compile(r"ERR_|status of (4|5)\d\d")
UNSENT = "[data-unsent]"
ARRIVED = "[data-photo]"
KEPT = """() => new Promise(resolve => {
    const request = indexedDB.open('teleder', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('entries', {keyPath: 'id'});
    request.onsuccess = () => {
        const all = request.result.transaction('entries').objectStore('entries').getAll();
        all.onsuccess = () => { request.result.close(); resolve(all.result.map(entry => entry.draft)) };
    };
})"""


class Phone:
    """Alice's browser at the photo step of her empty draft."""

    def __init__(self, page, draft, photo_file):
        self.page, self.draft, self.photo_file = page, draft, photo_file
        self.address = reverse("web:photos", args=[draft.pk])
        self.upload = "**" + reverse("web:add_photo", args=[draft.pk])

    def open(self) -> Phone:
        self.page.goto(self.address)
        return self

    def new_tab(self) -> Phone:
        self.page = self.page.context.new_page()
        for _try in range(20):
            self.open()
            if self.page.locator(".slot").count():
                break
            self.page.wait_for_timeout(300)  # Playwright keeps the service worker offline a little longer
        return self

    def choose(self, view: str = "overview", content: bytes | None = None, name: str = "skin.jpg") -> bytes:
        content = content or self.photo_file().read()
        self.page.set_input_files(
            f"#photo-{view}", {"name": name, "mimeType": "image/jpeg", "buffer": content}
        )
        return content

    def expect_unsent(self, state: str, words: str) -> None:
        expect(self.page.locator(UNSENT)).to_have_attribute("data-state", state, timeout=15_000)
        expect(self.page.locator("#capture")).to_contain_text(words)

    def expect_arrived(self, count: int = 1) -> None:
        expect(self.page.locator(ARRIVED)).to_have_count(count, timeout=20_000)
        expect(self.page.locator(UNSENT)).to_have_count(0)
        assert self.draft.current_photos().count() == count


@pytest.fixture
def phone(visit, alice, draft_of, photo_file) -> Phone:
    return Phone(visit(alice, expected=FAILED), draft_of(alice, photos=0), photo_file).open()


def hang(route) -> None:
    """Never answer."""


# --- The page goes ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("leave", ["reload", "new_tab"])
def test_a_photo_that_is_being_sent_survives_the_page(phone, leave):
    phone.page.route(phone.upload, hang)
    phone.choose()
    phone.expect_unsent("sending", "Sending")
    expect(phone.page.locator(f"{UNSENT} img")).to_be_attached()
    if leave == "reload":
        phone.page.unroute(phone.upload)
        phone.page.reload()
    else:
        before = phone.page
        phone.page = before.context.new_page()
        before.close()
        phone.open()
    phone.expect_arrived()
    assert phone.page.evaluate(KEPT) == []


def test_two_tabs_send_a_photo_once(phone):
    requests = []
    phone.page.context.on("request", lambda one: requests.append(one.url) if one.method == "POST" else None)
    phone.page.context.set_offline(True)
    phone.choose()
    phone.expect_unsent("offline", "There is no signal")
    phone.page.context.set_offline(False)
    phone.new_tab()
    phone.expect_arrived()
    assert phone.draft.photos.count() == 1
    assert len([url for url in requests if url.endswith("/add/")]) == 2  # the first one was cut


def test_a_tab_that_opens_while_another_sends_shows_the_photo(phone):
    """The photo arrives after the server has described the slots, and before the new tab's script can hear of it."""
    behind, held = phone.page, []
    phone.page = behind.context.new_page()
    phone.page.route("**/photos*.js", lambda route: held.append(route))
    phone.page.goto(phone.address, wait_until="commit")
    expect(phone.page.locator("#capture")).to_be_attached()
    expect(phone.page.locator("[data-empty]")).not_to_have_count(0)
    before, phone.page = phone.page, behind
    phone.choose()
    phone.expect_arrived()
    phone.page = before
    expect(phone.page.locator(ARRIVED)).to_have_count(0)
    held[0].continue_()
    phone.expect_arrived()


def test_what_another_tab_has_sent_is_not_sent_again_nor_called_unreadable(phone):
    """Even in a tab that heard nothing of it."""
    first = phone.page
    first.route(phone.upload, lambda route: route.abort())
    phone.choose()
    phone.expect_unsent("offline", "There is no signal")
    second = phone.page = first.context.new_page()
    second.add_init_script("delete window.BroadcastChannel")
    second.route(phone.upload, lambda route: route.abort())
    phone.open().expect_unsent("offline", "There is no signal")
    second.unroute(phone.upload)
    first.unroute(phone.upload)
    first.click("[data-again]")
    for phone.page in (first, second):
        phone.expect_arrived()  # the second one tries again by itself
    assert second.evaluate(KEPT) == [] and phone.draft.photos.count() == 1


# --- The connection and the server ------------------------------------------------------------------------
@pytest.mark.parametrize(("language", "words"), [("en", "There is no signal"), ("ja", "電波がありません")])
def test_without_a_signal_the_photo_waits_and_is_then_sent(
    visit, is_accessible, alice, draft_of, photo_file, language, words
):
    page = visit(alice, language=language, expected=FAILED)
    phone = Phone(page, draft_of(alice, photos=0), photo_file).open()
    page.context.set_offline(True)
    phone.choose()
    phone.expect_unsent("offline", words)
    expect(page.locator("#said")).to_contain_text(words)
    is_accessible(page, language)
    page.context.set_offline(False)
    phone.expect_arrived()


def test_a_connection_that_drops_is_tried_again(phone):
    cuts = [1, 2]
    phone.page.route(phone.upload, lambda route: route.abort() if cuts and cuts.pop() else route.continue_())
    phone.choose()
    phone.expect_unsent("offline", "There is no signal")
    for _ in cuts:
        phone.page.click("[data-again]")
    phone.expect_arrived()


def test_a_connection_that_stands_still_is_given_up_after_20_seconds(phone):
    phone.page.clock.install()
    phone.open()
    phone.page.route(phone.upload, hang)
    phone.choose()
    phone.expect_unsent("sending", "Sending")
    phone.page.clock.fast_forward(21_000)
    phone.expect_unsent("stalled", "Nothing was sent for 20 seconds. We try again in 5 seconds.")
    phone.page.clock.fast_forward(6_000)
    phone.expect_unsent("sending", "Sending")
    phone.page.clock.fast_forward(21_000)
    phone.expect_unsent("stalled", "We try again in 10 seconds.")
    phone.page.unroute(phone.upload)
    phone.page.clock.fast_forward(11_000)
    phone.expect_arrived()


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_busy_server_names_the_pause(phone, status):
    busy = {"status": status, "headers": {"Retry-After": "20"}, "body": "<html>"}
    answers = [busy]
    phone.page.clock.install()
    phone.open()
    phone.page.route(
        phone.upload, lambda route: route.fulfill(**answers.pop()) if answers else route.continue_()
    )
    phone.choose()
    phone.expect_unsent("busy", "Our server is busy. We try again in 20 seconds.")
    phone.page.clock.fast_forward(21_000)
    phone.expect_arrived()


def test_an_answer_that_was_lost_is_no_second_photo(phone):
    """The server stored it, and alice chose it once."""
    lost = [1]

    def drop_answer(route):
        if lost:
            lost.pop()
            route.fetch()
            route.abort()
        else:
            route.continue_()

    phone.page.route(phone.upload, drop_answer)
    phone.choose()
    phone.expect_unsent("offline", "There is no signal")
    phone.page.click("[data-again]")
    phone.expect_arrived()
    expect(phone.page.locator("#capture")).not_to_contain_text("already here")


def test_what_the_server_refuses_is_named_and_the_queue_goes_on(phone):
    phone.choose(content=b"no photo at all " * 99)
    phone.expect_unsent("refused", "JPEG")
    phone.choose("close_up")
    expect(phone.page.locator(ARRIVED)).to_have_count(1, timeout=15_000)
    phone.page.reload()
    phone.expect_unsent("refused", "JPEG")
    phone.page.click(f"{UNSENT} [data-remove]")
    phone.expect_arrived()


def test_after_the_session_the_photo_waits_for_the_log_in(phone, alice):
    from tests.web.test_script_requests_browser import LOGIN, log_in

    Session.objects.all().delete()
    phone.choose()
    phone.expect_unsent("login", "You were logged out. The photo is kept on this device.")
    phone.page.click("a[data-login]")
    phone.page.wait_for_url(LOGIN)
    log_in(phone.page, alice)
    phone.page.wait_for_url("**" + phone.address)
    phone.expect_arrived()


# --- The file ---------------------------------------------------------------------------------------------
def test_a_file_that_can_no_longer_be_read_is_named_and_the_queue_goes_on(phone):
    phone.page.add_init_script(
        """const read = Blob.prototype.arrayBuffer;
        window.readings = 0;
        Blob.prototype.arrayBuffer = function () {
            if (this.name !== 'gone.jpg') return read.call(this);
            window.readings++;
            return Promise.reject(new DOMException('', 'NotReadableError'));
        };"""
    )
    phone.open()
    phone.choose(name="gone.jpg")
    phone.choose("close_up")
    expect(phone.page.locator(ARRIVED)).to_have_count(1, timeout=15_000)
    phone.expect_unsent("gone", "gone.jpg can no longer be read on this device.")
    assert phone.page.evaluate("readings") == 2
    phone.page.set_input_files(
        f"{UNSENT} input",
        {"name": "again.jpg", "mimeType": "image/jpeg", "buffer": phone.photo_file().read()},
    )
    phone.expect_arrived(2)


def test_the_same_photo_twice_says_so_on_the_slot_that_holds_it(phone):
    content = phone.choose()
    phone.expect_arrived()
    phone.choose("close_up", content)
    expect(phone.page.locator(f"{ARRIVED} .err")).to_have_text(
        "This photo is already here. Please take another one."
    )
    expect(phone.page.locator("#said")).to_contain_text("From a distance: This photo is already here.")
    said, slot = (phone.page.locator(f"{ARRIVED}{more}").bounding_box() for more in (" .err", ""))
    assert said["width"] > 0.75 * slot["width"]  # not in the column of the thumbnail
    phone.page.locator("h1").click()  # any next action
    expect(phone.page.locator(".err:visible")).to_have_count(0)
    phone.expect_arrived()
    phone.choose("close_up")
    expect(phone.page.locator(".err:visible")).to_have_count(0)
    phone.expect_arrived(2)


def test_a_retake_takes_the_place_of_the_photo(phone):
    phone.choose()
    phone.expect_arrived()
    first = phone.draft.photos.get()
    content = phone.photo_file().read()
    phone.page.set_input_files(
        f"#retake-{first.pk.hex}", {"name": "b.jpg", "mimeType": "image/jpeg", "buffer": content}
    )
    expect(phone.page.locator(f'[data-photo="{first.pk}"]')).to_have_count(0, timeout=15_000)
    phone.expect_arrived()
    assert phone.draft.current_photos().get().view == "overview"
    assert Photo.objects.get(pk=first.pk).removed_at


# --- Going on and leaving ---------------------------------------------------------------------------------
def test_continue_waits_for_the_photo_that_is_being_sent(phone):
    held = []
    phone.page.route(phone.upload, lambda route: held.append(route))
    phone.choose()
    phone.expect_unsent("sending", "Sending")
    phone.page.click("#continue")
    expect(phone.page.locator("#waiting")).to_contain_text("still being sent")
    assert phone.page.url.endswith(phone.address)
    held[0].continue_()
    phone.page.wait_for_url("**" + reverse("web:missing_photo", args=[phone.draft.pk]))
    assert phone.draft.current_photos().count() == 1


def test_continue_without_a_signal_asks(phone):
    phone.page.context.set_offline(True)
    phone.choose()
    phone.expect_unsent("offline", "There is no signal")
    phone.page.click("#continue")
    expect(phone.page.locator("#waiting")).to_contain_text("no doctor sees them")
    phone.page.context.set_offline(False)
    phone.page.wait_for_url("**" + reverse("web:missing_photo", args=[phone.draft.pk]))


@pytest.mark.parametrize("is_refused", [False, True], ids=["stored", "storage refused"])
def test_leaving_warns_only_where_the_browser_stores_nothing(phone, is_refused):
    if is_refused:
        phone.page.add_init_script(
            "IDBFactory.prototype.open = () => { throw new DOMException('', 'SecurityError') }"
        )
        phone.open()
    phone.page.route(phone.upload, hang)
    phone.choose()
    phone.expect_unsent("sending", "Sending")
    phone.page.click("h1")
    warned = []
    phone.page.on("dialog", lambda dialog: (warned.append(dialog.type), dialog.accept()))
    phone.page.goto(reverse("web:home"))
    assert warned == (["beforeunload"] if is_refused else [])


# --- Whose photo it is ------------------------------------------------------------------------------------
def wait_with_a_photo(phone) -> None:
    phone.page.context.set_offline(True)
    phone.choose()
    phone.expect_unsent("offline", "There is no signal")
    assert phone.page.evaluate(KEPT) == [str(phone.draft.pk)]
    phone.page.route("**/add/", lambda route: route.abort())
    phone.page.context.set_offline(False)


def test_a_log_out_deletes_what_was_not_sent(phone):
    wait_with_a_photo(phone)
    phone.page.goto(reverse("account_logout"))
    phone.page.click("main [type=submit]")
    phone.page.wait_for_url("**/")
    assert phone.page.evaluate(KEPT) == []


def test_bob_on_the_same_device_sees_nothing_of_alices_photo(phone, bob, draft_of, client, live_server):
    wait_with_a_photo(phone)
    Session.objects.all().delete()  # without a log-out
    client.force_login(bob)
    name, value = "sessionid", client.cookies["sessionid"].value
    phone.page.context.add_cookies([{"name": name, "value": value, "url": live_server.url}])
    phone.page.goto("about:blank")
    uploads = []
    phone.page.on("request", lambda one: uploads.append(one.url) if one.method == "POST" else None)
    his = draft_of(bob, photos=0)
    phone.page.goto(reverse("web:photos", args=[his.pk]))
    phone.page.wait_for_load_state("networkidle")
    phone.page.wait_for_timeout(1500)
    expect(phone.page.locator(UNSENT)).to_have_count(0)
    assert uploads == [] and not his.photos.exists()


def test_another_page_says_that_photos_are_not_sent_and_sends_them(phone, alice):
    wait_with_a_photo(phone)
    phone.page.goto(reverse("web:home"))
    expect(phone.page.locator("#unsent-photos")).to_contain_text("Photos that are not sent yet: 1")
    assert phone.page.locator("#unsent-photos a").get_attribute("href") == phone.address
    phone.page.unroute("**/add/")
    phone.page.reload()
    phone.page.wait_for_function(f"({KEPT})().then(found => found.length === 0)", timeout=15_000)
    expect(phone.page.locator("#unsent-photos")).to_be_hidden()
    assert phone.draft.current_photos().count() == 1


def test_what_is_not_sent_is_deleted_with_its_draft(phone, alice, photo_file):
    wait_with_a_photo(phone)
    intake.add_photo(phone.draft, view="close_up", upload=photo_file())
    intake.submit(phone.draft, by=alice, missing_photo="other")
    phone.page.goto(reverse("web:home"))
    expect(phone.page.locator("#unsent-photos")).to_be_hidden()
    phone.page.wait_for_function(f"({KEPT})().then(found => found.length === 0)")
    assert phone.draft.current_photos().count() == 1
