"""What grows with the record: milliseconds of a worklist page, dispatch, a round of the sweeper and check_record.

A child of `benchmarks.pages`: runs on the filled database of the environment, in this process, and prints JSON. Checks that
look at the files of photos run only where all photos have files.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.frame import median, milliseconds

# They ask the storage about every photo.
FILE_CHECKS = {
    "photos_have_their_files",
    "masks_and_attributions_have_their_files",
    "files_have_their_row",
}


def costs(rounds: int, *, has_files: bool) -> dict[str, float]:
    from django.conf import settings
    from django.test import Client
    from django.utils.module_loading import import_string

    from teleder.accounts.models import FIRST_CLINIC, User
    from teleder.pipeline.ai_status import give_up_waiting_for_ai
    from teleder.pipeline.dispatch import dispatch_all

    settings.ALLOWED_HOSTS = ["testserver"]
    reader = User.objects.filter(clinic=FIRST_CLINIC, role="dermatologist").order_by("email").last()
    client = Client()
    client.force_login(reader)
    duties = [import_string(path) for path in settings.SWEEP_DUTIES]
    checks = [check for path in settings.RECORD_INVARIANTS for check in import_string(path)]

    def page() -> None:
        answer = client.get("/worklist/")
        if answer.status_code != 200:
            raise RuntimeError(f"the worklist answered {answer.status_code}")

    found = {
        "worklist page": _median(page, rounds),
        "dispatch": _median(dispatch_all, rounds),
        "round of the sweeper": _median(lambda: [duty() for duty in duties], rounds),
        "give_up_waiting_for_ai": _median(give_up_waiting_for_ai, rounds),
    }
    broken, per_check = 0, {}
    for check in checks:
        if has_files or check.__name__ not in FILE_CHECKS:
            began = time.perf_counter()
            broken += len(list(check()))
            per_check[check.__name__] = (time.perf_counter() - began) * 1000
    of_tables = sum(ms for name, ms in per_check.items() if name not in FILE_CHECKS)
    return found | {"check_record (tables)": of_tables, "broken": broken} | _slowest(per_check)


def _median(act: Callable[[], Any], rounds: int) -> float:
    act()  # the first one also compiles templates, connects
    return median([milliseconds(act) for _ in range(rounds)])


def _slowest(per_check: dict[str, float], count: int = 3) -> dict[str, float]:
    slow = sorted(per_check, key=per_check.get, reverse=True)[:count]
    return {f"check: {name}": per_check[name] for name in slow}


def main() -> None:
    import logging

    import django

    django.setup()
    logging.disable(logging.WARNING)
    json.dump(costs(int(sys.argv[1]), has_files=sys.argv[2] == "all"), sys.stdout)


if __name__ == "__main__":
    main()
