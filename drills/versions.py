"""R17: two versions side by side, as in a deploy. The previous version is our own older code from git; the next one is
this code with a higher contract number and an additional field."""

from __future__ import annotations

import io
import subprocess
import tarfile

from drills.client import Clients, wait_until
from drills.newer import NEWER
from drills.oracle import Figures
from drills.run import Run, drill
from drills.system import ROOT
from local.processes import WORKERS

# The last commit with the stages `segment` and `classify`; same contract number. Its workers take no `analyse`, and its web
# takes no results of ours: both wait for us.
BEFORE = "71c48b3"
ALONE_SECONDS = 12
SHARED_SECONDS = 60


@drill("R17", "the previous and the next version beside this one", guard="hand-back")
def side_by_side(run: Run) -> Figures:
    from teleder.cases.models import Job

    clients = run.clients()
    before, after = _with_previous_version(run, clients), _with_next_version(run, clients)
    found = run.finish(clients, bound=float("inf"))
    found.notes += [*filter(None, [before]), after]
    if not before:
        found.not_run.append(
            f"{BEFORE} is not in this copy of the repository: the previous version is missing"
        )
    photos = [each.submission for each in clients.accepted]
    if deaths := Job.objects.filter(photo__submission__in=photos, deaths__gt=0).count():
        found.broken.append(f"{deaths} jobs counted a crash because of another version")
    if found.unavailable:
        found.broken.append("the AI was declared unavailable because of a version")
    return found


# --- The previous version ---------------------------------------------------------------------------------
def _with_previous_version(run: Run, clients: Clients) -> str:
    """Send while old workers serve a new web, then while an old web receives the results of new workers.

    Return what was done, or "" if this repository does not have the previous version.
    """
    root = run.system.folder / "before"
    done = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        return ""
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(root, filter="data")
    count, waited = run.few_or_many(4, 100), []
    for names, ours in ((WORKERS, WORKERS), (("results", "sweeper"), ("results",))):
        with run.system.beside(names, "before", root=root):
            with run.system.leaving_out(*ours):  # only the old ones
                clients.send(count)
                wait_until(lambda: not _unfinished(clients), ALONE_SECONDS)
                waited.append(_unfinished(clients))
            clients.send(count)  # both
            _wait_for_work(clients)
    return f"{4 * count} with {BEFORE} as worker and as web; {waited[0]} and {waited[1]} waited for ours"


# --- The next version -------------------------------------------------------------------------------------
def _with_next_version(run: Run, clients: Clients) -> str:
    """Send while only the workers run the next version, then while everything but the workers does.

    A message that cannot be read waits in the queue for a process that can read it.
    """
    count, newer, waited = run.few_or_many(4, 100), {NEWER: "1"}, []
    for first, second in ((WORKERS, ("results", "sweeper")), (("results", "sweeper"), WORKERS)):
        with run.system.leaving_out(*first), run.system.beside(first, "after", **newer):
            clients.send(count)
            wait_until(lambda: not _unfinished(clients), ALONE_SECONDS)
            waited.append(_unfinished(clients))
            with run.system.beside(second, "later", **newer):
                _wait_for_work(clients)
    return f"{2 * count} with the next version; {waited[0]} and {waited[1]} waited until the rest was new as well"


def _unfinished(clients: Clients) -> int:
    from teleder.cases.models import Job
    from teleder.pipeline.transitions import UNFINISHED

    photos = Job.objects.filter(photo__submission__in=[each.submission for each in clients.accepted])
    return photos.filter(state__in=UNFINISHED).values("photo__submission").distinct().count()


def _wait_for_work(clients: Clients) -> None:
    wait_until(lambda: not _unfinished(clients), SHARED_SECONDS)
