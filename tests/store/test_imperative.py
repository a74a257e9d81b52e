"""One change at a time: what it does, what it refuses, and that it costs the same among very many."""

from pathlib import Path

import msgspec
import pytest

from kemi import store
from kemi.directory import imperative, nouns, rows
from kemi.directory.apply import apply
from kemi.directory.document import Bitrix24, Did, Document, Queue, Route, Subscriber, Tenant, Webhook
from kemi.directory.edit import commit, writing
from kemi.directory.imperative import RefusedError
from kemi.directory.partial import Part
from kemi.directory.yamlfile import DocumentError, load

EXAMPLE = Path(store.__file__).parent.parent / "examples" / "company.yaml"


@pytest.fixture
def engine(tmp_path):
    url = f"sqlite:///{tmp_path / 'fmc.sqlite'}"
    store.migrate(url)
    engine = store.engine_for(url)
    apply(engine, load(EXAMPLE), who="tester", file="f.yaml")
    yield engine
    engine.dispose()


def held(engine) -> Document:
    with store.reading(engine) as connection:
        return rows.document(connection)


def run(engine, what, *arguments, **options):
    with writing(engine) as connection:
        made = what(Part(connection), *arguments, **options)
        commit(connection, made.changes, who="tester", what="test")
    return made


def add(engine, noun, *names_and_given):
    names, given = split(noun, names_and_given)
    return run(engine, imperative.add, noun, names, given)


def set_(engine, noun, *names_and_given):
    names, given = split(noun, names_and_given)
    return run(engine, imperative.set_, noun, names, given)


def remove(engine, noun, *names):
    return run(engine, imperative.remove, noun, names)


def split(noun, words):
    count = 2 if noun.inner else 1
    return tuple(words[:count]), list(words[count:])


def problems(call, *arguments) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        call(*arguments)
    return caught.value.lines()


def test_a_whole_edge_is_made_one_by_one(tmp_path):
    url = f"sqlite:///{tmp_path / 'other.sqlite'}"
    store.migrate(url)
    engine = store.engine_for(url)
    add(engine, nouns.TRUNK, "mvno", "kind=mvno", "peers=sip:192.0.2.1", "accept_from=192.0.2.1")
    add(
        engine,
        nouns.TRUNK,
        "carrier",
        "kind=carrier",
        "peers=sip:192.0.2.2,sip:192.0.2.3:5062",
        "accept_from=[192.0.2.2, '192.0.2.3']",
        "ingress={calling: [national, e164], called: e164}",
        "egress.shape=national_trunk",
        "egress.headers.To=e164",
        "numbers=+74951234567",
        "limits.channels=30",
    )
    add(engine, nouns.ROUTE, "+", "trunks=carrier")
    add(engine, nouns.ROUTE, "+", "trunks=mvno")
    add(engine, nouns.MEDIA, "sip:192.0.2.10:5080")
    add(engine, nouns.TENANT, "company", "name=ООО: «Пример», #1", "outbound.allow=+7,+375", "area_code=0495")
    add(
        engine,
        nouns.SUBSCRIBER,
        "company",
        "201",
        "msisdn=+79990000201",
        "ring=mobile,device",
        "device={password_env: PW}",
    )
    add(engine, nouns.SUBSCRIBER, "company", "202", "crm_user=7", "voicemail=yes")
    add(engine, nouns.QUEUE, "company", "sales", "members=201,202", "overflow=voicemail:202")
    add(
        engine,
        nouns.SCHEDULE,
        "company",
        "office",
        "timezone=Europe/Moscow",
        "open=Mon-Fri 09:00-18:00,Sat 10:00-14:00",
    )
    add(
        engine,
        nouns.IVR,
        "company",
        "main",
        "greeting=hello",
        "schedule=office",
        "choices.1=queue:sales",
        "choices.2=subscriber:201",
    )
    add(engine, nouns.NUMBER, "company", "+74951234567", "trunk=carrier", "to=ivr:main")
    add(
        engine,
        nouns.DESTINATION,
        "company",
        "hook",
        "kind=webhook",
        "url=https://a.example/x?y=z",
        "secret_env=S",
    )
    document = held(engine)
    engine.dispose()
    carrier, company = document.trunks["carrier"], document.tenants["company"]
    assert carrier.peers == ("sip:192.0.2.2", "sip:192.0.2.3:5062")
    assert (carrier.ingress.calling, carrier.ingress.called) == (("national", "e164"), ("e164",))
    assert (carrier.egress.shape, carrier.egress.headers) == ("national_trunk", {"To": "e164"})
    assert document.routes == (Route("+", ("carrier",)), Route("+", ("mvno",)))
    assert (company.name, company.area_code) == ("ООО: «Пример», #1", "0495")
    assert company.outbound.allow == ("+7", "+375")
    assert company.subscribers["201"].device.password_env == "PW"  # noqa: S105  the name of a variable
    assert company.schedules["office"].open == ("Mon-Fri 09:00-18:00", "Sat 10:00-14:00")
    assert company.ivrs["main"].choices == {"1": "queue:sales", "2": "subscriber:201"}
    assert company.destinations["hook"] == Webhook("https://a.example/x?y=z", "S")


