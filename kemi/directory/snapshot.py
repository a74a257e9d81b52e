"""The snapshot: a node's copy of the directory in LMDB, read by the SIP workers, written by the sync agent.

Layout of the one database, all values msgpack:

    "g"                          Globals: what every call needs, decoded once a revision and kept
    "m" msisdn                   Subscriber
    "x" tenant NUL extension     Subscriber
    "d" number                   Did

Trunks, routes and tenants are few and stand in Globals. Subscribers and DIDs are many: they are looked up
in the memory map, which all workers share, so a worker's own memory does not grow with them.

No SQL here: this module is imported by the SIP workers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import lmdb
import msgspec

from kemi.routing.model import Did, Route, Subscriber, Tenant, Trunk

MEDIA_SET = 1
"""Kamailio's dispatcher set of the media servers."""

FIRST_TRUNK_SET = 100
"""Dispatcher sets of trunks have this number or a higher one."""

MAX_READERS = 1024
"""Processes that may read one snapshot at once; the first that opens it decides."""

MODE = 0o660
"""Rights of its files: the directory holds people's numbers, and readers take a lock in one of them."""

MAP_SIZE = 64 << 20
"""Bytes of the memory map to begin with; the writer doubles it as needed, readers follow."""


class Globals(msgspec.Struct, frozen=True):
    """The small part of the directory. `sets` maps a trunk's name to its dispatcher set.

    `trunks` and `routes` are in the order that routing.model.Directory asks for.
    """

    revision: int
    trunks: tuple[Trunk, ...] = ()
    routes: tuple[Route, ...] = ()
    tenants: tuple[Tenant, ...] = ()
    sets: Mapping[str, int] = {}


class SnapshotError(Exception):
    """There is no snapshot to read; the message says what to do."""


_Get = Callable[[bytes], bytes | None]

_globals = msgspec.msgpack.Decoder(Globals).decode
_subscriber = msgspec.msgpack.Decoder(Subscriber).decode
_did = msgspec.msgpack.Decoder(Did).decode


class SnapshotDirectory:
    """Implements routing.model.Directory for one process. Open it after the fork; it only reads.

    Every call is handled between `begin` and `end`, or in `with reader:`. In between it sees one state of
    the directory, whatever is written meanwhile; `end` matters, because an open transaction keeps the
    writer from using old pages again.

        reader = SnapshotDirectory(settings.snapshot)
        with reader:
            decision = decide(call, reader)

    Raises SnapshotError, also from `begin`, where no snapshot has been written yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._env = lmdb.open(
                str(path), map_size=MAP_SIZE, readonly=True, create=False, max_readers=MAX_READERS
            )
        except lmdb.Error as error:
            raise SnapshotError(self._missing(str(error))) from error
        self._txn: lmdb.Transaction | None = None
        self._get: _Get = _outside_of_a_call
        self._written = -1
        self._load(Globals(revision=0))

    def _missing(self, why: str) -> str:
        return f"no snapshot in {self._path} ({why}): run 'python -m kemi.agent sync --once'"

    def _load(self, small: Globals) -> None:
        self._revision = small.revision
        self._trunks = small.trunks
        self._routes = small.routes
        self._sets = small.sets
        self._trunk = {trunk.name: trunk for trunk in small.trunks}
        self._tenant = {tenant.name: tenant for tenant in small.tenants}

    def begin(self) -> None:
        """Start a call: see the newest state of the directory from here on."""
        if self._txn is not None:
            # The call before died between begin and end.
            self.end()
        try:
            # py-lmdb keeps the aborted transaction of the last call and renews it here: 0.1 µs.
            txn = self._env.begin()
        except lmdb.MapResizedError:
            self._env.set_mapsize(0)
            txn = self._env.begin()
        self._txn = txn
        self._get = cast("_Get", txn.get)
        # LMDB's own number of the last commit changes with every snapshot: no lookup needed to compare.
        if txn.id() != self._written:
            small = txn.get(b"g")
            if small is None:
                self.end()
                raise SnapshotError(self._missing("it is empty"))
            self._load(_globals(small))
            self._written = txn.id()

    def end(self) -> None:
        """End the call that `begin` started."""
        if self._txn is not None:
            self._txn.abort()
            self._txn = None
            self._get = _outside_of_a_call

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def close(self) -> None:
        """Give the environment back."""
        self.end()
        self._env.close()

    @property
    def revision(self) -> int:
        return self._revision

    def trunk(self, name: str) -> Trunk | None:
        return self._trunk.get(name)

    def trunks(self) -> Sequence[Trunk]:
        return self._trunks

    def routes(self) -> Sequence[Route]:
        return self._routes

    def trunk_set(self, name: str) -> int:
        """Kamailio's dispatcher set of a trunk; KeyError when there is no such trunk."""
        return self._sets[name]

    def tenant(self, name: str) -> Tenant | None:
        return self._tenant.get(name)

    def subscriber(self, tenant: str, extension: str) -> Subscriber | None:
        found = self._find(f"x{tenant}\0{extension}")
        return None if found is None else _subscriber(found)

    def subscriber_by_msisdn(self, msisdn: str) -> Subscriber | None:
        found = self._find("m" + msisdn)
        return None if found is None else _subscriber(found)

    def did(self, number: str) -> Did | None:
        found = self._find("d" + number)
        return None if found is None else _did(found)

    def _find(self, key: str) -> bytes | None:
        try:
            return self._get(key.encode())
        except (lmdb.BadValsizeError, UnicodeEncodeError):
            # A text from outside, too long for a key of LMDB (511 bytes) or no text: nobody has that number.
            return None


def _outside_of_a_call(_: bytes) -> bytes | None:
    raise RuntimeError("the snapshot is read between begin() and end()")


def write(path: Path, small: Globals, subscribers: Iterable[Subscriber], dids: Iterable[Did]) -> None:
    """Replace the snapshot in `path` by this one, in one transaction: readers see the old one or the new.

    Raises lmdb.Error when it cannot be written (disk full); then the old one stays.
    """
    encode = msgspec.msgpack.encode
    records = [(b"g", encode(small))]
    for subscriber in subscribers:
        body = encode(subscriber)
        records.append((f"x{subscriber.tenant}\0{subscriber.extension}".encode(), body))
        if subscriber.msisdn is not None:
            records.append((b"m" + subscriber.msisdn.encode(), body))
    records += ((b"d" + did.number.encode(), encode(did)) for did in dids)
    records.sort()

    path.mkdir(parents=True, exist_ok=True)
    with lmdb.open(str(path), map_size=MAP_SIZE, max_readers=MAX_READERS, mode=MODE) as env:
        # A worker that was killed in the middle of a call must not keep old pages for ever.
        env.reader_check()
        while True:
            try:
                _replace(env, records)
            except lmdb.MapFullError:
                env.set_mapsize(2 * env.info()["map_size"])
            else:
                return


def _replace(env: lmdb.Environment, records: Sequence[tuple[bytes, bytes]]) -> None:
    main = env.open_db()
    with env.begin(write=True) as txn:
        txn.drop(main, delete=False)
        for key, value in records:
            txn.put(key, value, append=True)
