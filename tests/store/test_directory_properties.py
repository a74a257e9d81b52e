"""Any edge that a file can describe is held, exported and brought back exactly; any earlier revision too."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kemi import store
from kemi.directory import imperative, nouns, rows
from kemi.directory.apply import apply
from kemi.directory.document import (
    Bitrix24,
    Device,
    Did,
    Document,
    Egress,
    Ingress,
    Ivr,
    Limits,
    Outbound,
    Prefixes,
    Queue,
    Recording,
    Register,
    Rewrite,
    Route,
    Schedule,
    Subscriber,
    Tenant,
    Timeout,
    Trunk,
    Webhook,
)
from kemi.directory.edit import commit, writing
from kemi.directory.partial import Part
from kemi.directory.rollback import roll_back
from kemi.directory.yamlfile import DocumentError, dump, parse

# Few names, numbers and places, so that documents drawn one after the other have much in common.
TRUNKS = ("mvno", "carrier", "other-1", "R_2")
TENANTS = ("company", "co_2", "0", "9z")
EXTENSIONS = ("201", "202", "00", "999999")
NUMBERS = tuple(f"+7495000000{digit}" for digit in range(10))
NAMES = ("main", "a", "Z-9_")
SHAPES = ("e164", "e164_bare", "national_trunk", "national", "international_00")

# Printable, and hard for YAML: what looks like something else, quotes, colons, other alphabets.
words = st.one_of(
    st.sampled_from(
        ["", "yes", "null", "1e3", "0201", "ООО «Ёж»: #1", "- a", "{b", "'", '"', " x ", "&a *a", "=", "да"]
    ),
    st.text(max_size=12).filter(str.isprintable),
)
policies = st.sampled_from(["all", "inbound", "outbound", "none"])
variables = st.sampled_from(["PW", "_X9", "SECRET_2"])
counts = st.none() | st.integers(1, 10**6)
shapes = st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3, unique=True).map(tuple)
prefixes = st.none() | st.builds(
    Prefixes,
    trunk=st.sampled_from(["8", "0", "9"]),
    international=st.lists(st.sampled_from(["810", "00"]), unique=True).map(tuple),
)


@st.composite
def trunks(draw, number: int, numbers: tuple[str, ...]):
    address = f"192.0.2.{number + 1}"
    trusted = draw(st.none() | st.booleans())
    asserting = st.lists(st.sampled_from(["P-Asserted-Identity", "From"]), max_size=2, unique=True)
    return Trunk(
        kind=draw(st.sampled_from(["mvno", "carrier"])),
        peers=(f"sip:{address}", f"sip:[2001:db8::{number}]:5062;transport=tcp")[: draw(st.integers(1, 2))],
        accept_from=(address, f"198.51.100.{number * 16}/28")[: draw(st.integers(1, 2))],
        identity=() if trusted is False else tuple(draw(asserting)),
        trusted=trusted,
        called_from=draw(st.sampled_from(["Request-URI", "To", "P-Called-Party-ID"])),
        ingress=Ingress(
            calling=draw(shapes),
            called=draw(shapes),
            rewrite=draw(
                st.sampled_from([(), (Rewrite("a", "7{x}", "{x}"), Rewrite("b", "{x}#", "{x}", "calling"))])
            ),
        ),
        egress=Egress(
            shape=draw(st.sampled_from(SHAPES)),
            headers=draw(
                st.dictionaries(st.sampled_from(["To", "From", "Diversion"]), st.sampled_from(SHAPES))
            ),
            privacy=draw(st.sampled_from([None, "pass", "drop"])),
            forwarded=draw(st.sampled_from(["own", "original"])),
            diversion=draw(st.sampled_from([("Diversion",), ("History-Info", "Diversion"), ()])),
        ),
        numbers=numbers,
        area_code=draw(st.sampled_from([None, "495"])),
        prefixes=draw(prefixes.filter(lambda one: one is None or one.trunk)),
        on_media_down=draw(st.sampled_from(["breakout", "reject"])),
        limits=draw(st.builds(Limits, channels=counts, calls_per_second=counts)),
        register=draw(
            st.none()
            | st.builds(Register, registrar=st.just(f"sip:{address}"), user=words, password_env=variables)
        ),
    )


def places(tenant_extensions, ivrs, queues):
    """Places of a tenant that lead somewhere."""
    known = [f"{what}:{name}" for what in ("subscriber", "voicemail") for name in tenant_extensions]
    known += [f"ivr:{name}" for name in ivrs] + [f"queue:{name}" for name in queues]
    return st.sampled_from(known) if known else None


@st.composite
def tenants(draw, trunk_names, presentable, msisdns, dids):
    extensions = draw(st.lists(st.sampled_from(EXTENSIONS), unique=True))
    some = st.lists(st.sampled_from(NAMES), max_size=2, unique=True)
    ivrs, queues, schedules = draw(some), draw(some) if extensions else [], draw(some)
    to = places(extensions, ivrs, queues)
    maybe = st.none() if to is None else st.none() | to
    caller_id = st.none() | st.sampled_from(presentable) if presentable else st.none()
    devices = st.none() | st.builds(Device, password_env=variables)
    people = {}
    for extension in extensions:
        device = draw(devices)
        rings = ["mobile", "device"] if device else ["mobile"]
        people[extension] = Subscriber(
            name=draw(words),
            msisdn=msisdns.pop() if msisdns and draw(st.booleans()) else None,
            crm_user=draw(st.none() | st.integers(-5, 10**9)),
            ring=tuple(draw(st.lists(st.sampled_from(rings), unique=True))),
            answer_confirm=draw(st.booleans()),
            voicemail=draw(st.booleans()),
            recording=draw(st.none() | policies),
            caller_id=draw(caller_id),
            clir=draw(st.booleans()),
            suspended=draw(st.booleans()),
            device=device,
        )
    led = st.just({}) if to is None else st.dictionaries(st.sampled_from("0123456789*#"), to, max_size=3)
    return Tenant(
        name=draw(words),
        area_code=draw(st.sampled_from([None, "495", "0495"])),
        prefixes=draw(prefixes),
        caller_id=draw(caller_id),
        recording=Recording(
            draw(policies),
            tuple(draw(st.lists(st.sampled_from(["inbound", "outbound"]), unique=True))),
            draw(st.sampled_from([None, "180d", "1d"])),
        ),
        outbound=draw(
            st.builds(
                Outbound,
                allow=st.lists(st.sampled_from(["+", "+7", "+375"]), unique=True).map(tuple),
                concurrent=counts,
            )
        ),
        subscribers=people,
        numbers={}
        if to is None or not trunk_names
        else {
            dids.pop(): Did(draw(st.sampled_from(trunk_names)), draw(to))
            for _ in range(draw(st.integers(0, min(2, len(dids)))))
        },
        ivrs={
            name: Ivr(
                greeting="hello",
                schedule=draw(st.none() | st.sampled_from(schedules)) if schedules else None,
                direct_dial=draw(st.booleans()),
                choices=draw(led),
                timeout=draw(st.none() | st.builds(Timeout, seconds=st.integers(1, 60), to=to))
                if to is not None
                else None,
            )
            for name in ivrs
        },
        queues={
            name: Queue(
                members=tuple(draw(st.lists(st.sampled_from(extensions), min_size=1, unique=True))),
                strategy=draw(st.sampled_from(["ring_all", "linear"])),
                max_wait=draw(counts),
                overflow=draw(maybe),
            )
            for name in queues
        },
        schedules={
            name: Schedule(
                timezone="Europe/Moscow",
                open=tuple(
                    draw(st.lists(st.sampled_from(["Mon-Fri 09:00-18:00", "Sun 00:00-23:59"]), unique=True))
                ),
                closed_dates=draw(st.sampled_from([(), ("2027-01-01",)])),
                closed_to=draw(maybe),
            )
            for name in schedules
        },
        destinations=draw(
            st.dictionaries(
                st.sampled_from(NAMES),
                st.builds(
                    Bitrix24,
                    portal=st.just("a.example"),
                    credentials_env=variables,
                    create_leads=st.booleans(),
                )
                | st.builds(Webhook, url=st.just("https://a.example/x?y=1#z"), secret_env=variables),
                max_size=2,
            )
        ),
    )


@st.composite
def documents(draw):
    """Edges that are valid as they are made."""
    names = draw(st.permutations(TRUNKS))[: draw(st.integers(0, 3))]
    pool = list(draw(st.permutations(NUMBERS)))
    owned = {name: tuple(pool.pop() for _ in range(draw(st.integers(0, 2)))) for name in names}
    presentable = [number for numbers in owned.values() for number in numbers]
    made = {name: draw(trunks(TRUNKS.index(name), owned[name])) for name in names}
    free = list(draw(st.permutations([f"+7999000000{digit}" for digit in range(8)])))
    msisdns, dids = free[:4], free[4:]
    routes = ()
    if names:
        some = st.lists(st.sampled_from(names), min_size=1, max_size=2).map(tuple)
        routes = tuple(
            draw(st.lists(st.builds(Route, st.sampled_from(["+", "+7", "+7495"]), some), max_size=4))
        )
    media = tuple(draw(st.lists(st.sampled_from(["sip:192.0.2.100:5080", "sip:192.0.2.101"]), unique=True)))
    organisations = {
        name: draw(tenants(names, presentable, msisdns, dids))
        for name in draw(st.lists(st.sampled_from(TENANTS), max_size=3, unique=True))
    }
    return Document(trunks=made, routes=routes, media=media, tenants=organisations)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """A database to copy: migrating one anew for each example would take most of the time."""
    path = tmp_path_factory.mktemp("migrated") / "fmc.sqlite"
    store.migrate(f"sqlite:///{path}")
    return path.read_bytes()


@pytest.fixture
def fresh(migrated, tmp_path):
    made = []

    def make():
        path = tmp_path / f"{len(made)}.sqlite"
        path.write_bytes(migrated)
        made.append(store.engine_for(f"sqlite:///{path}"))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


def held(engine) -> Document:
    with store.reading(engine) as connection:
        return rows.document(connection)


def put(engine, document):
    return apply(engine, document, who="tester", file="f.yaml", prune=True)


RULES = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@RULES
@given(document=documents())
def test_apply_export_apply_is_no_change(fresh, document):
    text = dump(document)
    assert parse(text, "f.yaml") == document
    engine = fresh()
    put(engine, document)
    assert held(engine) == document
    assert put(engine, parse(dump(held(engine)), "exported.yaml")).changes == ()
    engine.dispose()


@RULES
@given(edges=st.lists(documents(), min_size=2, max_size=5), data=st.data())
def test_any_earlier_revision_comes_back_exactly(fresh, edges, data):
    engine = fresh()
    states = [Document()]
    for document in edges:
        if put(engine, document).changes:
            states.append(document)
        assert held(engine) == document
    for _ in range(3):
        revision = data.draw(st.integers(0, len(states) - 1))
        if roll_back(engine, revision, who="tester", expected=len(states) - 1).changes:
            states.append(states[revision])
        assert held(engine) == states[revision]
    engine.dispose()


CHANGES = st.one_of(
    st.tuples(
        st.just("set"),
        st.just(nouns.SUBSCRIBER),
        st.tuples(st.sampled_from(TENANTS), st.sampled_from(EXTENSIONS)),
        st.lists(
            st.sampled_from(
                [
                    "msisdn=+79990000001",
                    "msisdn=",
                    "ring=",
                    "caller_id=+74950000001",
                    "suspended=yes",
                    "name=: {",
                ]
            ),
            min_size=1,
            unique_by=lambda text: text.partition("=")[0],
        ),
    ),
    st.tuples(
        st.sampled_from(["add", "remove"]),
        st.just(nouns.SUBSCRIBER),
        st.tuples(st.sampled_from(TENANTS), st.sampled_from(EXTENSIONS)),
        st.lists(st.sampled_from(["msisdn=+79990000002"]), max_size=1),
    ),
    st.tuples(
        st.sampled_from(["set", "remove"]),
        st.just(nouns.TRUNK),
        st.tuples(st.sampled_from(TRUNKS)),
        st.just(["numbers=+74950000001"]),
    ),
    st.tuples(
        st.just("set"),
        st.just(nouns.TENANT),
        st.tuples(st.sampled_from(TENANTS)),
        st.sampled_from([["country=KZ"], ["caller_id=+74950000001"]]),
    ),
)


@RULES
@given(document=documents(), changes=st.lists(CHANGES, min_size=1, max_size=5))
def test_whatever_one_change_does_the_whole_is_valid_and_differs_in_that_only(fresh, document, changes):
    """A part is checked: what it lets pass must be what the check of the whole lets pass."""
    engine = fresh()
    put(engine, document)
    for verb, noun, names, given_ in changes:
        before = held(engine)
        try:
            with writing(engine) as connection:
                part = Part(connection)
                if verb == "remove":
                    made = imperative.remove(part, noun, names)
                else:
                    made = {"add": imperative.add, "set": imperative.set_}[verb](part, noun, names, given_)
                commit(connection, made.changes, who="tester", what="test")
        except (imperative.RefusedError, DocumentError):
            assert held(engine) == before
            continue
        after = held(engine)
        assert parse(dump(after), "f.yaml") == after
        entry = noun.entry(after, names)
        assert (entry is None) == (verb == "remove")
        others = (noun.with_entry(before, names, None), noun.with_entry(after, names, None))
        if noun is not nouns.TENANT:
            assert others[0] == others[1]
    engine.dispose()


def test_the_strategy_reaches_every_key():
    """What no example ever sets, no example ever proves."""
    reached: set[tuple[str, str]] = set()

    def walk(value):
        if isinstance(value, msgspec.Struct):
            for field in msgspec.structs.fields(value):
                held_ = getattr(value, field.name)
                if held_ != field.default:
                    reached.add((type(value).__name__, field.name))
                walk(held_)
        elif isinstance(value, dict | tuple):
            for one in value.values() if isinstance(value, dict) else value:
                walk(one)

    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(document=documents())
    def draw(document):
        walk(document)

    draw()
    wanted = {("Subscriber", name) for name in Subscriber.__struct_fields__}
    wanted |= {("Tenant", name) for name in Tenant.__struct_fields__ if name != "country"}
    wanted |= {("Trunk", name) for name in Trunk.__struct_fields__ if name != "country"}
    assert wanted - reached == set()
