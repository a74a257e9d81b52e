"""The directory in memory."""

from company import BUYER, COMPANY, TRUNKS, directory

from kemi.routing.memory import MemoryDirectory
from kemi.routing.model import Directory, Route


def test_it_finds_what_it_was_given() -> None:
    where: Directory = directory()
    assert where.trunks() == TRUNKS
    assert where.trunk("wholesale") is TRUNKS[2]
    assert where.tenant("company") is COMPANY
    assert where.subscriber("company", "201") is BUYER
    assert where.subscriber_by_msisdn("+79990000201") is BUYER
    did = where.did("+74951234567")
    assert did is not None
    assert did.to == "ivr:main"


def test_it_has_nothing_else() -> None:
    where = directory()
    assert where.trunk("x") is None
    assert where.tenant("x") is None
    assert where.subscriber("x", "201") is None
    assert where.subscriber_by_msisdn("201") is None
    assert where.did("+79990000201") is None
    assert MemoryDirectory().trunks() == ()
    assert MemoryDirectory(revision=7).revision == 7


def test_routes_stand_by_length_of_prefix_then_as_given() -> None:
    routes = (Route("+", ("a",)), Route("+7", ("b",)), Route("+7495", ("c",)), Route("+7", ("d",)))
    ordered = MemoryDirectory(routes=routes).routes()
    assert [route.trunks[0] for route in ordered] == ["c", "b", "d", "a"]
