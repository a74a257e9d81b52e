"""Writes the snapshot (kemi.directory.snapshot says what it holds and who reads it).

A change is one transaction in the generation in use: readers see the revision before it or the one after it.
A rebuild fills a new generation beside it and then moves the link, so that it may take its time, needs little
memory, and leaves no free pages behind. Whoever writes holds `seal.alone`.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import TypeAlias, cast

import lmdb
import msgspec

from kemi.directory import seal
from kemi.directory.snapshot import (
    LAYOUT,
    MAP_SIZE,
    MAX_READERS,
    MODE,
    Content,
    Globals,
    Head,
    checksum,
    decode_content,
    decode_globals,
    decode_head,
    decode_subscriber,
    fields,
    subscriber_key,
)
from kemi.routing.model import Did, Subscriber, Tenant

CHUNK = 5000
"""Records of a rebuild that are written in one transaction."""

VERIFY_SECONDS = 120.0
"""How long verifying may take: it reads a million subscribers in two seconds."""

Record: TypeAlias = tuple[bytes, bytes]
SubscriberChange: TypeAlias = tuple[str, str, Subscriber | None]
"""Tenant, extension and what is there from now on; None where it is removed."""

_encode = msgspec.msgpack.encode


class Changes(msgspec.Struct, frozen=True):
    """What one or several revisions changed, each in the order in which it happened.

    `at` is when the last of them was made; `small` is None where nothing of it changed.
    """

    revision: int
    at: int
    small: Globals | None
    tenants: Iterable[tuple[str, Tenant | None]] = ()
    subscribers: Iterable[SubscriberChange] = ()
    dids: Iterable[tuple[str, Did | None]] = ()


class Whole(msgspec.Struct, frozen=True):
    """All of a revision. Each part is in the order of its keys' bytes, and given once.

    `msisdns` are msisdn, tenant and extension of each subscriber that has an msisdn.
    """

    revision: int
    at: int
    small: Globals
    tenants: Iterable[Tenant]
    subscribers: Iterable[Subscriber]
    msisdns: Iterable[tuple[str, str, str]]
    dids: Iterable[Did]


def write(  # noqa: PLR0917  what a directory has, in its order
    path: Path,
    revision: int,
    small: Globals,
    tenants: Iterable[Tenant] = (),
    subscribers: Iterable[Subscriber] = (),
    dids: Iterable[Did] = (),
) -> None:
    """Make all of this, in any order, the snapshot in `path`."""
    people = {(each.tenant, each.extension): each for each in subscribers}
    msisdns = {each.msisdn: (each.tenant, each.extension) for each in people.values() if each.msisdn}
    whole = Whole(
        revision,
        0,
        small,
        sorted(tenants, key=lambda each: each.name.encode()),
        [people[key] for key in sorted(people, key=lambda key: subscriber_key(*key))],
        [(msisdn, *msisdns[msisdn]) for msisdn in sorted(msisdns)],
        sorted(dids, key=lambda each: each.number.encode()),
    )
    with seal.alone(path):
        rebuild(path, whole)


def rebuild(path: Path, whole: Whole) -> None:
    """Write a new generation and make it the one in use.

    Raises lmdb.Error or OSError; then the old one stays.
    """
    made = path / f"{time.time_ns():x}"
    made.mkdir()
    try:
        _fill(made, whole)
        seal.put(made)
        seal.switch(path, made.name)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    sweep(path)


def sweep(path: Path) -> None:
    """Remove every generation but the one in use; who has one mapped keeps it until it looks."""
    kept = {seal.CURRENT, seal.current(path)}
    for each in path.iterdir():
        if each.name in kept:
            continue
        if each.is_symlink() or each.name.startswith("."):
            with suppress(OSError):
                each.unlink()
        elif each.is_dir():
            shutil.rmtree(each, ignore_errors=True)
        elif each.suffix == ".mdb":
            # Of the layout that had no generations.
            each.unlink(missing_ok=True)


def _fill(made: Path, whole: Whole) -> None:
    # It is carried to the disk at the end: a power cut before the link is moved takes nothing away.
    with lmdb.open(str(made), map_size=MAP_SIZE, max_readers=MAX_READERS, mode=MODE, sync=False) as env:
        total = 0
        small = _encode(whole.small)
        records = chain(
            ((b"d" + each.number.encode(), _encode(each)) for each in whole.dids),
            ((subscriber_key(each.tenant, each.extension), _encode(each)) for each in whole.subscribers),
            ((b"g", small),),
            _by_msisdn(env, whole.msisdns),
            ((b"r", _head(whole, small)),),
            ((b"t" + each.name.encode(), _encode(each)) for each in whole.tenants),
        )
        # What is looked up in a chunk before must be written: so a chunk does not reach over a boundary.
        chunk: list[Record] = []
        for record in records:
            if len(chunk) == CHUNK or record[0] == b"g":
                _append(env, chunk)
                chunk.clear()
            total += checksum(*record)
            chunk.append(record)
        _append(env, chunk)
        content = _encode(Content(LAYOUT, fields(), total))
        _growing(env, lambda: _put(env, b"c", content))
        env.sync(True)


def _by_msisdn(env: lmdb.Environment, msisdns: Iterable[tuple[str, str, str]]) -> Iterator[Record]:
    """What is written under the extension already, once more under the number."""
    rest = iter(msisdns)
    while several := list(islice(rest, CHUNK)):
        with env.begin() as txn:
            found = [
                (b"m" + msisdn.encode(), bytes(txn.get(subscriber_key(tenant, extension)) or b""))
                for msisdn, tenant, extension in several
            ]
        yield from found


def _head(of: Whole | Changes, small: bytes) -> bytes:
    return _encode(Head(of.revision, of.at, checksum(b"g", small)))


def _append(env: lmdb.Environment, chunk: list[Record]) -> None:
    def put() -> None:
        with env.begin(write=True) as txn, txn.cursor() as cursor:
            _, added = cursor.putmulti(chunk, append=True)
            if added != len(chunk):
                raise ValueError(f"records of the snapshot are out of order after {chunk[added][0]!r}")

    if chunk:
        _growing(env, put)


def _put(env: lmdb.Environment, key: bytes, value: bytes) -> None:
    with env.begin(write=True) as txn:
        txn.put(key, value)


def _growing(env: lmdb.Environment, write: Callable[[], None]) -> None:
    """Run a transaction, with twice the map as often as it does not fit."""
    while True:
        try:
            write()
        except lmdb.MapFullError:
            env.set_mapsize(2 * env.info()["map_size"])
        else:
            return


# -- changes -------------------------------------------------------------------------------------------


def update(path: Path, changes: Callable[[], Changes]) -> None:
    """Bring the generation in use to another revision, in one transaction.

    `changes` is asked again where the map has to grow first. Raises lmdb.Error or OSError; then what readers
    see is as it was.
    """
    generation = path / (seal.current(path) or "")
    with lmdb.open(str(generation), map_size=MAP_SIZE, max_readers=MAX_READERS, mode=MODE) as env:
        # A worker that was killed in the middle of a call must not keep old pages for ever.
        env.reader_check()
        _growing(env, lambda: _change(env, changes()))
    seal.put(generation)


def _change(env: lmdb.Environment, changes: Changes) -> None:
    with env.begin(write=True) as txn:
        content, head = decode_content(txn.get(b"c") or b""), decode_head(txn.get(b"r") or b"")
        tree = _Tree(txn, content.checksum)
        for tenant, extension, person in changes.subscribers:
            tree.set_subscriber(subscriber_key(tenant, extension), person)
        for number, did in changes.dids:
            tree.set(b"d" + number.encode(), None if did is None else _encode(did))
        for name, each in changes.tenants:
            tree.set(b"t" + name.encode(), None if each is None else _encode(each))
        if changes.small is not None:
            small = _encode(changes.small)
            tree.set(b"g", small)
            tree.set(b"r", _head(changes, small))
        else:
            tree.set(b"r", _encode(Head(changes.revision, changes.at, head.globals)))
        txn.put(b"c", _encode(msgspec.structs.replace(content, checksum=tree.checksum)))


class _Tree:
    """A transaction that keeps count of the checksum."""

    def __init__(self, txn: lmdb.Transaction, checksum: int) -> None:
        self._txn = txn
        self.checksum = checksum

    def set(self, key: bytes, value: bytes | None) -> bytes | None:
        """Write or delete; gives what was there."""
        txn = self._txn
        if value is not None:
            self.checksum += checksum(key, value)
        before = cast("bytes | None", txn.pop(key) if value is None else txn.replace(key, value))
        if before is not None:
            self.checksum -= checksum(key, before)
        return before

    def set_subscriber(self, key: bytes, person: Subscriber | None) -> None:
        body = None if person is None else _encode(person)
        msisdn = None if person is None else person.msisdn
        before = self.set(key, body)
        had = None if before is None else decode_subscriber(before).msisdn
        if had is not None and had != msisdn:
            number = b"m" + had.encode()
            # Where somebody else has taken the number over meanwhile, it stays there.
            if self._txn.get(number) == before:
                self.set(number, None)
        if msisdn is not None:
            self.set(b"m" + msisdn.encode(), body)


# -- what is there -------------------------------------------------------------------------------------


def to_go_on_from(path: Path) -> Head | str:
    """Where `update` can start from; the reason where a rebuild is needed.

    What has no seal that fits is verified first: it is well where its writer was killed before sealing, or
    where the machine was started again.
    """
    name = seal.current(path)
    if name is None:
        return "there is none"
    try:
        seal.check(path / name)
    except seal.BrokenError as error:
        why = verify_apart(path / name)
        if why:
            return f"{error}; {why}"
        seal.put(path / name)
    try:
        with (
            lmdb.open(str(path / name), map_size=MAP_SIZE, readonly=True, create=False) as env,
            env.begin() as txn,
        ):
            content, head = decode_content(txn.get(b"c") or b""), decode_head(txn.get(b"r") or b"")
    except (lmdb.Error, msgspec.DecodeError) as error:
        return str(error)
    if content.layout != LAYOUT or content.fields != fields():
        return "it was written by another version"
    return head


def globals_in(path: Path) -> Globals:
    """The small part of the generation in use, after `to_go_on_from` has taken it for good."""
    with (
        lmdb.open(
            str(path / (seal.current(path) or "")), map_size=MAP_SIZE, readonly=True, create=False
        ) as env,
        env.begin() as txn,
    ):
        return decode_globals(txn.get(b"g") or b"")


def verify_apart(generation: Path) -> str:
    """Read all of a generation in a process of its own, which a broken file may kill; "" where it is well."""
    command = [sys.executable, "-m", "kemi.directory.verify", str(generation)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=VERIFY_SECONDS)
    except subprocess.TimeoutExpired:
        return "reading it does not come to an end"
    if done.returncode < 0:
        return f"reading it ends in signal {-done.returncode}"
    return done.stdout.strip() if done.returncode == 1 else done.stderr.strip()[-200:]
