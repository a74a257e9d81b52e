"""A PostgreSQL of the test's own: started from the image's packages, on a socket, gone afterwards."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.processes import Process, stop_all


def _binaries() -> Path:
    return max(Path("/usr/lib/postgresql").glob("*/bin"))


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """Run a server below `directory`; gives the SQLAlchemy URL of its database. It refuses to run as root."""
    as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data = directory / "data"
    directory.mkdir(parents=True)
    shutil.chown(directory, "postgres", "postgres")
    for parent in directory.parents:
        # pytest's directories are for root alone; the server only has to get through.
        if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    environment = {"LC_ALL": "C.UTF-8"}
    subprocess.run(
        [*as_postgres, _binaries() / "initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True,
        capture_output=True,
        env=environment,
    )
    options = ["-k", str(directory), "-c", "listen_addresses=", "-c", "fsync=off"]
    command = [*as_postgres, str(_binaries() / "postgres"), "-D", str(data), *options]
    process = Process("postgres", command, directory / "postgres.log", environment)
    process.start()
    try:
        deadline = time.monotonic() + 20
        ready = [_binaries() / "pg_isready", "-h", directory, "-q"]
        while subprocess.run(ready, check=False, env=environment).returncode:
            assert process.alive, process.fault()
            assert time.monotonic() < deadline, process.tail()
            time.sleep(0.02)
        yield f"postgresql+psycopg://postgres@/postgres?host={directory}"
    finally:
        stop_all([process])
