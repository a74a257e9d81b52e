"""Tables of the directory. What a caller's number may select is unique in the database itself.

Columns carry the names of the file's keys. What is only ever read as a whole (lists, small mappings)
is JSON; `position` keeps the order of the file where order means something.
"""

from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from kemi.store import Base

Json = JSON(none_as_null=True)


class RevisionRow(Base):
    """One apply. `at` is microseconds since the epoch, UTC; `what` the changes in words."""

    __tablename__ = "revisions"

    # Numbered by apply, which adds one to what it read: of two at once, one fails instead of mixing.
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[int] = mapped_column(BigInteger)
    who: Mapped[str] = mapped_column(Text)
    what: Mapped[str] = mapped_column(Text)


class ChangeRow(Base):
    """One row that a revision changed: `noun` and `key` name it, `before` and `after` are all its columns.

    None before: it was new; None after: it was removed.
    """

    __tablename__ = "changes"

    revision: Mapped[int] = mapped_column(
        ForeignKey("revisions.number"), primary_key=True, autoincrement=False
    )
    ordinal: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    noun: Mapped[str] = mapped_column(Text)
    key: Mapped[list[Any]] = mapped_column(Json)
    before: Mapped[dict[str, Any] | None] = mapped_column(Json)
    after: Mapped[dict[str, Any] | None] = mapped_column(Json)


class TrunkRow(Base):
    """A trunk. Its dispatcher set comes from `id`, which is never given twice."""

    __tablename__ = "trunks"
    __table_args__ = (
        CheckConstraint("kind IN ('mvno', 'carrier')", name="kind"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    position: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(Text, unique=True)
    kind: Mapped[str] = mapped_column(Text)
    peers: Mapped[list[str]] = mapped_column(Json)
    accept_from: Mapped[list[str]] = mapped_column(Json)
    identity: Mapped[list[str]] = mapped_column(Json)
    trusted: Mapped[bool | None]
    called_from: Mapped[str] = mapped_column(Text)
    ingress: Mapped[dict[str, Any]] = mapped_column(Json)
    egress: Mapped[dict[str, Any]] = mapped_column(Json)
    numbers: Mapped[list[str]] = mapped_column(Json)
    country: Mapped[str] = mapped_column(Text)
    area_code: Mapped[str | None] = mapped_column(Text)
    prefixes: Mapped[dict[str, Any] | None] = mapped_column(Json)
    on_media_down: Mapped[str] = mapped_column(Text)
    limits: Mapped[dict[str, Any] | None] = mapped_column(Json)
    register: Mapped[dict[str, Any] | None] = mapped_column(Json)


class RouteRow(Base):
    """Where canonical numbers with a prefix leave; `ordinal` tells routes of the same prefix apart."""

    __tablename__ = "routes"

    prefix: Mapped[str] = mapped_column(Text, primary_key=True)
    ordinal: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(Integer)
    trunks: Mapped[list[str]] = mapped_column(Json)


class MediaServerRow(Base):
    """A media server of the pool."""

    __tablename__ = "media_servers"

    uri: Mapped[str] = mapped_column(Text, primary_key=True)
    position: Mapped[int] = mapped_column(Integer)


class TenantRow(Base):
    """An organisation: `tenant` is its key in the file, `name` how people call it."""

    __tablename__ = "tenants"

    tenant: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    country: Mapped[str] = mapped_column(Text)
    area_code: Mapped[str | None] = mapped_column(Text)
    prefixes: Mapped[dict[str, Any] | None] = mapped_column(Json)
    caller_id: Mapped[str | None] = mapped_column(Text)
    recording: Mapped[dict[str, Any]] = mapped_column(Json)
    outbound: Mapped[dict[str, Any]] = mapped_column(Json)


class SubscriberRow(Base):
    """A person of a tenant; one extension in a tenant, one msisdn anywhere."""

    __tablename__ = "subscribers"

    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.tenant"), primary_key=True)
    extension: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    msisdn: Mapped[str | None] = mapped_column(Text, unique=True)
    crm_user: Mapped[int | None] = mapped_column(Integer)
    ring: Mapped[list[str]] = mapped_column(Json)
    answer_confirm: Mapped[bool]
    voicemail: Mapped[bool]
    recording: Mapped[str | None] = mapped_column(Text)
    caller_id: Mapped[str | None] = mapped_column(Text, index=True)
    clir: Mapped[bool]
    suspended: Mapped[bool]
    device: Mapped[dict[str, Any] | None] = mapped_column(Json)


class DidRow(Base):
    """A public number of a tenant and what it leads to."""

    __tablename__ = "dids"
    __table_args__ = (Index("ix_dids_tenant_to", "tenant", "to"),)

    number: Mapped[str] = mapped_column(Text, primary_key=True)
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.tenant"))
    trunk: Mapped[str] = mapped_column(ForeignKey("trunks.name"), index=True)
    to: Mapped[str] = mapped_column(Text)
    crm_routing: Mapped[str | None] = mapped_column(Text)


class ServiceRow(Base):
    """A named part of a tenant: an IVR, queue, schedule or destination, `body` as in the file."""

    __tablename__ = "services"
    __table_args__ = (CheckConstraint("kind IN ('ivr', 'queue', 'schedule', 'destination')", name="kind"),)

    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.tenant"), primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    body: Mapped[dict[str, Any]] = mapped_column(Json)


class NodeRow(Base):
    """What a node last said of itself, and when: microseconds since the epoch, by its own clock."""

    __tablename__ = "nodes"

    node: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(Integer)
    state: Mapped[dict[str, Any]] = mapped_column(Json)
