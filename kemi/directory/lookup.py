"""The directory as the database answers for it, key by key: for looking at a few calls, not to carry any.

What one call asks for is a handful of rows, whatever the number of subscribers.
"""

from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import Connection

from kemi.directory import rows, values
from kemi.directory.document import Document
from kemi.directory.tables import DidRow, MediaServerRow, RouteRow, SubscriberRow, TenantRow, TrunkRow
from kemi.routing.memory import MemoryDirectory
from kemi.routing.model import Did, Route, Subscriber, Tenant, Trunk
from kemi.store import Base

__all__ = ["DatabaseDirectory"]

KEPT = 65536
"""Answers of each kind that are kept: a capture asks for the same few again and again."""


class DatabaseDirectory:
    """Implements routing.model.Directory in one transaction, as reading_directory gives it.

    What was asked for lately is kept.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._revision = rows.revision(connection)
        small = self._read(TrunkRow, RouteRow, MediaServerRow)
        self._small = MemoryDirectory(values.trunks(small), values.routes(small))
        self.media = small.media
        self._tenants = lru_cache(KEPT)(self._tenant)
        self._subscribers = lru_cache(KEPT)(self._subscriber)
        self._msisdns = lru_cache(KEPT)(self._by_msisdn)
        self._dids = lru_cache(KEPT)(self._did)

    def _read(self, *wanted: type[Base], **where: str) -> Document:
        """What the rows of some tables hold, and the settings of the tenants that they belong to."""
        read: dict[type[Base], rows.Rows] = {row: {} for row in rows.KEYS}
        for row in wanted:
            table = rows.table_of(row)
            fitting = (table.c[name] == value for name, value in where.items())
            for found in rows.some(self._connection, row, *fitting):
                read[row][tuple(found[name] for name in rows.KEYS[row])] = found
                if "tenant" in found and row is not TenantRow:
                    owners = rows.table_of(TenantRow)
                    for owner in rows.some(self._connection, TenantRow, owners.c.tenant == found["tenant"]):
                        read[TenantRow][found["tenant"],] = owner
        return rows.document_of(read)

    @property
    def revision(self) -> int:
        return self._revision

    def trunk(self, name: str) -> Trunk | None:
        return self._small.trunk(name)

    def trunks(self) -> Sequence[Trunk]:
        return self._small.trunks()

    def routes(self) -> Sequence[Route]:
        return self._small.routes()

    def tenant(self, name: str) -> Tenant | None:
        return self._tenants(name)

    def subscriber(self, tenant: str, extension: str) -> Subscriber | None:
        return self._subscribers(tenant, extension)

    def subscriber_by_msisdn(self, msisdn: str) -> Subscriber | None:
        return self._msisdns(msisdn)

    def did(self, number: str) -> Did | None:
        return self._dids(number)

    def _tenant(self, name: str) -> Tenant | None:
        return next(iter(values.tenants(self._read(TenantRow, tenant=name))), None)

    def _subscriber(self, tenant: str, extension: str) -> Subscriber | None:
        return next(values.subscribers(self._read(SubscriberRow, tenant=tenant, extension=extension)), None)

    def _by_msisdn(self, msisdn: str) -> Subscriber | None:
        return next(values.subscribers(self._read(SubscriberRow, msisdn=msisdn)), None)

    def _did(self, number: str) -> Did | None:
        return next(values.dids(self._read(DidRow, number=number)), None)
