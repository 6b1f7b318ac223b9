"""The commands of `./run`, once `.venv` stands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
USAGE = """usage: ./run COMMAND

  demo [--port N] [--no-inference] [--reset]   the whole system on this machine, with made-up people
  test [PYTEST ARGUMENTS]                      the tests, on their own database
  check                                        style, layers, migrations, settings, translations
  analyse PHOTO... --out DIR [--json]          find skin and lesion, crop and classify, without web or queue
  manage ...                                   manage.py in the environment of a running demo's data
  messages                                     bring the Japanese catalogue up to date with the code
  lock                                         write the lock files anew from pyproject.toml
"""


def demo(arguments: list[str]) -> int:
    from local import demo

    return demo.main(arguments)


def test(arguments: list[str]) -> int:
    from local import tests

    return tests.main(arguments)


def check(arguments: list[str]) -> int:
    from local import checks

    return checks.main()


def messages(arguments: list[str]) -> int:
    from local import translations

    print(f"{translations.update()} new; {len(translations.missing())} without a translation")
    return 0


def lock(arguments: list[str]) -> int:
    from local import lock

    return lock.main()


def analyse(arguments: list[str]) -> int:
    os.execv(sys.executable, [sys.executable, "-m", "inference_worker.analyse", *arguments])


def manage(arguments: list[str]) -> int:
    from local import demo, servers

    with servers.running(demo.STATE / "servers") as found:
        environment = os.environ | demo.settings(found, "http://localhost:8000")
        return os.spawnve(os.P_WAIT, sys.executable, [sys.executable, "manage.py", *arguments], environment)


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    each.__name__: each for each in (demo, test, check, analyse, manage, messages, lock)
}


def main() -> int:
    name, *arguments = sys.argv[1:] or [""]
    if name not in COMMANDS:
        print(USAGE, file=sys.stderr)
        return 2
    return COMMANDS[name](arguments)


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
