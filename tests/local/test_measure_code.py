"""The figures of the house style, on a small tree; and every public name of teleder has one meaning."""

from __future__ import annotations

import pytest

from local.measure_code import LONGEST_FILE, PRODUCT, duplicate_names, measure, single_callers, sources

TREE = {
    "teleder/urls.py": "from teleder.web import views\n\npath(views.answer)\n",
    "teleder/cases/reviews.py": (
        "def sign(review):\n    return _lock(review)\n\n\ndef _lock(review):\n    return review\n\n\n"
        "class Policy:\n    def text(self):\n        return twice(1) + twice(2)\n\n\ndef twice(number):\n    return number\n"
    ),
    "teleder/web/views.py": (
        "from teleder.cases import reviews\n\n\ndef sign(request):\n    return reviews.sign(request)\n\n\n"
        "def answer(request):\n    return Page().render()\n\n\n"
        "class Page(View):\n    def render(self):\n        return recursive(1)\n\n\n"
        "def recursive(number):\n    return recursive(number - 1)\n\n\n"
        "@shared_task\ndef sweep():\n    return None\n\n\nsweep()\n"
    ),
    "teleder/privacy/policy.py": "class Policy:\n    pass\n\n\nclass _Row:\n    pass\n",
    "teleder/audit/rows.py": "class _Row:\n    pass\n",
    "teleder/cases/migrations/0001_initial.py": "class Policy:\n    pass\n",
}


@pytest.fixture
def planted(tmp_path):
    for path, text in TREE.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return sources(tmp_path)


def test_a_single_caller_is_counted_and_an_entry_point_or_a_second_caller_is_not(planted):
    """Entry points are a view named in urls, a method of a framework class, and a decorated function."""
    assert {(each.path, each.name) for each in single_callers(planted)} == {
        ("teleder/cases/reviews.py", "_lock"),
        ("teleder/web/views.py", "recursive"),
    }


def test_a_class_name_with_two_meanings_is_found_and_a_view_may_share_the_name_of_its_function(planted):
    assert duplicate_names(planted) == {"Policy": ["teleder/cases/reviews.py", "teleder/privacy/policy.py"]}


def test_the_figures_count_a_package_without_its_migrations(planted):
    figures = measure(planted)["teleder"]
    assert figures["files"] == 5
    assert figures["single_caller"] == 2
    assert figures["single_caller_private"] == 1


def test_no_public_name_of_teleder_has_two_meanings():
    assert duplicate_names(sources()) == {}


def test_what_serves_stays_small():
    lines = sum(source.lines for source in sources() if source.package == "inference_worker")
    assert lines <= 2000


def test_the_product_has_few_functions_with_one_caller():
    assert measure(sources())["product"]["single_caller_per_1000_lines"] <= 8


def test_no_file_of_the_product_is_long():
    assert {
        source.path for source in sources() if source.package in PRODUCT and source.lines > LONGEST_FILE
    } == set()
