"""The commands of `./run`, once `.venv` stands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
USAGE = """usage: ./run COMMAND

  demo [--port N] [--no-inference] [--reset]   the whole system on this machine, with made-up people
  test [PYTEST ARGUMENTS]                      the tests, on their own database
  check                                        style, layers, migrations, settings, translations
  drills [--short] [NAME...]                   break the system on purpose and count what was lost
  bench [NAME...] [--json OUT] [--help]        measure, print each figure beside its goal, write docs/performance.md
  fuzz [--minutes N] [TARGET...]               broken files against the code that reads uploads
  contract [--examples N]                      made-up requests of four callers against the API's description
  openapi                                      write docs/openapi.json, the API's description, from the code
  copy                                         write docs/copy.md, every sentence a patient can meet, for a clinician to sign
  runbook                                      write docs/runbook.md from teleder/notifications/runbook.toml
  furigana                                     add readings of new Japanese texts to teleder/web/furigana.txt
  analyse PHOTO|FOLDER... --out DIR [--json] [--distance]   find skin and lesion, crop and classify, without web or queue
  manage ...                                   manage.py on the demo's data, whether the demo runs or not
  audit verify|head|protect ...                the audit log of the demo's data
  servers [FOLDER]                             only PostgreSQL and Valkey, for work on the code
  messages                                     bring the Japanese catalogue up to date with the code, and compile it
  sbom [--advisories ZIP]                      what is shipped (CycloneDX), or its known vulnerabilities
  screenshots                                  draw the pictures of the README again (docs/images)
  lock                                         write the lock files again from pyproject.toml
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
    from local import messages

    messages.update()
    found = messages.faults()
    print("\n".join([*found, f"{len(found)} messages need a translation"]))
    return 0


def lock(arguments: list[str]) -> int:
    from local import lock

    return lock.main()


def sbom(arguments: list[str]) -> int:
    from local import sbom

    return sbom.main(arguments)


def analyse(arguments: list[str]) -> int:
    os.execv(sys.executable, [sys.executable, "-m", "training.analyse", *arguments])


def screenshots(arguments: list[str]) -> int:
    from local import screenshots

    return screenshots.main()


def fuzz(arguments: list[str]) -> int:
    environment = os.environ | {"TELEDER_SECRET_KEY": "fuzz-only", "DATABASE_URL": "postgresql:///none"}
    environment["TELEDER_INSECURE_COOKIES"] = "1"
    environment |= {"TELEDER_PHOTO_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk="}
    command = [sys.executable, "-m", "tests.fuzz", *arguments]
    return subprocess.run(
        command, env=environment | {"REDIS_URL": "redis://127.0.0.1:1/0"}, check=False
    ).returncode


def contract(arguments: list[str]) -> int:
    from local import contract

    return contract.main(arguments)


def openapi(arguments: list[str]) -> int:
    from local import openapi

    return openapi.main(arguments)


def copy(arguments: list[str]) -> int:
    from local import sentences

    return sentences.main(arguments)


def runbook(arguments: list[str]) -> int:
    from local import runbook

    return runbook.main()


def furigana(arguments: list[str]) -> int:
    from local import furigana

    return furigana.main(arguments)


def drills(arguments: list[str]) -> int:
    # Drills are built on this package, which therefore imports none of them. No parent is left that a signal could miss.
    os.execv(sys.executable, [sys.executable, "-m", "drills", *arguments])


def bench(arguments: list[str]) -> int:
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks", *arguments])


def manage(arguments: list[str]) -> int:
    from local import demo, processes, servers

    with servers.running(demo.STATE / "servers", join=True) as found:
        environment = os.environ | demo.settings(found, "http://localhost:8000")
        if arguments[:1] and arguments[0] in processes.JOBS and arguments[:2] != ["backup", "restore"]:
            environment = processes.for_jobs(environment)
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, env=environment, check=False).returncode


def audit(arguments: list[str]) -> int:
    return manage(["audit", *arguments])


def servers(arguments: list[str]) -> int:
    """Print the addresses as shell lines and stay until stopped."""
    from local import demo, servers

    folder = Path(arguments[0]).resolve() if arguments else demo.STATE / "servers"
    with servers.running(folder) as found:
        addresses = {"DATABASE_URL": found.database_url, "REDIS_URL": found.redis_url, **found.role_urls}
        print("\n".join(f"export {name}={value}" for name, value in addresses.items()), flush=True)
        signal.pause()
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    each.__name__: each
    for each in (
        demo,
        test,
        check,
        drills,
        bench,
        fuzz,
        contract,
        openapi,
        copy,
        runbook,
        furigana,
        analyse,
        manage,
        audit,
        servers,
        messages,
        sbom,
        screenshots,
        lock,
    )
}


def main() -> int:
    name, *arguments = sys.argv[1:] or [""]
    if name not in COMMANDS:
        print(USAGE, file=sys.stderr)
        return 2
    from local.servers import ServerError

    # SIGTERM ends it as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return COMMANDS[name](arguments)
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
