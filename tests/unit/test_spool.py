"""The spool keeps what append() returned for, whatever happens to the process that wrote it."""

import errno
import os
import signal
import subprocess
import sys

import lmdb
import pytest

from kemi.calls import spool

WRITER = """
import itertools, os, sys
from pathlib import Path
from kemi.calls import spool

writer = spool.Writer(Path(sys.argv[1]), sys.argv[2])
for number in itertools.count(1):
    writer.append(f"{sys.argv[3]} {number}".encode())
    os.write(1, b"%d\\n" % number)
"""


def start_writer(directory, name, label):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory), name, label], stdout=subprocess.PIPE, bufsize=0
    )


def kill_after(writer, count):
    """Kill -9 once `count` events are acknowledged; give the number of the last that was."""
    said = b""
    while said.count(b"\n") < count:
        said += os.read(writer.stdout.fileno(), 65536)
    writer.send_signal(signal.SIGKILL)
    said += writer.stdout.read()
    writer.stdout.close()
    writer.wait()
    return int(said[: said.rindex(b"\n")].split()[-1])


@pytest.fixture
def reader(tmp_path):
    reader = spool.Reader(tmp_path)
    yield reader
    reader.close()


def write(directory, name, payloads):
    writer = spool.Writer(directory, name)
    for payload in payloads:
        writer.append(payload)
    writer.close()


def numbers(entries, label):
    return [int(payload.split()[1]) for _, _, payload in entries if payload.split()[0] == label.encode()]


def test_nothing_is_read_where_nobody_wrote(tmp_path):
    reader = spool.Reader(tmp_path / "absent")
    assert reader.read(10) == []
    assert reader.depth() == 0


def test_events_come_oldest_first_and_stay_until_deleted(tmp_path, reader):
    write(tmp_path, "worker-1", [b"a", b"b", b"c"])
    entries = reader.read(2)
    assert [(name, payload) for name, _, payload in entries] == [("worker-1", b"a"), ("worker-1", b"b")]
    assert reader.read(2) == entries
    reader.delete((name, key) for name, key, _ in entries)
    assert [payload for _, _, payload in reader.read(2)] == [b"c"]
    assert reader.depth() == 1


def test_limit_counts_for_each_writer(tmp_path, reader):
    write(tmp_path, "worker-1", [b"a", b"b"])
    write(tmp_path, "worker-2", [b"c", b"d"])
    assert [payload for _, _, payload in reader.read(1)] == [b"a", b"c"]


def test_key_of_an_event_still_there_is_not_given_again(tmp_path, reader):
    write(tmp_path, "worker-1", [b"a", b"b"])
    (first, _) = reader.read(2)
    reader.delete([first[:2]])
    reader.close()
    write(tmp_path, "worker-1", [b"c"])
    assert [payload for _, _, payload in reader.read(9)] == [b"b", b"c"]


@pytest.mark.parametrize("count", [1, 50, 700])
def test_kill_of_the_writer_keeps_what_was_acknowledged(tmp_path, reader, count):
    acknowledged = kill_after(start_writer(tmp_path, "worker-1", "x"), count)
    kept = numbers(reader.read(10**6), "x")
    # One more than acknowledged is possible: killed between the commit and the word of it.
    assert kept == list(range(1, len(kept) + 1))
    assert acknowledged <= len(kept) <= acknowledged + 1


def test_killed_writers_of_one_name_block_neither_each_other_nor_the_reader(tmp_path, reader):
    first, second = (start_writer(tmp_path, "timers", label) for label in ("x", "y"))
    acknowledged = {"x": kill_after(first, 300), "y": kill_after(second, 300)}
    entries = reader.read(10**6)
    for label, last in acknowledged.items():
        assert numbers(entries, label)[:last] == list(range(1, last + 1))
    reader.delete((name, key) for name, key, _ in entries)
    assert reader.depth() == 0


def fill(directory, payload):
    writer = spool.Writer(directory, "worker-1")
    kept, full = 0, False
    while not full:
        try:
            writer.append(payload)
            kept += 1
        except lmdb.MapFullError:
            full = True
    writer.close()
    return kept