def test_set_leaves_all_other_keys(engine):
    before = held(engine)
    set_(engine, nouns.SUBSCRIBER, "company", "202", "name=Ночной диспетчер", "crm_user=", "recording=none")
    person = before.tenants["company"].subscribers["202"]
    after = msgspec.structs.replace(person, name="Ночной диспетчер", crm_user=None, recording="none")
    assert held(engine).tenants["company"].subscribers["202"] == after
    set_(engine, nouns.TENANT, "company", "recording.announce=", "country=KZ")
    company = held(engine).tenants["company"]
    assert (company.recording.policy, company.recording.announce, company.country) == ("all", (), "KZ")
    assert len(company.subscribers) == 3
    set_(engine, nouns.DESTINATION, "company", "crm", "create_leads=no")
    assert held(engine).tenants["company"].destinations["crm"] == Bitrix24(
        "portal.example", "BITRIX24_CREDENTIALS"
    )
    set_(engine, nouns.ROUTE, "+7495", "trunks=wholesale")
    assert held(engine).routes[0] == Route("+7495", ("wholesale",))
    set_(engine, nouns.TRUNK, "wholesale", "limits.channels=5")
    assert list(held(engine).trunks) == list(before.trunks)


def test_what_is_set_to_what_it_is_changes_nothing(engine):
    assert set_(engine, nouns.SUBSCRIBER, "company", "202", "ring=mobile,device").changes == ()
    with store.reading(engine) as connection:
        assert rows.revision(connection) == 1


def test_routes_of_one_prefix_are_told_apart(engine):
    add(engine, nouns.ROUTE, "+7495", "trunks=wholesale")
    assert set_(engine, nouns.ROUTE, "+7495/2", "trunks=legacy-landline").changes
    remove(engine, nouns.ROUTE, "+7495")
    assert [(route.prefix, route.trunks) for route in held(engine).routes] == [
        ("+", ("wholesale",)),
        ("+7495", ("legacy-landline",)),
    ]


def test_all_complaints_at_once_in_the_words_of_the_file(engine):
    given = (
        "msisd=+79990000209",
        "crm_user=x",
        "ring=mobile,fax",
        "caller_id=+74950000000",
        "name",
        "clir=no",
        "clir=yes",
    )
    found = problems(add, engine, nouns.SUBSCRIBER, "company", "112x", *given)
    at = "tenants.company.subscribers.112x"
    assert f'{at}: "name" says nothing; write KEY=VALUE' in found
    assert any(line.startswith(f"{at}.caller_id: no trunk owns +74950000000") for line in found)
    assert f"{at}.msisd: is no known key; did you mean msisdn?" in found
    assert f"{at}.clir: is there twice; give it once" in found
    assert any(line.startswith(f'{at}.ring[1]: "fax" is not known') for line in found)
    assert any(line.startswith(f"{at}: cannot be an extension") for line in found)
    assert f"{at}.crm_user: is text; it must be a whole number" in found


