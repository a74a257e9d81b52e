"""What can be known before anything is started: rights, disk, programs, ports. Each finding says the mend."""

import fcntl
import os
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from demo.sip import Address

LEAST_FREE = 512 << 20
"""Bytes the state directory needs: databases, recordings, the capture and logs, with room to spare."""
PROGRAMS = ("kamailio", "asterisk", "sipp", "dumpcap")


@dataclass(frozen=True)
class Port:
    """A port that a part of the stand will listen on; `setting` is the variable that moves it, if any."""

    protocol: Literal["udp", "tcp"]
    address: Address
    part: str
    setting: str = ""


def problems(state: Path, ports: Iterable[Port]) -> list[str]:
    """Give everything that would keep the stand from starting, one line each."""
    return [*_rights(), *_programs(), *_disk(state), *_in_use(state), *_ports(ports)]


def _rights() -> Iterator[str]:
    if os.geteuid() != 0:
        yield "not root: the capture and the image need it; try again with sudo"


def _programs() -> Iterator[str]:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        yield f"{', '.join(missing)} not found: run it in the image, as make does (image/enter COMMAND)"


def _disk(state: Path) -> Iterator[str]:
    place = next(path for path in (state, *state.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < LEAST_FREE:
        yield (
            f"{place} has {free >> 20} MiB free, {LEAST_FREE >> 20} are needed: "
            "make room there or set FMC_STATE to a directory on another disk"
        )


def _in_use(state: Path) -> Iterator[str]:
    """Tell an edge in another network namespace, whose ports cannot be seen from here."""
    lock = state / "spool" / "ship.lock"
    if not lock.exists():
        return
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield f"an edge runs on {state}: stop it, or set FMC_STATE to a directory of its own"


def _ports(ports: Iterable[Port]) -> Iterator[str]:
    for port in ports:
        if is_free(port):
            continue
        holder = _holder(port)
        # A process in another process namespace, like the host's own, is not to be seen from the image.
        which = f"by {holder}: stop that process" if holder else "by a process that 'ss -lnp' names: stop it"
        mend = f"or set {port.setting}" if port.setting else "it cannot be moved"
        yield (
            f"{port.protocol} port {port.address[1]} on {port.address[0]}, which {port.part} needs, "
            f"is taken {which} ({mend})"
        )


def is_free(port: Port) -> bool:
    """Whether the port could be bound now."""
    kind = socket.SOCK_DGRAM if port.protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        if port.protocol == "tcp":
            # Connections of an earlier run may linger in TIME_WAIT; they hinder nobody.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(port.address)
        except OSError:
            return False
    return True


def _holder(port: Port) -> str:
    """Name the process that has a port, as far as it can be seen from this process namespace."""
    table = Path("/proc/net", port.protocol).read_text().splitlines()[1:]
    inodes = {
        f"socket:[{fields[9]}]"
        for fields in map(str.split, table)
        if int(fields[1].rpartition(":")[2], 16) == port.address[1]
    }
    for process in Path("/proc").glob("[0-9]*"):
        if any(link in inodes for link in _open_files(process)):
            return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def _open_files(process: Path) -> Iterator[str]:
    try:
        for link in (process / "fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                yield str(link.readlink())
    except (FileNotFoundError, PermissionError):
        return  # it ended meanwhile, or is not ours to look into
