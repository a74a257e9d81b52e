"""What is said of all texts of a shape is what the reader says of each of them."""

from hypothesis import given
from hypothesis import strategies as st

from kemi.numbering.canonicalise import is_e164, reader
from kemi.numbering.extent import begins_a_number, common, extent, samples, share, uncovered, within
from kemi.numbering.plan import PLANS, plan_of

SHAPES = (
    "e164",
    "e164_bare",
    "national_trunk",
    "national",
    "local",
    "international_prefix",
    "international_00",
)
RU = plan_of("RU")

plans = st.sampled_from([*PLANS.values(), plan_of("RU", "0", ("00", "009")), plan_of("BY", "8")])
areas = st.sampled_from([None, "495", "4012", "8", "9", "17", "80", "1"])
shapes = st.sampled_from(SHAPES)
digits = st.text("0123456789", max_size=16)
beginnings = st.sampled_from(["", "+", "+7", "7", "8", "80", "810", "00", "375", "495", "9", "009"])
texts = st.builds(str.__add__, beginnings, digits)


def takes(shape, plan, area, text):
    return reader((shape,), plan, area).read(text, "called").kind == "e164"


def holds(of, text):
    return any(len(text) == length and text.startswith(begin) for begin, length in of)


@given(shape=shapes, plan=plans, area=areas, text=texts)
def test_the_extent_is_what_the_reader_takes(shape, plan, area, text):
    assert holds(extent(shape, plan, area), text) == takes(shape, plan, area, text)


@given(shape=shapes, plan=plans, area=areas, data=st.data())
def test_whatever_fills_a_class_is_taken(shape, plan, area, data):
    of = extent(shape, plan, area)
    if of:
        begin, length = data.draw(st.sampled_from(sorted(of)))
        rest = data.draw(st.text("0123456789", min_size=length - len(begin), max_size=length - len(begin)))
        assert takes(shape, plan, area, begin + rest)


@given(one=shapes, other=shapes, plan=plans, area=areas, text=texts)
def test_what_two_shapes_take_both(one, other, plan, area, text):
    first, second = extent(one, plan, area), extent(other, plan, area)
    both = common(first, second)
    assert holds(both, text) == (holds(first, text) and holds(second, text))
    assert all(takes(one, plan, area, each) and takes(other, plan, area, each) for each in samples(both, 5))
    if within(first, second) and holds(first, text):
        assert holds(second, text)
    if first:
        assert within(first, second) == (share(both, first) == 1)


def test_russia():
    bare, national = extent("e164_bare", RU, None), extent("national", RU, None)
    local, trunk = extent("local", RU, "495"), extent("national_trunk", RU, None)
    assert common(local, national) == frozenset()
    assert common(trunk, national) == frozenset()
    assert 0.1 < share(common(bare, national), national) < 1
    assert not within(national, bare)
    assert within(national, national | bare)
    assert share(common(extent("international_prefix", RU, None), national), national) < 0.001
    zeros = plan_of("RU", None, ("810", "00"))
    assert within(extent("international_00", RU, None), extent("international_prefix", zeros, None))
    assert samples(common(bare, national), 9)
    assert holds(common(bare, national), "9161234567")


def test_prefixes_of_numbers():
    assert all(map(begins_a_number, ("+", "+7", "+37", "+375", "+7495", "+79161234567")))
    assert not any(map(begins_a_number, ("+0", "+89", "+791612345678", "+379")))


@given(digits=st.text("0123456789", max_size=12))
def test_a_prefix_of_numbers_begins_one(digits):
    codes = [digits + code for code in ("", *"0123456789", *(f"{n:02}" for n in range(100)))]
    long = [code + "1234567890123456"[:more] for code in codes for more in range(17)]
    assert begins_a_number(f"+{digits}") == any(map(is_e164, long))


def test_what_prefixes_leave():
    def left(begin, *by):
        return uncovered(begin, sorted(by), begins_a_number)

    assert left("+7", "+7495") == "+70"
    assert left("+7495", "+7") is None
    assert left("+7", *(f"+7{digit}" for digit in range(10))) is None
    assert left("+37", "+370", "+371", "+372", "+373", "+374", "+375", "+376", "+377", "+378") is None
    assert left("+0") is None
    assert left("+7") == "+7"
    assert left("+", "+7") == "+1"