def test_checks_between_the_parts_hold_for_one_change_too(engine):
    (owned,) = problems(add, engine, nouns.SUBSCRIBER, "company", "204", "msisdn=+79990000201")
    owner = "+79990000201 is already owned by tenants.company.subscribers.201"
    assert owned == f"tenants.company.subscribers.204.msisdn: {owner}; remove it from one of them"
    add(engine, nouns.TENANT, "alpha")
    (owned,) = problems(add, engine, nouns.SUBSCRIBER, "alpha", "204", "msisdn=+79990000201")
    assert owned.startswith("tenants.alpha.subscribers.204.msisdn: ")
    assert problems(add, engine, nouns.SUBSCRIBER, "company", "204", "msisdn=+74951234567")
    assert problems(add, engine, nouns.NUMBER, "company", "+79990000201", "trunk=wholesale", "to=ivr:main")
    assert problems(add, engine, nouns.QUEUE, "company", "night", "members=201,299")
    assert problems(set_, engine, nouns.NUMBER, "company", "+74951234567", "to=ivr:none")
    assert problems(set_, engine, nouns.TRUNK, "wholesale", "numbers=")
    assert problems(set_, engine, nouns.TRUNK, "wholesale", "accept_from=127.0.0.1:6060")
    assert problems(add, engine, nouns.SUBSCRIBER, "company", "103")
    add(engine, nouns.SUBSCRIBER, "alpha", "00")
    assert held(engine).tenants["alpha"].subscribers == {"00": Subscriber()}


def test_a_tenants_country_concerns_its_short_extensions(engine):
    add(engine, nouns.TENANT, "abroad", "country=001")
    add(engine, nouns.SUBSCRIBER, "abroad", "103")
    (found,) = problems(set_, engine, nouns.TENANT, "abroad", "country=RU")
    assert "103 is an emergency number in RU" in found


def test_what_was_wrong_before_stands_in_nobodys_way(engine, monkeypatch):
    real = imperative.planned.__globals__["check"]

    def stricter(document, has):
        yield from real(document, has)
        if document.tenants["company"].area_code == "495":
            yield ("tenants", "company", "area_code"), "is not allowed any more"

    monkeypatch.setitem(imperative.planned.__globals__, "check", stricter)
    assert set_(engine, nouns.SUBSCRIBER, "company", "202", "name=Новое").changes


@pytest.mark.parametrize(
    ("noun", "names", "told"),
    [
        (
            nouns.SUBSCRIBER,
            ("company", "201"),
            ["queues.sales.overflow", "closed_to", "queues.sales.members"],
        ),
        (nouns.SUBSCRIBER, ("company", "203"), ["tenants.company.numbers.+74957654321.to"]),
        (nouns.QUEUE, ("company", "sales"), ["ivrs.main.choices.1", "ivrs.main.timeout.to"]),
        (nouns.IVR, ("company", "main"), ["numbers.+74951234567.to"]),
        (nouns.SCHEDULE, ("company", "office"), ["ivrs.main.schedule"]),
        (nouns.TRUNK, ("wholesale",), ["routes[0] (+7495)", "routes[1] (+)", "numbers.+74957654321"]),
        (nouns.TENANT, ("company",), ["3 subscribers, 2 numbers, 1 ivrs"]),
    ],
    ids=str,
)
def test_what_is_referred_to_is_not_removed(engine, noun, names, told):
    with pytest.raises(RefusedError) as caught:
        remove(engine, noun, *names)
    for word in told:
        assert word in str(caught.value)


def test_a_trunk_whose_number_is_presented_is_not_removed(engine):
    set_(engine, nouns.ROUTE, "+7495", "trunks=wholesale")
    set_(engine, nouns.NUMBER, "company", "+74951234567", "trunk=wholesale")
    with pytest.raises(RefusedError, match=r"company.caller_id: no trunk owns \+74951234567"):
        remove(engine, nouns.TRUNK, "legacy-landline")
    set_(engine, nouns.TENANT, "company", "caller_id=")
    remove(engine, nouns.TRUNK, "legacy-landline")
    assert list(held(engine).trunks) == ["mvno-main", "wholesale"]


