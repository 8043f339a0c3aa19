"""PostgreSQL's own programs on folders of the test, as the user of its files; and a second server beside the first."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psutil

from dispensary.embedded import postgres_tool
from tests.attacks.program import kill, until


def opened(folder: Path) -> Path:
    """A folder of whoever PostgreSQL runs as, which is another when the tests run as root."""
    for each in (folder, *folder.parents):
        if each.is_relative_to("/tmp") and each != Path("/tmp"):
            each.chmod(each.stat().st_mode | 0o055)
        if each.is_relative_to("/dev/shm") and each != Path("/dev/shm"):
            each.chmod(each.stat().st_mode | 0o055)
    folder.chmod(0o777)
    return folder


def as_server(
    folder: Path, *line: object, like: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs a line in the folder as the user of PostgreSQL's files (those of `like`), who must not be root."""
    owner = (like or folder / "postgresql").stat().st_uid
    path = f"{postgres_tool('psql').parent}:{os.environ['PATH']}"
    who = {"user": owner} if os.geteuid() == 0 else {}
    surroundings = {**os.environ, "PATH": path, "TMPDIR": str(folder), "PGUSER": "postgres", **variables}
    return subprocess.run(
        [str(word) for word in line], env=surroundings, capture_output=True, text=True, cwd=folder, timeout=120, **who
    )


class SecondServer:
    """A PostgreSQL of a data folder that one of PostgreSQL's programs has made, beside the embedded one."""

    def __init__(self, data: Path, like: Path) -> None:
        self.data = data
        self.place = data.parent
        self._like = like

    def start(self) -> None:
        started = as_server(
            self.place,
            *("pg_ctl", f"--pgdata={self.data}", f"--log={self.place}/second.log", "--wait", "--silent"),
            *("-o", f'-h "" -k {self.place}', "start"),
            like=self._like,
        )
        assert started.returncode == 0, started.stderr + (self.place / "second.log").read_text()[-2000:]

    def clear(self) -> None:
        """Ends it without a word, if it runs."""
        try:
            postmaster = psutil.Process(int((self.data / "postmaster.pid").read_text().split("\n", 1)[0]))
        except (OSError, psutil.Error):
            return
        kill([postmaster, *postmaster.children()])


def kill_server(folder: Path) -> None:
    """Kills the postmaster of a folder and all that it started, as a power cut of its machine does."""
    try:
        postmaster = psutil.Process(int((folder / "postmaster.pid").read_text().split("\n", 1)[0]))
        family = [postmaster, *postmaster.children()]
        postmaster.suspend()  # so that it starts nobody between the look and the blow
    except (OSError, psutil.Error):
        return
    kill(family)
    until(lambda: not any(each.is_running() and each.status() != "zombie" for each in family), what="it is dead")
