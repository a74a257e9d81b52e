"""A PostgreSQL of the test's own: started from the image's packages, on a socket, gone afterwards."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.processes import Process, stop_all


def _binaries() -> Path:
    return max(Path("/usr/lib/postgresql").glob("*/bin"))


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """Run a server, its log in `directory`; gives the SQLAlchemy URL of its database."""
    directory.mkdir(parents=True)
    # It refuses to run as root, and pytest's own directories are for root alone.
    with tempfile.TemporaryDirectory(prefix="fmc-postgres-") as home:
        shutil.chown(home, "postgres", "postgres")
        yield from _running(Path(home), directory / "postgres.log")


def _running(home: Path, log: Path) -> Iterator[str]:
    as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data = home / "data"
    environment = {"LC_ALL": "C.UTF-8"}
    made = subprocess.run(
        [*as_postgres, _binaries() / "initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert made.returncode == 0, made.stderr
    options = ["-k", str(home), "-c", "listen_addresses=", "-c", "fsync=off"]
    command = [*as_postgres, str(_binaries() / "postgres"), "-D", str(data), *options]
    process = Process("postgres", command, log, environment)
    process.start()
    try:
        deadline = time.monotonic() + 20
        ready = [_binaries() / "pg_isready", "-h", home, "-q"]
        while subprocess.run(ready, check=False, env=environment).returncode:
            assert process.alive, process.fault()
            assert time.monotonic() < deadline, process.tail()
            time.sleep(0.02)
        yield f"postgresql+psycopg://postgres@/postgres?host={home}"
    finally:
        stop_all([process])