def test_what_nothing_refers_to_goes(engine):
    remove(engine, nouns.NUMBER, "company", "+74951234567")
    remove(engine, nouns.IVR, "company", "main")
    remove(engine, nouns.SCHEDULE, "company", "office")
    remove(engine, nouns.QUEUE, "company", "sales")
    remove(engine, nouns.SUBSCRIBER, "company", "201")
    remove(engine, nouns.MEDIA, "sip:127.0.0.1:5080")
    remove(engine, nouns.DESTINATION, "company", "crm")
    company = held(engine).tenants["company"]
    assert (list(company.subscribers), list(company.destinations)) == (["202", "203"], ["warehouse"])
    add(engine, nouns.TENANT, "empty")
    remove(engine, nouns.TENANT, "empty")
    assert list(held(engine).tenants) == ["company"]


@pytest.mark.parametrize(
    ("call", "noun", "words", "told"),
    [
        (add, nouns.SUBSCRIBER, ("compani", "204"), "did you mean company?"),
        (add, nouns.SUBSCRIBER, ("company", "201"), "already: change it with 'fmcctl subscriber set'"),
        (add, nouns.TENANT, ("company",), "already"),
        (add, nouns.MEDIA, ("sip:127.0.0.1:5080",), "already"),
        (set_, nouns.SUBSCRIBER, ("company", "299", "name=x"), "see 'fmcctl subscriber list company'"),
        (set_, nouns.TRUNK, ("wholesal", "country=RU"), "did you mean wholesale?"),
        (set_, nouns.QUEUE, ("company", "sale", "members=201"), "did you mean sales?"),
        (set_, nouns.NUMBER, ("company", "+74950000000", "to=ivr:main"), "there is no number"),
        (remove, nouns.ROUTE, ("+9",), "there is no route +9"),
        (remove, nouns.ROUTE, ("+7495/2",), "there is no route +7495/2"),
        (remove, nouns.TENANT, ("x",), "there is no tenant x"),
    ],
)
def test_what_is_not_there_or_is_there_already(engine, call, noun, words, told):
    with pytest.raises(RefusedError) as caught:
        call(engine, noun, *words)
    assert told in str(caught.value)


def test_a_number_of_another_tenant(engine):
    add(engine, nouns.TENANT, "other")
    for call, given in ((add, ("trunk=wholesale", "to=ivr:x")), (set_, ("to=ivr:x",)), (remove, ())):
        with pytest.raises(RefusedError, match="is a number of company, not of other"):
            call(engine, nouns.NUMBER, "other", "+74951234567", *given)


def test_a_sim_is_swapped(engine):
    made = run(engine, imperative.swap_sim, ("company", "201"), "+79990000301")
    assert [change.fields for change in made.changes] == [{"msisdn": ("+79990000201", "+79990000301")}]
    with pytest.raises(DocumentError, match="already owned"):
        run(engine, imperative.swap_sim, ("company", "201"), "+79990000202")
    with pytest.raises(DocumentError, match=r"is no E\.164 number"):
        run(engine, imperative.swap_sim, ("company", "201"), "89990000202")
    with pytest.raises(RefusedError):
        run(engine, imperative.swap_sim, ("company", "201"), "")


def test_an_extension_moves_with_all_that_refers_to_it(engine):
    before = held(engine).tenants["company"]
    set_(engine, nouns.NUMBER, "company", "+74957654321", "to=voicemail:202")
    run(engine, imperative.move, ("company", "202"), "302")
    run(engine, imperative.move, ("company", "201"), "202")
    company = held(engine).tenants["company"]
    assert company.subscribers["302"] == before.subscribers["202"]
    assert company.subscribers["202"] == before.subscribers["201"]
    assert company.numbers["+74957654321"] == Did("wholesale", "voicemail:302")
    assert company.ivrs["main"].choices["2"] == "subscriber:302"
    assert company.queues["sales"].members == ("202", "302")
    assert company.queues["sales"].overflow == "voicemail:202"
    assert company.schedules["office"].closed_to == "voicemail:202"
    with store.reading(engine) as connection:
        assert rows.revision(connection) == 4


@pytest.mark.parametrize(
    ("extension", "told"), [("203", "already"), ("1", "cannot be"), ("112", "emergency")]
)
def test_an_extension_does_not_move_to(engine, extension, told):
    with pytest.raises((RefusedError, DocumentError), match=told):
        run(engine, imperative.move, ("company", "201"), extension)


