"""Starts a container's process, and ends and restarts it when it ends or hangs: compose restarts no unhealthy container.

    python -m contract.supervise [--silent SECONDS] SIGN -- COMMAND …     run it
    python -m contract.supervise [--silent SECONDS] --ask SIGN            exit 1 if it gives no sign of life (health check)

SIGN is a file that the process's working loop touches, or a folder with one file for each child, named by its process id.
A process that has not yet given a sign is not missed. Standard library only, because both images start with it.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from contract import logs

log = logging.getLogger("contract.supervise")

SILENT_SECONDS = 60
TICK_SECONDS = 1.0
END_SECONDS = 10  # after SIGTERM to a process that hangs; then SIGKILL to its group
PAUSES = (1, 2, 4, 8, 15, 30)  # seconds before a restart, longer each time
STEADY_SECONDS = 60  # who ran for so long begins again with the first pause
ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
FORWARDED = {*ENDING, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}
AWAITED = {*FORWARDED, signal.SIGCHLD}
WHOLE = 0  # in place of a child's process id


@dataclass
class Sign:
    """The sign of life of one process. Its age is counted in looks, so that a machine that slept is no hang."""

    path: Path
    silent_seconds: float = SILENT_SECONDS
    look_seconds: float = TICK_SECONDS  # how often the caller looks
    last: dict[Path, int] = field(default_factory=dict)
    looks: dict[Path, int] = field(default_factory=dict)

    def look(self) -> list[int]:
        """Return the children that hang, or `[WHOLE]` where the process itself does."""
        files = self._files()
        hung = [file for file in files if self._count(file) * self.look_seconds > self.silent_seconds]
        for gone in set(self.looks) - set(files):
            del self.looks[gone], self.last[gone]
        if not hung:
            return []
        return [WHOLE] if len(hung) == len(files) else [int(file.name) for file in hung]

    def is_fresh(self) -> bool:
        """Whether there is a sign, and none is older than `silent_seconds`."""
        ages = [time.time() - changed_at(file) / 1e9 for file in self._files()]
        return bool(ages) and max(ages) <= self.silent_seconds

    def forget(self) -> None:
        """Remove the signs: the next process gives its own."""
        for file in self._files():
            file.unlink(missing_ok=True)
        self.last.clear()
        self.looks.clear()

    def _count(self, file: Path) -> int:
        changed = changed_at(file)
        self.looks[file] = self.looks.get(file, 0) + 1 if self.last.get(file) == changed else 0
        self.last[file] = changed
        return self.looks[file]

    def _files(self) -> list[Path]:
        """Return the file, or those of the children that live; the files of ended ones are removed."""
        if not self.path.is_dir():
            return [self.path] * self.path.exists()
        found = []
        for file in self.path.iterdir():
            if file.name.isdigit() and is_alive(int(file.name)):
                found.append(file)
            else:
                file.unlink(missing_ok=True)
        return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def changed_at(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:  # its process has just ended
        return 0


@dataclass
class Keeper:
    """Runs one command until it is asked to stop."""

    command: list[str]
    sign: Sign
    end_seconds: float = END_SECONDS
    stopping: bool = False

    def run(self) -> int:
        """Return the exit status of the last process, as a shell gives it."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
        tries = 0
        while True:
            self.sign.forget()
            began = time.monotonic()
            process = subprocess.Popen(
                self.command,
                start_new_session=True,
                preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before),
            )
            status = self._until_it_ends(process)
            _signal_group(process.pid, signal.SIGKILL)  # what it has left behind
            if self.stopping:
                return status if status >= 0 else 128 - status
            tries = 0 if time.monotonic() - began > STEADY_SECONDS else tries
            pause = PAUSES[min(tries, len(PAUSES) - 1)]
            tries += 1
            log.error("%s ended (%s); starting it again in %s s", self.name, status, pause)
            if self._was_asked_to_stop(pause):
                return status if status >= 0 else 128 - status

    @property
    def name(self) -> str:
        return Path(self.command[0]).name

    def _until_it_ends(self, process: subprocess.Popen) -> int:
        next_look, end_by = time.monotonic() + TICK_SECONDS, float("inf")
        while (status := _collect(process)) is None:
            got = signal.sigtimedwait(AWAITED, max(0.0, next_look - time.monotonic()))
            if got and got.si_signo in FORWARDED:
                self.stopping |= got.si_signo in ENDING
                process.send_signal(got.si_signo)
            if time.monotonic() < next_look:
                continue
            next_look = time.monotonic() + TICK_SECONDS
            if time.monotonic() > end_by:
                _signal_group(process.pid, signal.SIGKILL)
            elif end_by == float("inf"):
                for pid in self.sign.look():
                    if pid == WHOLE:
                        log.error("%s gives no sign of life; ending it", self.name)
                        process.terminate()
                        end_by = time.monotonic() + self.end_seconds
                    else:
                        log.error("child %s of %s gives no sign of life; ending it", pid, self.name)
                        with suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
        return status

    def _was_asked_to_stop(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if (got := signal.sigtimedwait(AWAITED, left)) and got.si_signo in ENDING:
                return True
        return False


def _collect(process: subprocess.Popen) -> int | None:
    """Wait for whatever has ended, also what others left to the first process of a container; return the status of ours."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == process.pid:
                process.returncode = os.waitstatus_to_exitcode(ended[1])
    return process.returncode


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def main(arguments: list[str]) -> int:
    given, command = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        given, command = arguments[:at], arguments[at + 1 :]
    parser = argparse.ArgumentParser(prog="python -m contract.supervise")
    parser.add_argument("--silent", type=float, default=SILENT_SECONDS, metavar="SECONDS")
    parser.add_argument(
        "--end", type=float, default=END_SECONDS, metavar="SECONDS", help="between SIGTERM and SIGKILL"
    )
    parser.add_argument("--ask", action="store_true", help="exit 1 if there is no fresh sign of life")
    parser.add_argument("sign", type=Path)
    options = parser.parse_args(given)
    sign = Sign(options.sign, options.silent)
    if options.ask:
        return 0 if sign.is_fresh() else 1
    if not command:
        parser.error("no command after --")
    logs.configure()
    return Keeper(command, sign, options.end).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
