"""python -m local.measure_code: the figures of the house style, read from the source.

It counts files, lines and functions of each package; functions with a single caller (private and all), per 1,000 lines;
public functions and classes with a docstring; names that mean two things; files above 350 lines. `--names` lists them.

A function has a single caller if its name stands exactly once in the code outside its own body, and is called there.
Entry points do not count: what a framework calls (decorated, a method of a class with a base outside the project, a
dunder, a view that a `urls` module names), and what stands in a table or is passed on. Names are compared as words, so
two functions of one name share their callers: the figure is a little low for those, and `duplicate names` lists them.
A view that calls a function of its own name counts as recursion.
"""

from __future__ import annotations

import argparse
import ast
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("contract", "teleder", "inference_worker", "decoding", "registration")
PACKAGES = (*PRODUCT, "training", "local", "drills", "benchmarks")
LONGEST_FILE = 350
# Decorators that leave a function one that our own code calls.
PLAIN_DECORATORS = {"atomic", "cache", "lru_cache", "cached_property", "property", "staticmethod", "classmethod",
                    "contextmanager", "inference_mode", "no_grad", "overload"}  # fmt: skip


class Function(NamedTuple):
    package: str
    path: str
    line: int
    name: str
    is_method: bool
    is_entry_point: bool
    has_docstring: bool

    @property
    def is_private(self) -> bool:
        return self.name.startswith("_")


class Source(NamedTuple):
    package: str
    path: str
    lines: int
    tree: ast.Module


def sources(root: Path = ROOT) -> list[Source]:
    """Every module of the packages, migrations aside: they are history."""
    found = []
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            if "migrations" not in file.parts:
                text = file.read_text()
                found.append(Source(package, str(file.relative_to(root)), text.count("\n"), ast.parse(text)))
    return found


def functions(source: Source, project_classes: set[str]) -> Iterator[Function]:
    """Functions and methods of a module, nested ones aside: those are read with the function they stand in."""

    def walk(body: list[ast.stmt], owner: ast.ClassDef | None) -> Iterator[Function]:
        for node in body:
            if isinstance(node, ast.ClassDef):
                yield from walk(node.body, node)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield Function(
                    source.package,
                    source.path,
                    node.lineno,
                    node.name,
                    owner is not None,
                    _is_entry_point(node, owner, project_classes),
                    ast.get_docstring(node) is not None,
                )
            elif isinstance(node, ast.If | ast.Try):
                yield from walk(node.body, owner)

    return walk(source.tree.body, None)


def _is_entry_point(node: ast.FunctionDef, owner: ast.ClassDef | None, project_classes: set[str]) -> bool:
    if node.name.startswith("__") or node.name == "main":
        return True
    if any(word_of(decorator) not in PLAIN_DECORATORS for decorator in node.decorator_list):
        return True
    return owner is not None and any(
        word_of(base) not in project_classes | {"NamedTuple", "Protocol", "Exception"} for base in owner.bases
    )


def word_of(node: ast.expr) -> str:
    """The last name of a decorator or base: `cache` of `@functools.cache(8)`."""
    if isinstance(node, ast.Call):
        return word_of(node.func)
    if isinstance(node, ast.Subscript):
        return word_of(node.value)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def uses(source: Source) -> Iterator[tuple[str, bool]]:
    """Each word that names something and whether it is called there, without definitions, imports and recursion."""

    def walk(node: ast.AST, inside: tuple[str, ...], called: bool) -> Iterator[tuple[str, bool]]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = (*inside, node.name)
        word = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if word and word not in inside:
            yield word, called
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inside, isinstance(node, ast.Call) and child is node.func)

    return walk(source.tree, (), False)


def single_callers(found: list[Source]) -> list[Function]:
    """The functions that one place calls, entry points aside."""
    project_classes = {n.name for s in found for n in ast.walk(s.tree) if isinstance(n, ast.ClassDef)}
    all_uses = [use for source in found for use in uses(source)]
    counts = Counter(word for word, _ in all_uses)
    called = {word for word, is_call in all_uses if is_call}
    return [
        function
        for source in found
        for function in functions(source, project_classes)
        if not function.is_entry_point and counts[function.name] == 1 and function.name in called
    ]


def duplicate_names(found: list[Source]) -> dict[str, list[str]]:
    """Public classes and functions of teleder that share a name; a page's view and the function it calls may.

    Methods are named within their class, so only names of modules count.
    """
    places: dict[str, list[str]] = defaultdict(list)
    for source in found:
        if source.package != "teleder" or "/management/" in source.path:
            continue
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                places[node.name].append(source.path)
    return {
        name: paths
        for name, paths in sorted(places.items())
        if len(paths) > 1 and name not in {"main", "Config"} and not _are_view_and_function(paths)
    }


def _are_view_and_function(paths: list[str]) -> bool:
    views = [path for path in paths if path.startswith(("teleder/web/", "teleder/api/"))]
    return len(paths) - len(views) == 1 and len(views) <= 2


def measure(found: list[Source]) -> dict:
    """All figures, as plain data."""
    once = single_callers(found)
    project_classes = {n.name for s in found for n in ast.walk(s.tree) if isinstance(n, ast.ClassDef)}
    every = [function for source in found for function in functions(source, project_classes)]
    public = [function for function in every if not function.is_private]

    def of(packages: tuple[str, ...]) -> dict:
        lines = max(1, sum(source.lines for source in found if source.package in packages))
        mine = [function for function in once if function.package in packages]
        described = [function for function in public if function.package in packages]
        return {
            "files": sum(source.package in packages for source in found),
            "lines": lines,
            "functions": sum(function.package in packages for function in every),
            "single_caller": len(mine),
            "single_caller_per_1000_lines": round(1000 * len(mine) / lines, 1),
            "single_caller_private": sum(function.is_private for function in mine),
            "single_caller_private_per_1000_lines": round(
                1000 * sum(function.is_private for function in mine) / lines, 1
            ),
            "public_with_docstring_percent": round(
                100 * sum(function.has_docstring for function in described) / max(1, len(described))
            ),
        }

    return {
        **{package: of((package,)) for package in PACKAGES},
        "product": of(PRODUCT),
        "all": of(PACKAGES),
        "duplicate_names": duplicate_names(found),
        "long_files": {source.path: source.lines for source in found if source.lines > LONGEST_FILE},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    parser.add_argument(
        "--names", metavar="FOLDER", help="list the functions with one caller below this folder"
    )
    options = parser.parse_args()
    found = sources()
    if options.names is not None:
        for function in single_callers(found):
            if function.path.startswith(options.names):
                print(f"{function.path}:{function.line} {function.name}")
        return
    figures = measure(found)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    columns = list(figures["all"])
    print(f"{'':<40}" + "".join(f"{package:>17}" for package in (*PACKAGES, "product", "all")))
    for column in columns:
        numbers = "".join(f"{figures[package][column]:>17}" for package in (*PACKAGES, "product", "all"))
        print(f"{column.replace('_', ' '):<40}{numbers}")
    print("\nnames that mean two things in teleder:", len(figures["duplicate_names"]))
    for name, paths in figures["duplicate_names"].items():
        print(f"  {name}: {', '.join(paths)}")
    print(f"\nfiles above {LONGEST_FILE} lines:", len(figures["long_files"]))
    for path, lines in figures["long_files"].items():
        print(f"  {path}: {lines}")


if __name__ == "__main__":
    main()