def test_suspend_and_resume(engine):
    run(engine, imperative.suspend, ("company", "201"), suspended=True)
    assert held(engine).tenants["company"].subscribers["201"].suspended
    assert run(engine, imperative.suspend, ("company", "201"), suspended=True).changes == ()
    run(engine, imperative.suspend, ("company", "201"), suspended=False)
    assert held(engine) == load(EXAMPLE)


CHANGES = {
    "add a subscriber": lambda part: imperative.add(
        part, nouns.SUBSCRIBER, ("company", "999999"), ["msisdn=+79999999999"]
    ),
    "set": lambda part: imperative.set_(part, nouns.SUBSCRIBER, ("company", "100001"), ["name=Другой"]),
    "swap a SIM": lambda part: imperative.swap_sim(part, ("company", "100001"), "+79999999999"),
    "move": lambda part: imperative.move(part, ("company", "100002"), "999999"),
    "remove": lambda part: imperative.remove(part, nouns.SUBSCRIBER, ("company", "100003")),
    "add a number": lambda part: imperative.add(
        part, nouns.NUMBER, ("company", "+74959999999"), ["trunk=wholesale", "to=subscriber:100001"]
    ),
    "set a tenant": lambda part: imperative.set_(part, nouns.TENANT, ("company",), ["recording.policy=none"]),
    "a tenant's country": lambda part: imperative.set_(part, nouns.TENANT, ("company",), ["country=KZ"]),
    "a trunk's numbers": lambda part: imperative.set_(
        part, nouns.TRUNK, ("wholesale",), ["numbers=+74957654321,+74950000001"]
    ),
    "remove a trunk's number": lambda part: imperative.set_(part, nouns.TRUNK, ("spare",), ["numbers="]),
    "add a queue": lambda part: imperative.add(
        part, nouns.QUEUE, ("company", "night"), ["members=100001,100002,100005"]
    ),
    "add a tenant": lambda part: imperative.add(part, nouns.TENANT, ("new",), []),
}


def edge_of(tmp_path, count):
    """An edge with so many subscribers, half of whom have a DID."""
    url = f"sqlite:///{tmp_path / f'{count}.sqlite'}"
    store.migrate(url)
    engine = store.engine_for(url)
    example = load(EXAMPLE)
    company = example.tenants["company"]
    people = {str(100_000 + n): Subscriber(f"Имя {n}", f"+7999{1_000_000 + n}") for n in range(count)}
    dids = {
        f"+7495{2_000_000 + n}": Did("wholesale", f"subscriber:{100_000 + 4 * n}") for n in range(count // 4)
    }
    queue = Queue(members=("201", "202"))
    company = msgspec.structs.replace(
        company,
        subscribers={**company.subscribers, **people},
        numbers={**company.numbers, **dids},
        queues={**company.queues, "other": queue},
    )
    spare = msgspec.structs.replace(
        example.trunks["wholesale"],
        accept_from=("192.0.2.1",),
        peers=("sip:192.0.2.1",),
        numbers=("+74950000009",),
        register=None,
    )
    document = msgspec.structs.replace(
        example, tenants={"company": company, "empty": Tenant()}, trunks={**example.trunks, "spare": spare}
    )
    apply(engine, document, who="tester", file="f.yaml")
    return engine


def steps_of(engine, change) -> int:
    """Tens of steps of SQLite's machine that a change takes, written and undone again."""
    count = 0

    def step():
        nonlocal count
        count += 1

    with engine.connect() as connection, connection.begin() as transaction:
        driver = connection.connection.dbapi_connection
        driver.set_progress_handler(step, 10)
        try:
            commit(connection, change(Part(connection)).changes, who="tester", what="test")
        finally:
            driver.set_progress_handler(None, 0)
        transaction.rollback()
    return count


def test_one_change_costs_the_same_among_a_thousand_times_as_many(tmp_path):
    few, many = edge_of(tmp_path, 20), edge_of(tmp_path, 20_000)
    costs = {name: (steps_of(few, change), steps_of(many, change)) for name, change in CHANGES.items()}
    few.dispose()
    many.dispose()
    assert {name: cost for name, cost in costs.items() if cost[1] > 1.2 * cost[0] + 20} == {}
