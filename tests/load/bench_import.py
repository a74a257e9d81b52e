"""How long an import of many subscribers takes: `python -m tests.load.bench --only import`.

A CSV file as an office would write it, two tenants for each 100,000 lines, numbers of SIM cards in no order,
goes into an empty SQLite directory, as `fmcctl subscriber import` does it: read, checked, written as one
revision with its log, and synced to the disk. Then the same file again, which is no change.
"""

import random
import sys
import tempfile
import time
from pathlib import Path

from kemi import store
from kemi.directory import bulk
from kemi.directory.apply import apply
from kemi.directory.csvfile import Table
from kemi.directory.document import Document, Tenant

LINES = 100_000
EACH = 50_000  # subscribers of a tenant


def csv(lines: int) -> bytes:
    """The file, the same in every run."""
    order = list(range(lines))
    random.Random(1).shuffle(order)  # noqa: S311  the same file in every run
    head = "tenant;extension;name;msisdn;crm_user;ring;voicemail;device.password_env\n"
    rows = (
        f"tenant-{line // EACH};{100_000 + line % EACH};Фамилия Имя {line};+7999{order[line]:07};{line};;да;\n"
        for line in range(lines)
    )
    return (head + "".join(rows)).encode()


def measure(lines: int = LINES) -> dict[str, float]:
    """The row of the report."""
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{Path(directory) / 'fmc.sqlite'}"
        store.migrate(url)
        engine = store.engine_for(url)
        tenants = {f"tenant-{number}": Tenant() for number in range(-(-lines // EACH))}
        apply(engine, Document(tenants=tenants), who="bench", file="bench")
        data = csv(lines)
        seconds, cpu, unchanged = 0.0, 0.0, 0.0
        for _ in range(2):
            begun, used = time.perf_counter(), time.process_time()
            with store.reading(engine) as connection:
                made = bulk.plan(connection, Table(data, "people.csv"))
            bulk.apply(engine, made, who="bench", file="people.csv")
            took = time.perf_counter() - begun
            if made.added == lines:
                seconds, cpu = took, time.process_time() - used
            elif made.unchanged == lines:
                unchanged = took
        engine.dispose()
    return {
        "lines": lines,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "lines_per_second": round(lines / seconds),
        "unchanged_seconds": round(unchanged, 2),
    }


def resident_mib() -> float:
    """The most memory this process has held."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def words(row: dict[str, float]) -> str:
    """The row as a person reads it."""
    return (
        f"{row['lines']:,} subscribers imported in {row['seconds']:.1f} s ({row['lines_per_second']:,} lines/s), "
        f"{row['cpu_seconds']:.1f} s of CPU; again, without a change, in {row['unchanged_seconds']:.1f} s."
    )


if __name__ == "__main__":
    print(words(measure(int(sys.argv[1]) if len(sys.argv) > 1 else LINES)))  # noqa: T201
    print(f"{resident_mib():.0f} MiB at most.", file=sys.stderr)  # noqa: T201
