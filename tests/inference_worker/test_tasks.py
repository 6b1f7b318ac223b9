"""The messages that the worker's tasks send to the web, and those they do not send."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from celery.app.trace import TraceInfo, build_tracer
from celery.exceptions import Reject, SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError
from celery.signals import worker_process_init
from celery.utils.dispatch import Signal
from PIL import Image

from contract import logs, messages
from contract.alarms import Condition
from contract.distance import SCALES
from contract.drawn import Drawn, Rectangle, pixels_of
from contract.messages import FROM_ORIGINAL, Request, Stage
from contract.photos import PhotoAdvice
from contract.signs import SignName
from contract.storage import MARK, FileMissingError, FileStorage, StorageError, StorageSettingError
from decoding.sandbox import DecoderLostError
from inference_worker import tasks
from inference_worker.app import app
from inference_worker.models import attribution, cropping, loading, weights
from inference_worker.models.classification import Classifier
from training import phantom

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def files(tmp_path, monkeypatch) -> FileStorage:
    storage = FileStorage(tmp_path)
    storage.write(MARK, b"a mark")  # without it, no file counts as missing
    monkeypatch.setattr(tasks, "photo_storage", lambda: storage)
    return storage


@pytest.fixture
def sent(monkeypatch) -> list[tuple[str, dict]]:
    rows: list[tuple[str, dict]] = []
    monkeypatch.setattr(tasks, "send_to_web", lambda name, kwargs, **_: rows.append((name, kwargs)))
    return rows


@pytest.fixture
def photo(files) -> Callable:
    def store(key: str, seed: int = 1) -> str:
        _ok, data = cv2.imencode(".jpg", phantom.draw(seed, condition="AD").photo[..., ::-1])
        files.write(key, data.tobytes())
        return key

    return store


AREA = Rectangle(x=100, y=80, width=200, height=160)


def request(stage: Stage, source: str, job: str = "job", drawn: Drawn | None = None) -> Request:
    if stage == Stage.REANALYSE:
        drawn = drawn or Drawn(box=AREA)
    with suppress(StorageError, StorageSettingError):  # what is there; some tests have no storage
        source = as_original(source) if stage in FROM_ORIGINAL else source
    return Request(
        stage=stage, job=job, attempt=1, photo="photo", source=source, prefix=f"out/{job}", drawn=drawn
    )


def as_original(key: str) -> str:
    """Store the file as the web stores an original, whose key ends with its hash."""
    content = tasks.photo_storage().read(key)
    key = f"original-{key}/{sha256(content).hexdigest()}"
    tasks.photo_storage().write(key, content)
    return key


def run(*requests: Request) -> None:
    app.tasks[messages.TASKS[requests[0].stage]](**messages.pack_requests(list(requests)))


def outcomes(sent: list[tuple[str, dict]]) -> dict[str, messages.Outcome]:
    return {
        row["job"]: messages.unpack_outcome(
            contract=message["contract"], kind=row["kind"], outcome=row["outcome"]
        )
        for name, message in sent
        if name == messages.RESULTS
        for row in message["results"]
    }


def test_prepare_reports_started_and_writes_four_copies(files, sent, photo):
    run(request(Stage.PREPARE, photo("original")))
    assert [name for name, _row in sent] == [messages.STARTED, messages.RESULTS]
    outcome = outcomes(sent)["job"]
    for key in (outcome.display_key, outcome.analysis_key, outcome.thumbnail_key):
        assert files.read(key).startswith(b"\xff\xd8")
    assert len(files.read(outcome.veiled_key)) < 1000


def test_full_writes_every_pixel_of_a_photo_of_twelve_megapixels_without_its_metadata(files, sent):
    scene = Image.fromarray(phantom.draw(1, condition="AD").photo).resize((4000, 3000))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"  # stored on its side
    exif.get_ifd(0x8825)[29] = "2026:01:01"
    stored = io.BytesIO()
    scene.save(stored, "JPEG", quality=92, exif=exif.tobytes())
    files.write("original", stored.getvalue())
    run(request(Stage.FULL, "original"))
    outcome = outcomes(sent)["job"]
    copy = Image.open(io.BytesIO(files.read(outcome.full_key)))
    assert outcome.full_key == "out/job/full.jpg"
    assert (copy.size, copy.mode) == ((3000, 4000), "RGB")
    assert not copy.getexif() and b"2026:01:01" not in files.read(outcome.full_key)
    upright = np.asarray(scene.transpose(Image.Transpose.ROTATE_270)).astype(int)
    assert abs(np.asarray(copy).astype(int) - upright).mean() < 4


def test_a_file_that_cannot_be_decoded_has_no_full_copy_and_says_why(files, sent):
    files.write("original", b"<html></html>")
    run(request(Stage.FULL, "original"))
    assert outcomes(sent)["job"] == messages.Failed(code="unsupported_format")


def test_the_hashes_of_all_files_travel_with_their_keys(files, sent, photo):
    run(request(Stage.PREPARE, photo("original"), job="prepare"))
    run(request(Stage.ANALYSE, photo("analysis"), job="analyse"))
    run(request(Stage.FULL, photo("original"), job="full"))
    full = outcomes(sent)["full"]
    prepared, analysed = outcomes(sent)["prepare"], outcomes(sent)["analyse"]
    written = {
        prepared.display_key: prepared.display_sha256,
        prepared.analysis_key: prepared.analysis_sha256,
        prepared.thumbnail_key: prepared.thumbnail_sha256,
        prepared.veiled_key: prepared.veiled_sha256,
        full.full_key: full.full_sha256,
        analysed.segmented.mask_key: analysed.segmented.mask_sha256,
        analysed.classified.attribution.key: analysed.classified.attribution.sha256,
    }
    assert written == {key: sha256(files.read(key)).hexdigest() for key in written}


def test_a_copy_that_is_not_the_one_that_was_written_is_not_read(sent, photo):
    whole, other = photo("analysis"), photo("other", seed=2)
    known = sha256(tasks.photo_storage().read(whole)).hexdigest()
    requests = [request(Stage.ANALYSE, key, job=key) for key in (whole, other)]
    run(*(dataclasses.replace(each, sha256=known) for each in requests))
    assert outcomes(sent)["other"] == messages.Failed(code=messages.FILE_DAMAGED)
    assert outcomes(sent)["analysis"].segmented


def test_another_photo_in_the_place_of_an_original_is_not_prepared(files, sent, photo):
    """Also where it is not sealed, as what came before there were keys."""
    sent_to = request(Stage.PREPARE, photo("original"))
    files.write(sent_to.source, files.read(photo("other", seed=2)))
    run(sent_to)
    assert outcomes(sent)["job"] == messages.Failed(code=messages.ORIGINAL_LOCKED)


def test_analyse_writes_a_mask_of_the_photos_size_with_boxes_by_the_rule(files, sent, photo):
    run(request(Stage.ANALYSE, photo("analysis")))
    outcome = outcomes(sent)["job"].segmented
    mask = cv2.imdecode(np.frombuffer(files.read(outcome.mask_key), np.uint8), cv2.IMREAD_UNCHANGED)
    assert mask.shape == phantom.draw(1, condition="AD").mask.shape
    assert set(np.unique(mask)) <= {0, 1, 2}
    assert all(box.skin > 0.8 and box.lesion > 0.1 for box in outcome.boxes)
    assert bool(outcome.boxes) != bool(outcome.no_box)


def test_check_reports_an_advice_for_each_photo_and_writes_nothing(files, sent, photo, tmp_path):
    room = np.full((600, 800, 3), (70, 110, 150), np.uint8)
    room[300:] = (200, 205, 210)
    files.write("room", cv2.imencode(".jpg", room[..., ::-1])[1].tobytes())
    run(request(Stage.CHECK, photo("skin"), job="skin"), request(Stage.CHECK, "room", job="room"))
    reported = outcomes(sent)
    assert reported["room"].advice == PhotoAdvice.NO_SKIN
    assert reported["skin"].advice != PhotoAdvice.NO_SKIN and reported["skin"].skin > 0.9
    assert reported["skin"].model.name == "segmentation"
    assert not (tmp_path / "out").exists()


def test_analyse_reports_what_it_measured_of_the_lesion(sent, photo):
    run(request(Stage.ANALYSE, photo("analysis")))
    outcome = outcomes(sent)["job"].segmented
    share = next(sign for sign in outcome.signs if sign.name == SignName.LESION_SHARE)
    assert share.value == pytest.approx(outcome.lesion / outcome.skin, abs=0.01)
    assert 0 < share.error < 1


def test_signs_that_fail_do_not_lose_the_crops(sent, photo, monkeypatch, caplog):
    monkeypatch.setattr(tasks, "signs_of", lambda *_: 1 / 0)
    run(request(Stage.ANALYSE, photo("analysis")))
    found = outcomes(sent)["job"]
    assert found.segmented.boxes and found.segmented.signs == () and found.classified.probabilities
    assert "no signs" in caplog.text


def test_crops_that_fail_do_not_lose_the_finding(sent, photo, monkeypatch, caplog):
    monkeypatch.setattr(cropping, "describe", lambda *_, **__: 1 / 0)
    run(request(Stage.ANALYSE, photo("analysis")))
    found = outcomes(sent)["job"]
    assert found.segmented.boxes == () and 0 < found.segmented.lesion < found.segmented.skin
    assert [view.box for view in found.classified.views] == [None]
    assert "no crops" in caplog.text


def test_analyse_classifies_the_crops_that_it_cut(sent, photo):
    run(request(Stage.ANALYSE, photo("analysis")))
    found = outcomes(sent)["job"]
    boxes = range(len(found.segmented.boxes))
    assert boxes and [view.box for view in found.classified.views] == [None, *boxes]


def runs_of(lesion: np.ndarray) -> tuple[int, ...]:
    """Return a lesion (H, W) bool as runs."""
    flat = np.concatenate([[False], lesion.ravel()])
    ends = np.flatnonzero(np.diff(flat)) if lesion.any() else []
    return tuple(int(n) for n in np.diff([0, *ends, lesion.size]))


@pytest.fixture
def scene():
    return phantom.draw(1, condition="AD")


def test_a_drawn_crop_is_read_with_the_drawn_lesion_in_place_of_the_models(files, sent, photo, scene):
    lesion = np.zeros(scene.mask.shape, bool)
    lesion[80:160, 100:300] = True  # half of the crop
    drawn = Drawn(box=AREA, lesion=runs_of(lesion))
    assert np.array_equal(np.frombuffer(pixels_of(drawn.lesion), np.uint8).reshape(lesion.shape), lesion)
    run(request(Stage.REANALYSE, photo("analysis"), drawn=drawn))
    found = outcomes(sent)["job"]
    mask = cv2.imdecode(np.frombuffer(files.read(found.segmented.mask_key), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(mask == cropping.LESION, lesion)
    (box,) = found.segmented.boxes
    assert (box.x, box.y, box.width, box.height) == (AREA.x, AREA.y, AREA.width, AREA.height)
    assert box.lesion == pytest.approx(0.5) and box.skin > 0.8 and found.segmented.no_box is None
    assert [view.box for view in found.classified.views] == [None, 0] and found.failure is None


def test_a_drawn_crop_without_a_drawn_lesion_keeps_the_models(files, sent, photo):
    run(request(Stage.ANALYSE, photo("analysis"), job="model"))
    run(request(Stage.REANALYSE, photo("analysis"), job="drawn"))
    reported = outcomes(sent)
    assert files.read("out/drawn/mask.png") == files.read("out/model/mask.png")
    assert reported["drawn"].segmented.lesion == reported["model"].segmented.lesion


@pytest.mark.parametrize(
    ("lesion", "reason"),
    [(None, "too_little_lesion"), ((0, 1), "too_little_skin")],
)
def test_a_drawn_crop_that_does_not_obey_the_rule_is_the_rejected_one(lesion, reason):
    mask = np.zeros((100, 120), np.uint8)
    mask[:, :70] = 1
    drawn = Drawn(box=Rectangle(x=0, y=0, width=100, height=100), lesion=lesion and (0, 20, 12000 - 20))
    if lesion:
        mask[:, :20] = cropping.LESION
    model = messages.ModelRef(name="m", version="1", sha256="a" * 64)
    found = cropping.describe(mask, drawn, key="k", model=model, seconds=0)
    assert (found.boxes, found.no_box) == ((), reason)
    assert found.nearest_miss.skin == pytest.approx(0.7) and found.nearest_miss.width == 100


def test_analyse_reads_each_copy_once(files, sent, photo, monkeypatch):
    read, keys = FileStorage.read, []
    monkeypatch.setattr(FileStorage, "read", lambda self, key: keys.append(key) or read(self, key))
    run(request(Stage.ANALYSE, photo("a"), job="one"), request(Stage.ANALYSE, photo("b"), job="two"))
    assert sorted(keys) == ["a", "b"]


def test_analyse_reports_its_model_and_probabilities(sent, photo):
    run(request(Stage.ANALYSE, photo("analysis")))
    outcome = outcomes(sent)["job"].classified
    assert set(outcome.probabilities) == set(Condition)
    assert outcome.model.sha256 and outcome.demonstration
    assert outcome.views[0].box is None


def test_analyse_writes_an_attribution_map(files, sent, photo):
    run(request(Stage.ANALYSE, photo("analysis")))
    outcome = outcomes(sent)["job"].classified
    likeliest = max(outcome.probabilities, key=outcome.probabilities.get)
    explained = next((alarm.condition for alarm in outcome.alarms if alarm.rings), likeliest)
    assert (outcome.attribution.key, outcome.attribution.condition) == ("out/job/attribution.png", explained)
    assert files.read("out/job/attribution.png").startswith(b"\x89PNG")


def test_a_failed_attribution_map_does_not_lose_the_finding(sent, photo, monkeypatch, caplog):
    monkeypatch.setattr(attribution, "explain", lambda *_: 1 / 0)
    run(request(Stage.ANALYSE, photo("analysis")))
    found = outcomes(sent)["job"].classified
    assert found.probabilities and found.attribution is None
    assert "no attribution" in caplog.text


@pytest.mark.parametrize("stage", Stage)
def test_a_missing_file_is_reported_and_the_rest_of_the_batch_is_done(sent, photo, stage):
    run(request(stage, "gone", job="one"), request(stage, photo("here"), job="two"))
    assert outcomes(sent)["one"] == messages.Failed(code="file_missing")
    assert not isinstance(outcomes(sent)["two"], messages.Failed)


@pytest.mark.parametrize("stage", Stage)
def test_a_batch_is_reported_started_before_any_work_and_its_results_in_one_message(sent, photo, stage):
    run(request(stage, photo("a"), job="one"), request(stage, photo("b"), job="two"))
    (began, started), (ended, done) = sent
    assert (began, started["work"]) == (messages.STARTED, {"one": 1, "two": 1})
    assert (ended, [row["job"] for row in done["results"]]) == (messages.RESULTS, ["one", "two"])


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd"])
def test_a_key_outside_the_storage_is_a_missing_file(files, sent, key):
    run(request(Stage.PREPARE, key))
    assert outcomes(sent) == {"job": messages.Failed(code="file_missing")}


def test_distance_reports_the_answer_at_each_scale_by_both_models_and_writes_nothing(sent, photo, tmp_path):
    run(request(Stage.DISTANCE, photo("analysis")))
    found = outcomes(sent)["job"]
    assert [look.scale for look in found.looks] == list(SCALES)
    assert all(look.scores.keys() == found.thresholds.keys() for look in found.looks)
    assert (found.segmentation_model.name, found.classification_model.name) == (
        "segmentation",
        "classification",
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("stage", [Stage.ANALYSE, Stage.CHECK])
def test_an_unreadable_analysis_copy_is_reported_and_the_rest_is_done(files, sent, photo, stage):
    files.write("torn", b"\xff\xd8 torn")
    run(request(stage, "torn", job="one"), request(stage, photo("whole"), job="two"))
    assert outcomes(sent)["one"] == messages.Failed(code="analysis_copy_unreadable")
    assert not isinstance(outcomes(sent)["two"], messages.Failed)


def test_a_file_that_is_not_a_photo_is_an_outcome_with_a_reason_and_no_copies(files, sent):
    files.write("page", b"<html></html>")
    run(request(Stage.PREPARE, "page"))
    outcome = outcomes(sent)["job"]
    assert (outcome.reason, outcome.display_key) == (messages.Reason.UNSUPPORTED_FORMAT, "")
    with pytest.raises(FileMissingError):
        files.read("out/job/display.jpg")


def test_a_lost_decoder_reports_no_result_and_the_rest_is_done(sent, photo, monkeypatch):
    whole = tasks.prepare_photo
    lost = [DecoderLostError("killed")]

    def first_is_lost(data):
        if lost:
            raise lost.pop()
        return whole(data)

    monkeypatch.setattr(tasks, "prepare_photo", first_is_lost)
    run(request(Stage.PREPARE, photo("a"), job="one"), request(Stage.PREPARE, photo("b"), job="two"))
    assert set(outcomes(sent)) == {"two"}


def test_a_message_of_another_version_returns_to_the_queue(sent, monkeypatch):
    monkeypatch.setattr(tasks, "HAND_BACK_SECONDS", 0)
    message = messages.pack_requests([request(Stage.PREPARE, "x")])
    with pytest.raises(Reject) as rejected:
        tasks.prepare(**(message | {"contract": messages.VERSION + 1}))
    assert rejected.value.requeue and sent == []


@pytest.mark.parametrize("spoilt", [False, True])
def test_the_end_of_a_message_is_reported_even_if_it_failed(sent, photo, monkeypatch, spoilt):
    """Without it the web waits for a result until the lease ends: two minutes for a batch of four. A result says it too."""
    if spoilt:
        monkeypatch.setattr(tasks, "prepare_photo", lambda data: 1 / 0)
    tasks.prepare.apply(kwargs=messages.pack_requests([request(Stage.PREPARE, photo("a"))]))
    ended = [row["work"] for name, row in sent if name == messages.ENDED]
    assert ended == ([{"job": 1}] if spoilt else [])
    assert set(outcomes(sent)) == (set() if spoilt else {"job"})


def test_an_exception_loses_no_result_that_was_there_and_the_others_are_reported_ended(
    sent, photo, monkeypatch
):
    monkeypatch.setattr(tasks, "_analysed", lambda *_: 1 / 0)
    rows = [request(Stage.ANALYSE, "gone", job="one"), request(Stage.ANALYSE, photo("b"), job="two")]
    tasks.analyse.apply(kwargs=messages.pack_requests(rows))
    assert outcomes(sent) == {"one": messages.Failed(code="file_missing")}
    assert (messages.ENDED, {"two": 1}) in [(name, row.get("work")) for name, row in sent]


def test_a_message_returned_to_the_queue_reports_nothing(sent, monkeypatch):
    monkeypatch.setattr(tasks, "HAND_BACK_SECONDS", 0)
    message = messages.pack_requests([request(Stage.PREPARE, "x")])
    tasks.prepare.apply(kwargs=message | {"contract": messages.VERSION + 1})
    assert sent == []


@pytest.fixture
def parent(monkeypatch):
    """The parent of the children that compute, as it starts."""
    for signal in ("task_failure", "worker_ready"):
        monkeypatch.setattr(tasks.signals, signal, Signal())
    tasks.report_for_lost_children(sender=SimpleNamespace(hostname="w"))


@pytest.mark.usefixtures("parent")
def test_a_worker_that_starts_reports_that_all_it_had_begun_before_has_ended(sent):
    tasks.signals.worker_ready.send(sender=None)
    assert sent == [(messages.ENDED, {"worker": "w", "work": None})]


@pytest.mark.usefixtures("parent")
@pytest.mark.parametrize(
    ("error", "said"),
    [(WorkerLostError("killed"), True), (TimeLimitExceeded(5), True), (ValueError(), False)],
)
def test_the_end_of_a_lost_child_is_reported_for_its_own_work_alone(sent, error, said):
    """The others go on. A child that failed has reported it by itself."""
    message = messages.pack_requests([request(Stage.ANALYSE, "a", job="one"), request(Stage.ANALYSE, "b")])
    tasks.signals.task_failure.send(sender=None, exception=error, kwargs=message)
    assert sent == [(messages.ENDED, {"worker": "w", "work": {"one": 1, "job": 1}})] * said


@pytest.fixture
def refused(monkeypatch):
    """Make the worker refuse the weights of one name, from now on."""

    def spoil(name: str) -> None:
        whole = weights.published(name)
        broken = dataclasses.replace(whole, sha256="0" * 64)
        others = weights.published
        monkeypatch.setattr(weights, "published", lambda asked: broken if asked == name else others(asked))
        loading.segmenter.cache_clear()
        loading.classifier.cache_clear()

    yield spoil
    loading.segmenter.cache_clear()
    loading.classifier.cache_clear()


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("segmentation", Stage.ANALYSE),
        ("segmentation", Stage.CHECK),
        ("classification", Stage.DISTANCE),
    ],
)
def test_refused_weights_are_reported_for_each_photo_at_once_and_logged(
    sent, photo, refused, caplog, name, stage
):
    refused(name)
    run(request(stage, photo("a"), job="one"), request(stage, photo("b"), job="two"))
    failed = messages.Failed(code="weights_refused")
    assert outcomes(sent) == {"one": failed, "two": failed}
    assert f"{name}.safetensors" in caplog.text and weights.REMEDY in caplog.text


def test_a_refused_classifier_does_not_lose_the_crops_and_other_stages_are_done(sent, photo, refused):
    refused("classification")
    run(request(Stage.ANALYSE, photo("a"), job="analyse"))
    run(request(Stage.CHECK, photo("b"), job="check"))
    run(request(Stage.PREPARE, photo("c"), job="prepare"))
    reported = outcomes(sent)
    partial = reported["analyse"]
    assert partial.segmented.boxes and (partial.classified, partial.failure) == (None, "weights_refused")
    assert isinstance(reported["check"], messages.Checked)
    assert isinstance(reported["prepare"], messages.Prepared)


def test_a_photo_that_cannot_be_classified_keeps_its_crops_and_fails_no_other(sent, photo, monkeypatch):
    def fail(self, *_: object) -> None:
        raise ValueError

    monkeypatch.setattr(Classifier, "with_evidence", fail)
    alone, first, second = (request(Stage.ANALYSE, photo(job), job=job) for job in ("a", "b", "c"))
    with pytest.raises(ValueError):
        run(first, second)  # the web sends each of them alone
    assert outcomes(sent) == {}
    run(alone)
    assert outcomes(sent)["a"].segmented.boxes and outcomes(sent)["a"].failure == "not_classified"


def test_repaired_weights_are_used_without_a_restart(sent, photo, refused, monkeypatch):
    whole = weights.published
    refused("classification")
    run(request(Stage.ANALYSE, photo("a"), job="before"))
    monkeypatch.setattr(weights, "published", whole)
    run(request(Stage.ANALYSE, photo("a"), job="after"))
    assert outcomes(sent)["before"].classified is None
    assert outcomes(sent)["after"].classified is not None


def test_importing_the_tasks_loads_no_network():
    question = (
        "import sys; from inference_worker import tasks; loading = tasks.loading; "
        "loaded = loading.segmenter.cache_info().currsize + loading.classifier.cache_info().currsize; "
        "sys.exit('torch' in sys.modules or loaded)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", question], env=environment, check=False).returncode == 0


@pytest.fixture
def queues():
    """Let the worker consume only these queues, as `-Q` does."""
    before = app.amqp.queues._consume_from
    yield app.amqp.queues.select
    app.amqp.queues._consume_from = before


@pytest.mark.parametrize(
    ("stages", "segmenters", "classifiers"),
    [
        ((Stage.PREPARE,), 0, 0),
        ((Stage.PREPARE, Stage.ANALYSE), 1, 1),
        ((Stage.CHECK,), 1, 0),
        ((Stage.DISTANCE,), 1, 1),
        ((Stage.REANALYSE,), 1, 1),
        (tuple(Stage), 1, 1),
    ],
)
def test_a_child_loads_the_networks_of_its_queues_before_its_first_task(
    queues, stages, segmenters, classifiers
):
    loading.segmenter.cache_clear()
    loading.classifier.cache_clear()
    queues([messages.QUEUES[stage] for stage in stages])
    worker_process_init.send(sender=None)
    with loading._loading:
        pass
    assert loading.segmenter.cache_info().currsize == segmenters
    assert loading.classifier.cache_info().currsize == classifiers


def test_a_child_starts_with_refused_weights(queues, refused, sent):
    refused("segmentation")
    worker_process_init.send(sender=None)
    with loading._loading:
        pass
    assert loading.segmenter.cache_info().currsize == 0 and loading.classifier.cache_info().currsize == 1


TIME_IS_OVER = """
import signal
from celery.exceptions import SoftTimeLimitExceeded
from inference_worker.models import loading

