"""The directory of examples/company.yaml, built by hand: what the pure core is tested against."""

from kemi.routing.memory import MemoryDirectory
from kemi.routing.model import Device, Did, Egress, Route, Subscriber, Tenant, Trunk

HOST = "192.0.2.1:5060"

MVNO = Trunk(
    name="mvno-main",
    kind="mvno",
    peers=("sip:127.0.0.1:6060",),
    accept_from=("127.0.0.1:6060",),
    identity=("P-Served-User", "P-Asserted-Identity", "From"),
    trusted=True,
    calling=("e164_bare", "e164"),
    called=("service", "extension", "e164", "national_trunk", "international_prefix", "local"),
    egress=Egress(shape="e164_bare", headers={"P-Asserted-Identity": "e164"}, privacy="pass"),
    on_media_down="breakout",
)
LANDLINE = Trunk(
    name="legacy-landline",
    kind="carrier",
    peers=("sip:127.0.0.1:6061",),
    accept_from=("127.0.0.1:6061",),
    called_from="To",
    calling=("national", "national_trunk", "international_prefix"),
    called=("national", "national_trunk"),
    egress=Egress(shape="national_trunk"),
    numbers=("+74951234567",),
)
WHOLESALE = Trunk(
    name="wholesale",
    kind="carrier",
    peers=("sip:127.0.0.1:6062", "sip:127.0.0.1:6063"),
    accept_from=("127.0.0.1:6062", "127.0.0.1:6063"),
    calling=("e164", "e164_bare"),
    called=("e164", "e164_bare"),
    egress=Egress(shape="e164", privacy="pass"),
    numbers=("+74957654321",),
)
TRUNKS = (MVNO, LANDLINE, WHOLESALE)
ROUTES = (Route("+7495", ("legacy-landline", "wholesale")), Route("+", ("wholesale",)))
COMPANY = Tenant(
    name="company",
    title="ООО «Пример»",
    country="RU",
    area_code="495",
    caller_id="+74951234567",
    recording="all",
    announce=("inbound", "outbound"),
    outbound_allow=("+7", "+375"),
)
BUYER = Subscriber(
    tenant="company", extension="201", name="Отдел закупок", msisdn="+79990000201", crm_user=7, voicemail=True
)
DISPATCHER = Subscriber(
    tenant="company",
    extension="202",
    name="Диспетчер логистики",
    msisdn="+79990000202",
    crm_user=8,
    ring=("mobile", "device"),
    device=Device(password_env="DISPATCHER_SIP_PASSWORD"),  # noqa: S106 (the name of a variable)
)
MANAGER = Subscriber(
    tenant="company",
    extension="203",
    name="Удалённый менеджер",
    msisdn="+79990000203",
    crm_user=9,
    recording="none",
    caller_id="+74957654321",
)
SUBSCRIBERS = (BUYER, DISPATCHER, MANAGER)
DIDS = (
    Did("+74951234567", "company", "legacy-landline", "ivr:main", crm_routing="responsible"),
    Did("+74957654321", "company", "wholesale", "subscriber:203"),
)


def directory(
    trunks=TRUNKS, routes=ROUTES, tenants=(COMPANY,), subscribers=SUBSCRIBERS, dids=DIDS
) -> MemoryDirectory:
    """The example, or a variation of it."""
    return MemoryDirectory(trunks, routes, tenants, subscribers, dids)
