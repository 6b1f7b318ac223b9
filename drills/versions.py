"""R17: two versions side by side, as in a deploy. The one before is our own older code, out of git; the one after is
this code with another number and a field that nobody knows yet."""

from __future__ import annotations

import io
import subprocess
import tarfile

from drills.client import Clients, wait_until
from drills.newer import NEWER
from drills.oracle import Figures
from drills.run import Run, drill
from drills.system import ROOT

# The last commit whose workers did not yet say `ENDED`; same tables, same contract number.
BEFORE = "15dd576"
ALONE_SECONDS = 12
SHARED_SECONDS = 60


@drill("R17", "the version before and the one after beside this one", guard="hand-back")
def side_by_side(run: Run) -> Figures:
    from teleder.cases.models import Job

    clients = run.clients()
    before, after = _with_the_one_before(run, clients), _with_the_one_after(run, clients)
    found = run.finish(clients, bound=float("inf"))
    found.notes += [*filter(None, [before]), after]
    if not before:
        found.not_run.append(f"{BEFORE} is not in this copy of the repository: the version before is missing")
    photos = [each.submission for each in clients.accepted]
    if deaths := Job.objects.filter(photo__submission__in=photos, deaths__gt=0).count():
        found.broken.append(f"{deaths} jobs counted a crash because of another version")
    if found.unavailable:
        found.broken.append("the AI was given up because of a version")
    return found


# --- The one before ---------------------------------------------------------------------------------------
def _with_the_one_before(run: Run, clients: Clients) -> str:
    """Send while old workers answer a new web, then while an old web takes what new workers say.

    Return what was done; nothing, where the version before is not here.
    """
    root = run.system.folder / "before"
    done = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        return ""
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(root, filter="data")
    count = run.few_or_many(4, 100)
    # It is from before there were roles, and its address in an older .env was one that may do all.
    plain = dict.fromkeys(run.system.role_urls, run.system.urls["broker"])
    plain["TELEDER_MEDIA_ROOT"] = str(run.system.media)  # as it called the folder of the photos
    for names, ours in ((("inference",), "inference"), (("results", "sweeper"), "results")):
        with run.system.beside(names, "before", root=root, **plain):
            with run.system.leaving_out(ours):  # the old ones alone
                clients.send(count)
                _wait_for_work(clients)
            clients.send(count)  # both
            _wait_for_work(clients)
    return f"{4 * count} with {BEFORE} as worker and as web"


# --- The one after ----------------------------------------------------------------------------------------
def _with_the_one_after(run: Run, clients: Clients) -> str:
    """Send while the workers alone are of the next version, then while all but the workers is.

    What cannot be read waits in the queue until somebody comes who can.
    """
    count, newer, waited = run.few_or_many(4, 100), {NEWER: "1"}, []
    for first, second in ((("inference",), ("results", "sweeper")), (("results", "sweeper"), ("inference",))):
        with run.system.leaving_out(*first), run.system.beside(first, "after", **newer):
            clients.send(count)
            wait_until(lambda: not _unfinished(clients), ALONE_SECONDS)
            waited.append(_unfinished(clients))
            with run.system.beside(second, "later", **newer):
                _wait_for_work(clients)
    return (
        f"{2 * count} with one that is newer; {waited[0]} and {waited[1]} waited until the rest was new, too"
    )


def _unfinished(clients: Clients) -> int:
    from teleder.cases.models import Job
    from teleder.pipeline.transitions import UNFINISHED

    photos = Job.objects.filter(photo__submission__in=[each.submission for each in clients.accepted])
    return photos.filter(state__in=UNFINISHED).values("photo__submission").distinct().count()


def _wait_for_work(clients: Clients) -> None:
    wait_until(lambda: not _unfinished(clients), SHARED_SECONDS)