@pytest.mark.parametrize("size", [100, 700, 1500, 5000])
def test_full_spool_refuses_aloud_and_can_be_emptied(tmp_path, reader, monkeypatch, size):
    monkeypatch.setattr(spool, "MAP_SIZE", 1 << 20)
    monkeypatch.setattr(spool, "ROOM", 1 << 18)
    kept = fill(tmp_path, b"x" * size)
    emptied = 0
    while entries := reader.read(64):
        reader.delete((name, key) for name, key, _ in entries)
        emptied += len(entries)
    assert emptied == kept
    reader.close()
    write(tmp_path, "worker-1", [b"again"])
    assert [payload for _, _, payload in reader.read(1)] == [b"again"]


ALTERNATING = """
import sys
from pathlib import Path
import lmdb
from kemi.calls import spool

spool.MAP_SIZE = 1 << 20
writer = spool.Writer(Path(sys.argv[1]), "worker-1")
while sys.stdin.readline():
    count = 0
    try:
        while True:
            writer.append(b"x" * 700)
            count += 1
    except lmdb.MapFullError:
        print(count, flush=True)
"""


def test_writer_goes_on_after_its_full_spool_was_emptied(tmp_path, reader, monkeypatch):
    monkeypatch.setattr(spool, "MAP_SIZE", 1 << 20)
    monkeypatch.setattr(spool, "ROOM", 1 << 18)
    with subprocess.Popen(
        [sys.executable, "-c", ALTERNATING, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as writer:
        for _ in range(3):
            writer.stdin.write("fill\n")
            kept = int(writer.stdout.readline())
            assert kept > 0
            entries = reader.read(10**6)
            assert len(entries) == kept
            reader.delete((name, key) for name, key, _ in entries)
        writer.stdin.close()


def test_environment_that_cannot_be_opened_does_not_stop_the_others(tmp_path, reader):
    (tmp_path / "worker-1").mkdir()
    (tmp_path / "worker-1" / "data.mdb").write_bytes(b"no LMDB" * 1000)
    write(tmp_path, "worker-2", [b"a"])
    assert [payload for _, _, payload in reader.read(1)] == [b"a"]
    assert list(reader.unreadable) == ["worker-1"]


def test_reader_killed_under_one_process_id_again_and_again_does_no_harm(tmp_path, reader):
    """In a container the agent always has the same process id."""
    write(tmp_path, "worker-1", [b"a"])
    assert reader.read(1)  # keeps the environment open, as a worker does
    killed = (
        "import os, signal, sys; from pathlib import Path; from kemi.calls import spool;"
        "reader = spool.Reader(Path(sys.argv[1])); reader.read(1); print(os.getpid(), flush=True);"
        "os._exit(9)"
    )
    for _ in range(20):
        ended = subprocess.run(
            ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", killed, str(tmp_path)],
            check=False,
            capture_output=True,
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (9, b"1\n", b"")
    assert len(reader.read(1)) == 1


def test_a_damaged_spool_is_put_aside_and_told_of(tmp_path, reader):
    write(tmp_path, "worker-1", [b"a"])
    (tmp_path / "worker-1" / "data.mdb").write_bytes(b"\0" * 8192)
    write(tmp_path, "worker-1", [b"b"])
    assert [payload for _, _, payload in reader.read(9)] == [b"b"]
    (damaged,) = reader.unreadable
    assert damaged.startswith("worker-1.damaged-")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 20 MiB, in the mount namespace of the image: it is gone with it in any case."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def write_until_refused(writer):
    for kept in range(1_000_000):
        try:
            writer.append(b"x" * 500)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return kept
    raise AssertionError("the disk took everything")


def test_a_full_disk_is_an_error_and_no_end(small_disk):
    """Not SIGBUS, which is what a map without disk under it would be."""
    writer = spool.Writer(small_disk, "worker-1")
    kept = write_until_refused(writer)
    assert kept > 100
    # With room again it goes on where it stopped.
    subprocess.run(["mount", "-o", "remount,size=60m", small_disk], check=True)
    writer.append(b"last")
    writer.close()
    reader = spool.Reader(small_disk)
    waiting = reader.read(1_000_000)
    assert (len(waiting), waiting[-1][2]) == (kept + 1, b"last")
    reader.close()


def test_a_spool_on_a_full_disk_can_be_read(small_disk):
    writer = spool.Writer(small_disk, "worker-1")
    kept = write_until_refused(writer)
    writer.close()
    reader = spool.Reader(small_disk)
    assert len(reader.read(1_000_000)) == kept, reader.unreadable
    reader.close()
