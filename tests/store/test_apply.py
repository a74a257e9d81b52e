"""Apply: from a file into the database, only what differs, all of it or nothing."""

from pathlib import Path

import msgspec
import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from kemi import store
from kemi.directory import rows, values
from kemi.directory.apply import DirectoryChangedError, apply, plan
from kemi.directory.document import Document, Route, Subscriber, Tenant
from kemi.directory.tables import DidRow, RevisionRow, SubscriberRow, TrunkRow
from kemi.directory.yamlfile import DocumentError, dump, load, parse

EXAMPLE = Path(store.__file__).parent.parent / "examples" / "company.yaml"


@pytest.fixture
def engine(tmp_path):
    url = f"sqlite:///{tmp_path / 'fmc.sqlite'}"
    store.migrate(url)
    engine = store.engine_for(url)
    yield engine
    engine.dispose()


@pytest.fixture
def example():
    return load(EXAMPLE)


def put(engine, document, **options):
    return apply(engine, document, who="tester", file="f.yaml", **options)


def held(engine) -> Document:
    with store.reading(engine) as connection:
        return rows.document(connection)


def log(engine) -> list[tuple[int, str, str]]:
    with store.reading(engine) as connection:
        found = connection.execute(select(RevisionRow.number, RevisionRow.who, RevisionRow.what))
        return [tuple(row) for row in found]


def with_people(document: Document, **people: Subscriber | None) -> Document:
    """The document with subscribers of company set or, with None, left out; `_201` names 201."""
    company = document.tenants["company"]
    changed = {**company.subscribers, **{name[1:]: person for name, person in people.items()}}
    kept = {extension: person for extension, person in changed.items() if person is not None}
    tenants = {"company": msgspec.structs.replace(company, subscribers=kept)}
    return msgspec.structs.replace(document, tenants=tenants)


def test_what_is_applied_is_held_and_applied_again_is_no_change(engine, example):
    assert put(engine, example).summary() == "17 added"
    assert held(engine) == example
    again = put(engine, load(EXAMPLE))
    assert again.changes == ()
    assert log(engine) == [(1, "tester", "f.yaml: 17 added")]


IDENTITY = """
trunks:
  odd:
    kind: carrier
    peers: ["sip:192.0.2.1"]
    accept_from: ["192.0.2.1"]
    identity: [P-Asserted-Identity, From]
    trusted: true
    called_from: P-Called-Party-ID
    ingress:
      calling: [e164]
      called: [local, e164]
      rewrite:
        - {name: pair, match: "{caller}#{did}", replace: "{caller}", role: calling}
        - {name: technical-prefix, match: "7777{number}", replace: "{number}"}
    egress:
      shape: e164
      headers: {Diversion: national_trunk, History-Info: e164_bare, Remote-Party-ID: local}
      privacy: drop
      identity: [Remote-Party-ID, P-Preferred-Identity]
      forwarded: original
      diversion: [Diversion, History-Info]
    numbers: ["+74951234567"]
    area_code: "495"
    prefixes: {trunk: "0", international: ["00", "810"]}
tenants:
  company:
    prefixes: {international: ["00"]}
    caller_id: "+74951234567"
    subscribers:
      "201": {clir: true, caller_id: "+74951234567"}
"""
"""Every key that says how numbers and identities are read and written."""


def test_every_key_of_numbers_and_identity_is_held_exported_and_applied_again(engine):
    wanted = parse(IDENTITY, "f.yaml")
    put(engine, wanted)
    assert held(engine) == wanted
    exported = parse(dump(held(engine)), "exported.yaml")
    assert put(engine, exported, prune=True).changes == ()
    (trunk,) = values.trunks(held(engine))
    assert (trunk.trusted, trunk.egress.privacy, trunk.rewrites[1].role) == (True, "drop", None)


def test_a_change_names_what_was_and_what_will_be(engine, example):
    put(engine, example)
    person = msgspec.structs.replace(example.tenants["company"].subscribers["201"], name="Закупки")
    (change,) = put(engine, with_people(example, _201=person)).changes
    assert (change.op, change.place) == ("change", "tenants.company.subscribers.201")
    assert change.fields == {"name": ("Отдел закупок", "Закупки")}
    assert held(engine).tenants["company"].subscribers["201"].name == "Закупки"
    assert [number for number, _, _ in log(engine)] == [1, 2]


def test_a_plan_writes_nothing(engine, example):
    with store.reading(engine) as connection:
        assert plan(connection, example, prune=False, file="f.yaml").summary() == "17 added"
    assert held(engine) == Document()
    assert log(engine) == []


def test_without_prune_what_the_file_does_not_name_stays(engine, example):
    put(engine, example)
    part = Document(
        tenants={"company": Tenant(name="Новое имя", subscribers={"204": Subscriber(name="Новый")})}
    )
    put(engine, part)
    company = held(engine).tenants["company"]
    assert list(company.subscribers) == ["201", "202", "203", "204"]
    assert company.name == "Новое имя"
    assert held(engine).trunks == example.trunks


def test_a_subscriber_is_added_without_a_word_on_its_tenant(engine, example):
    put(engine, example)
    part = Document(tenants={"company": Tenant(subscribers={"250": Subscriber(name="Стажёр")})})
    assert [change.place for change in put(engine, part).changes] == ["tenants.company.subscribers.250"]
    renamed = Document(tenants={"company": Tenant(name="ООО «Другое»")})
    (change,) = put(engine, renamed).changes
    assert change.fields["recording"][1]["policy"] == "none"