def time_is_over(*_):
    raise SoftTimeLimitExceeded

def may_not_load():
    raise AssertionError("it did not wait")

with loading._loading:
    signal.signal(signal.SIGALRM, time_is_over)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        loading.loaded(may_not_load)
    except SoftTimeLimitExceeded:
        print("waited", end=", ")
print(loading.loaded(lambda: "loaded meanwhile")[0])
"""


def test_a_time_limit_during_loading_does_not_interrupt_the_loading():
    """In a process of its own: the alarm has twice ended the process that ran the other tests."""
    ran = subprocess.run(
        [sys.executable, "-c", TIME_IS_OVER],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "waited, loaded meanwhile\n"), ran.stderr


def test_celerys_log_of_a_failed_task_names_its_jobs(sent, photo, monkeypatch):
    """Celery writes its line after the task's own context has ended."""

    def fail(*_arguments: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(tasks, "_segmented", fail)
    seen = []
    monkeypatch.setattr(
        TraceInfo, "_log_error", lambda *_: seen.append((logs.current("trace"), logs.current("job")))
    )
    message = messages.pack_requests([request(Stage.ANALYSE, photo("a"), job="one")])
    celerys = build_tracer(tasks.analyse.name, tasks.analyse, app=app)
    celerys("an id", (), message, {logs.TRACE_HEADER: {"one": "of one"}, "hostname": "w"})
    assert seen == [("of one", "one")] and not logs.current("job")


def test_a_child_with_interrupted_loading_ends_and_fails_no_further_photo(sent, monkeypatch):
    """A time limit during the import of torch leaves a partial import, which no later import repairs."""

    class Ended(BaseException):
        pass

    def end(code: int) -> None:
        assert code
        raise Ended

    def cut_short() -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(loading.os, "_exit", end)
    monkeypatch.setattr(loading.logging, "shutdown", lambda: None)
    with pytest.raises(Ended):
        loading.loaded(cut_short)
    assert not sent
