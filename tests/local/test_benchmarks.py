"""The frame of `./run bench`, with made-up figures: goals, the page, plots, exit codes. No test asserts a time."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from benchmarks import __main__ as bench
from benchmarks import loading, page, pages, queueing, worker
from benchmarks.frame import Goal, Section, Table, in_turns, median, number, percentile
from benchmarks.plot import log_log

WHERE = {"date": "2026-01-01", "commit": "abc1234"}


def section(name: str = "made-up", value: float | None = 1.0, **more) -> Section:
    goals = [Goal("speed", value, "ms", 2), Goal("share", 0.9, "", 0.8, at_least=True)]
    return Section(name=name, title=name.title(), text="What it measures.", goals=goals, **more)


@pytest.mark.parametrize(
    ("value", "goal", "at_least", "reached"),
    [(1, 2, False, True), (2, 2, False, True), (3, 2, False, False), (2, 2, True, True), (1, 2, True, False)],
)
def test_a_goal_is_a_limit_from_above_or_from_below(value, goal, at_least, reached):
    assert Goal("any", value, "ms", goal, at_least=at_least).reached is reached


def test_what_was_not_measured_is_not_reached():
    assert not Goal("any", None, "ms", 5).reached and not section(value=None).reached


def test_sides_take_turns_and_each_comes_first():
    order: list[str] = []
    sides = {name: lambda name=name: order.append(name) or 1.0 for name in "abc"}
    assert in_turns(sides, 3) == dict.fromkeys("abc", [1.0] * 3)
    assert "".join(order) == "abcbcacab"


def test_percentiles_are_values_that_were_measured():
    values = [float(n) for n in range(1, 101)]
    assert (percentile(values, 95), percentile([7.0], 95), median(values)) == (95, 7, 50.5)


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (0.0123, "0.0123"), (3.0, "3"), (None, "–"), ("a", "a")]
)
def test_figures_have_three_digits(value, text):
    assert number(value) == text


def test_the_page_keeps_the_sections_of_other_benchmarks(tmp_path):
    file = tmp_path / "performance.md"
    page.write(section("first"), WHERE, file)
    page.write(section("second"), WHERE, file)
    page.write(section("first", value=3.0), WHERE, file)
    text = file.read_text()
    assert text.count("## First") == text.count("## Second") == 1
    assert text.index("## First") < text.index("## Second")
    first, second = text.split("<!-- begin second -->")
    assert "| speed | 3 | ms | ≤ 2 | **no** |" in first and "| speed | 1 | ms | ≤ 2 | yes |" in second
    assert "- Commit: abc1234" in first and "Goals: 1 of 2 reached." in first


def test_the_page_has_tables_plots_and_why_goals_were_missed(tmp_path):
    file = tmp_path / "performance.md"
    more = {"tables": [Table("Sizes", ("size", "ms"), [(1000, 0.5)])], "plots": {"sizes.svg": "<svg/>"}}
    page.write(section(**more, unmet="The disk was the limit."), WHERE, file)
    text = file.read_text()
    assert "### Sizes" in text and "| 1,000 | 0.5 |" in text and "The disk was the limit." in text
    assert "![sizes](performance/sizes.svg)" in text
    assert (tmp_path / "performance" / "sizes.svg").read_text() == "<svg/>"


def test_a_plot_is_xml_with_a_line_for_each_name():
    lines = {"a & b": [(1000, 1.0), (1e6, 3.0)], "flat": [(1000, 0.2), (1e6, 0.2)], "dot": [(1000, 5.0)]}
    drawn = ET.fromstring(log_log("Title <1>", "size", "ms", lines))
    names = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a & b", "flat", "dot", "Title <1>"} <= set(names)
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}polyline"))) == 3


class MadeUp:
    """Stands for the module of a benchmark."""

    def __init__(self, found: Section) -> None:
        self.found = found

    def add_arguments(self, parser) -> None:
        parser.add_argument("--size", type=int, default=1)

    def run(self, options) -> Section:
        assert options.size == 7
        return self.found


@pytest.mark.parametrize(("value", "code"), [(1.0, 0), (3.0, 1)])
def test_a_missed_goal_is_the_exit_code(monkeypatch, tmp_path, capsys, value, code):
    monkeypatch.setattr(bench, "BENCHMARKS", {"made-up": "made.up"})
    monkeypatch.setattr(bench.importlib, "import_module", lambda name: MadeUp(section(value=value)))
    monkeypatch.setattr(page, "PAGE", tmp_path / "performance.md")
    out = tmp_path / "out.json"
    assert bench.main(["made-up", "--size", "7", "--json", str(out), "--no-page"]) == code
    (speed, share) = json.loads(out.read_text())["made-up"]["goals"]
    assert (speed["value"], speed["reached"], share["reached"]) == (value, code == 0, True)
    assert ("MISS  speed" in capsys.readouterr().out) is (code == 1)
    assert not (tmp_path / "performance.md").exists()


def test_an_unknown_benchmark_is_refused(capsys):
    with pytest.raises(SystemExit):
        bench.main(["nonsense"])
    assert "there are draft, intake, loading, memory, pages" in capsys.readouterr().err


def test_the_weight_of_a_page_leaves_its_photos_out_and_the_median_counts():
    found = {
        "home, ja": [
            loading.Load(seconds, "h1", {"document": 30_000, "script": size, "photo": 900_000})
            for seconds, size in ((1.0, 29_000), (9.0, 29_000), (1.2, 31_000))
        ],
        "home, en": [loading.Load(2.1, "p", {"document": 61_000})],
    }
    goals = {goal.name: (goal.value, goal.reached) for goal in loading.section(found).goals}
    assert goals == {
        "home, ja: LCP": (1.2, True),
        "home, ja: weight": (59, True),
        "home, en: LCP": (2.1, False),
        "home, en: weight": (61, False),
    }
    kind = loading.kind_of({"type": "Image", "response": {"url": "http://127.0.0.1/photos/1/thumbnail/"}})
    assert kind == "photo"


def test_sizes_are_powers_of_ten_up_to_the_largest():
    assert pages.sizes(1_000_000) == [1000, 10_000, 100_000, 1_000_000]
    assert (pages.sizes(200), pages.sizes(5000)) == ([200], [1000, 5000])


def test_the_queue_is_timed_by_the_log_lines_of_sender_and_worker(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "web.log").write_text(
        "2026-11-29 17:19:19.621+00:00 INFO teleder.pipeline.dispatch sent: prepare, attempt 1 trace=t photo=p job=one\n"
        "2026-11-29 17:19:19.700+00:00 INFO teleder.pipeline.dispatch sent: prepare, attempt 2 trace=t photo=p job=two\n"
    )
    (tmp_path / "logs" / "prepare.log").write_text(
        "2026-11-29 17:19:19.625+00:00 INFO inference_worker.tasks begun: prepare, attempt 1 trace=t job=one photo=p\n"
        "2026-11-29 17:19:20.000+00:00 INFO inference_worker.tasks done: prepare, prepared trace=t job=one photo=p\n"
    )
    assert list(queueing.delays(tmp_path / "logs")) == [4.0]


def test_the_worker_is_compared_with_the_best_other_server_and_misses_without_one():
    rows = {name: [worker.Found(rate, 400.0, 0.9)] for name, rate in (("a", 1.0), ("b", 2.0))}
    rows |= {worker.LEAN: [worker.Found(1.5, 500.0, 0.5)], worker.BARE: [worker.Found(4.0, 500.0, 0.99)]}
    rows |= {worker.PRODUCT: [worker.Found(3.0, 700.0, 0.8)]}
    spent = {"prepare": [100.0], "inference": [400.0], "results": [40.0], "sweeper": [10.0]}
    profile = {"steps": {"quality": 20.0}, "kinds": {"24 MP HEIC": 900.0}}
    found = worker.section(rows, 400.0, spent, ["a", "b"], profile)
    figures = {goal.name: goal.value for goal in found.goals}
    assert figures == {
        "CPU of the worker against the lean loop": pytest.approx(500 / 400),
        "photos/s against the bare loops": pytest.approx(3 / 4),
        "photos/s against the best other server": pytest.approx(3 / 2),
        "results worker, CPU a photo": 40.0,
        "bookkeeping: results worker and sweeper, of all CPU": pytest.approx(50 / 550),
    }
    assert [row[-1] for row in found.tables[0].rows if row[0] in {"a", worker.LEAN}] == ["yes", "no"]
    alone = worker.section(rows, 400.0, spent, [], profile)
    assert not next(goal for goal in alone.goals if "other server" in goal.name).reached