def test_prune_removes_it(engine, example):
    put(engine, example)
    less = with_people(example, _203=None)
    with pytest.raises(DocumentError, match='there is no subscriber "203"'):
        put(engine, less, prune=True)
    company = less.tenants["company"]
    numbers = {"+74951234567": company.numbers["+74951234567"]}
    tenants = {"company": msgspec.structs.replace(company, numbers=numbers)}
    less = msgspec.structs.replace(less, tenants=tenants)
    assert put(engine, less, prune=True).summary() == "2 removed"
    assert held(engine) == less
    assert put(engine, Document(), prune=True).summary() == "15 removed"
    assert held(engine) == Document()


def test_two_subscribers_swap_their_numbers(engine, example):
    put(engine, example)
    people = example.tenants["company"].subscribers
    swapped = with_people(
        example,
        _201=msgspec.structs.replace(people["201"], msisdn=people["202"].msisdn),
        _202=msgspec.structs.replace(people["202"], msisdn=people["201"].msisdn),
    )
    put(engine, swapped)
    assert held(engine) == swapped


def test_a_number_moves_to_a_new_subscriber(engine, example):
    put(engine, example)
    people = example.tenants["company"].subscribers
    moved = with_people(
        example,
        _201=msgspec.structs.replace(people["201"], msisdn=None),
        _204=Subscriber(msisdn=people["201"].msisdn),
    )
    put(engine, moved)
    assert held(engine) == moved


def test_a_did_moves_to_a_new_trunk_while_the_old_one_goes(engine, example):
    put(engine, example)
    trunks = {name: trunk for name, trunk in example.trunks.items() if name != "legacy-landline"}
    trunks["landline"] = example.trunks["legacy-landline"]
    company = example.tenants["company"]
    numbers = {
        **company.numbers,
        "+74951234567": msgspec.structs.replace(company.numbers["+74951234567"], trunk="landline"),
    }
    renamed = msgspec.structs.replace(
        example,
        trunks=trunks,
        routes=(Route("+", ("wholesale",)),),
        tenants={"company": msgspec.structs.replace(company, numbers=numbers)},
    )
    put(engine, renamed, prune=True)
    assert held(engine) == renamed


def test_order_is_kept_and_changed(engine, example):
    put(engine, example)
    turned = msgspec.structs.replace(example, trunks=dict(reversed(example.trunks.items())))
    put(engine, turned)
    assert list(held(engine).trunks) == ["wholesale", "legacy-landline", "mvno-main"]
    put(engine, Document(trunks={"mvno-main": example.trunks["mvno-main"]}))
    assert list(held(engine).trunks) == ["wholesale", "legacy-landline", "mvno-main"]


def test_a_trunk_never_gets_the_number_of_another(engine, example):
    put(engine, example)
    with store.reading(engine) as connection:
        before = rows.trunk_ids(connection)
    put(engine, Document(), prune=True)
    put(engine, example)
    with store.reading(engine) as connection:
        after = rows.trunk_ids(connection)
    assert not set(before.values()) & set(after.values())


def test_a_conflict_with_what_is_applied_is_told_before_anything_is_written(engine, example):
    put(engine, example)
    other = Document(tenants={"other": Tenant(subscribers={"301": Subscriber(msisdn="+79990000201")})})
    with pytest.raises(
        DocumentError, match=r"f.yaml: tenants.other.subscribers.301.msisdn: .* already owned by"
    ):
        put(engine, other)
    assert held(engine) == example
    assert len(log(engine)) == 1


def test_a_plan_that_was_overtaken_is_not_applied(engine, example):
    put(engine, example)
    with pytest.raises(DirectoryChangedError):
        put(engine, Document(), prune=True, expected=0)
    assert held(engine) == example


def test_what_fails_half_way_leaves_nothing(engine, example, monkeypatch):
    monkeypatch.setattr(rows.table_of(DidRow), "insert", lambda: (_ for _ in ()).throw(RuntimeError))
    with pytest.raises(RuntimeError):
        put(engine, example)
    assert held(engine) == Document()
    assert log(engine) == []


PERSON = {"tenant": "company", "name": "", "ring": [], "answer_confirm": False, "voicemail": False}


@pytest.mark.parametrize(
    "statement",
    [
        insert(SubscriberRow).values(**PERSON, extension="299", msisdn="+79990000201"),
        insert(SubscriberRow).values(**PERSON, extension="201"),
        insert(SubscriberRow).values({**PERSON, "tenant": "nobody", "extension": "201"}),
        insert(DidRow).values(
            number="+74951234567", tenant="company", trunk="wholesale", to="subscriber:201"
        ),
        insert(DidRow).values(number="+74951234568", tenant="company", trunk="none", to="subscriber:201"),
        update(TrunkRow).where(TrunkRow.name == "wholesale").values(kind="other"),
        delete(TrunkRow).where(TrunkRow.name == "wholesale"),
    ],
    ids=["msisdn", "extension", "tenant", "did", "trunk", "kind", "trunk in use"],
)
def test_the_database_refuses_what_cannot_be(engine, example, statement):
    put(engine, example)
    with engine.begin() as connection, pytest.raises(IntegrityError):
        connection.execute(statement)


def test_the_same_extension_in_two_tenants(engine, example):
    other = Document(tenants={"other": Tenant(subscribers={"201": Subscriber(name="Другой")})})
    put(engine, example)
    put(engine, other)
    assert held(engine).tenants["other"].subscribers["201"].name == "Другой"
