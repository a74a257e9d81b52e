"""Subscribers as CSV: what offices save is read, every mistake has its line, and nothing is guessed."""

import io

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from kemi.directory.csvfile import COLUMNS, Table, write
from kemi.directory.yamlfile import DocumentError

PERSON = "tenant;extension;name;msisdn\ncompany;201;Отдел закупок;+79990000201\n"


def table(text: str | bytes, **options) -> Table:
    return Table(text if isinstance(text, bytes) else text.encode(), "f.csv", **options)


def lines(text: str | bytes, **options) -> list:
    return list(table(text, **options))


def told(text: str | bytes, **options) -> list[tuple[int | None, str, str]]:
    """All complaints about a file: line, column, text."""
    try:
        read = lines(text, **options)
    except DocumentError as error:
        return [(problem.line, problem.key, problem.text) for problem in error.problems]
    return [(problem.line, problem.key, problem.text) for line in read for problem in line.problems]


def cell(column: str, text: str) -> object:
    """What one cell says of its key."""
    quoted = text.replace('"', '""')
    (line,) = lines(f'tenant;extension;{column}\ncompany;201;"{quoted}"\n')
    assert line.problems == ()
    return line.values[COLUMNS[column].key]


def complaint(column: str, text: str) -> str:
    quoted = text.replace('"', '""')
    ((line, named, why),) = told(f'tenant;extension;{column}\ncompany;201;"{quoted}"\n')
    assert (line, named) == (2, column)
    return why


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1251"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_offices_save_is_read(encoding, delimiter, end):
    text = PERSON.replace(";", delimiter).replace("\n", end)
    (line,) = lines(text.encode(encoding))
    assert (line.number, line.owner) == (2, ("company", "201"))
    assert line.values == {"name": "Отдел закупок", "msisdn": "+79990000201"}


def test_quotes_hold_delimiters_and_quotes():
    (line,) = lines(
        'tenant,extension,name,ring\ncompany,201,"ООО ""Рога, копыта""","mobile,device"\n'.encode("cp1251")
    )
    assert line.values == {"name": 'ООО "Рога, копыта"', "ring": ["mobile", "device"]}


def test_names_of_columns_in_any_case_and_with_blanks():
    read = table(b' Tenant ;EXTENSION; Crm User;"MSISDN";Device.Password_Env;;\n')
    assert read.columns == ("tenant", "extension", "crm_user", "msisdn", "device.password_env")
    assert read.keys == {"crm_user", "msisdn", "device"}


def test_lines_without_anything_are_no_lines():
    read = lines("tenant;extension\n\n;\n ; \ncompany;201\n\ncompany;202;;;\n")
    assert [line.number for line in read] == [5, 7]
    assert all(not line.problems for line in read)


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("name", " Иванов ", " Иванов "),
        ("name", "", ""),
        ("msisdn", " +79990000201 ", "+79990000201"),
        ("msisdn", "", None),
        ("crm_user", "7", 7),
        ("crm_user", "", None),
        ("ring", "mobile+device", ["mobile", "device"]),
        ("ring", "device, mobile", ["device", "mobile"]),
        ("ring", "", ["mobile"]),
        ("ring", "none", []),
        ("recording", "none", "none"),
        ("recording", "", None),
        ("clir", "да", True),
        ("clir", "ИСТИНА", True),
        ("clir", "Yes", True),
        ("clir", "нет", False),
        ("clir", "false", False),
        ("clir", "", False),
        ("device.password_env", "SIP_PASSWORD", {"password_env": "SIP_PASSWORD"}),
        ("device.password_env", "", None),
    ],
)
def test_a_cell_is_what_the_key_of_the_file_is(column, text, value):
    assert cell(column, text) == value


@pytest.mark.parametrize(
    ("column", "text", "why"),
    [
        ("name", "a\0b", "has characters that cannot be printed; remove them"),
        ("msisdn", "89990000201", "is no E.164 number; write plus, country code and number"),
        ("msisdn", "79990000201", "did you mean +79990000201? Tell your spreadsheet that it is text"),
        ("caller_id", "7,99E+10", '"7,99E+10" is no E.164 number'),
        ("crm_user", "seven", "is text; it must be a whole number"),
        ("ring", "mobil", '"mobil" is not known; use one of mobile, device (did you mean mobile?)'),
        ("recording", "some", '"some" is not known; use one of all, inbound, outbound, none'),
        ("clir", "maybe", "is text; it must be true or false"),
        ("device.password_env", "s3cret", "must name an environment variable, like SIP_PASSWORD"),
    ],
)
def test_complaints_have_the_words_of_the_file(column, text, why):
    assert why in complaint(column, text)


def test_a_secret_is_not_repeated():
    assert "s3cret" not in complaint("device.password_env", "s3cret")


def test_everything_that_is_wrong_is_told_at_once():
    text = (
        "tenant;extension;name;msisdn;clir\n"
        "company;201;A;+7999;maybe\n"
        "company;2;B;;\n"
        ";202;C;;\n"
        "company;;;;\n"
        "company;203;D;+79990000203;no\n"
        "company;204;E\n"
        "company;205;F;;;G\n"
    )
    assert [(line, column) for line, column, _ in told(text)] == [
        (2, "msisdn"),
        (2, "clir"),
        (3, "extension"),
        (4, "tenant"),
        (5, "extension"),
        (7, ""),
        (8, ""),
    ]
    assert 'has 6 cells where the header has 5; put a cell that holds ";" in quotes' in told(text)[-1][2]


def test_what_is_good_is_kept_beside_what_is_not():
    (line,) = lines("tenant;extension;name;msisdn\ncompany;201;A;1\n")
    assert (line.owner, line.values) == (("company", "201"), {"name": "A"})
    assert len(line.problems) == 1


def test_a_line_break_in_quotes_counts_as_a_line():
    text = 'tenant;extension;name\ncompany;201;"two\r\nlines"\ncompany;2;C\n'
    assert told(text) == [
        (2, "name", "has a line break inside quotes that reach to line 3; write it in one line"),
        (4, "extension", '"2" cannot be an extension; use 2 to 6 digits, like "201"'),
    ]


def test_text_behind_a_quote_spoils_its_own_line():
    text = 'tenant;extension;name\ncompany;201;"Рога" и копыта\ncompany;202;C\n'
    assert told(text) == [(2, "", "has text behind a closing quote; double each quote inside quotes")]
    assert [line.owner for line in lines(text)] == [None, ("company", "202")]


def test_quotes_that_never_close_end_the_file():
    read = table('tenant;extension;name\ncompany;201;A\ncompany;202;"B\ncompany;203;C\n')
    good, last = list(read)
    assert good.owner == ("company", "201")
    assert (last.number, last.owner, read.torn) == (3, None, True)
    assert "never closed" in last.problems[0].text


def test_a_cell_without_end_is_no_cell():
    read = table('tenant;extension;name\ncompany;202;"' + "x" * 200_000 + '"\ncompany;203;C\n')
    assert len(list(read)) == 1
    assert read.torn


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", (1, "", "is empty; begin with a line that names the columns: tenant; extension; name")),
        ("\n\n", (1, "", "is empty")),
        ("name\nA\n", (1, "tenant", "is missing; add this column to the first line, or name the tenant")),
        ("tenant;extension;msisnd\n", (1, "msisnd", "is no known column; did you mean msisdn?")),
        ("tenant;extension;branch\n", (1, "branch", "is no known column; known are tenant, extension")),
        ("tenant;extension;name;Name\n", (1, "name", "is there twice; remove one of the two columns")),
        ("tenant;extension;;name\n", (1, "", "a column has no name; name it or remove it")),
        ('"tenant;extension\n', (1, "", "is no header of a CSV file")),
        ("\ufefftenant".encode("utf-16"), (None, "", "is UTF-16; save it as CSV UTF-8")),
        (b"tenant;extension;name\ncompany;201;\x98\n", (2, "", "is neither UTF-8 nor Windows-1251")),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_once(text, why):
    line, column, words = why
    first = told(text)[0]
    assert first[:2] == (line, column)
    assert first[2].startswith(words)


def test_one_column_alone_lacks_the_others():
    assert [(line, column) for line, column, _ in told("tenant\ncompany\n")] == [(1, "extension")]


def test_a_misspelt_tenant_is_told_once():
    assert [column for _, column, _ in told("tennant;extension\n")] == ["tennant"]


def test_utf_8_with_a_broken_letter_is_not_taken_for_windows_1251():
    broken = PERSON.encode().replace("закупок".encode(), "закупок".encode()[:-1])
    assert told(broken) == [(2, "", "has a broken letter for UTF-8; save the file as UTF-8 anew")]


def test_utf_8_may_be_cut_anywhere_between_the_parts_it_is_looked_at_in():
    for padding in range(4):
        text = "tenant;extension;name\n" + "x" * padding + "company;201;" + "Ж" * (1 << 20) + "\n"
        assert told(text)[0][:2] == (2, "")
        assert "never closed" in told(text)[0][2]


def test_the_tenant_may_be_the_same_for_all():
    text = "extension;name\n201;A\n202;B\n"
    assert [line.owner for line in lines(text, tenant="company")] == [("company", "201"), ("company", "202")]
    text = "tenant;extension\ncompany;201\n;202\nother;203\n"
    assert told(text, tenant="company") == [
        (4, "tenant", 'is "other", but all lines are to be of company; remove this one')
    ]


ROWS = st.fixed_dictionaries(
    {
        "tenant": st.sampled_from(["company", "other-1"]),
        "extension": st.from_regex(r"[0-9]{2,6}", fullmatch=True),
        "name": st.text(st.characters(codec="utf-8")).filter(str.isprintable)
        | st.sampled_from(['"', ";", " a ", "=1+1", "'", "ООО «Пример»", "none", ";;", ",", "\\"]),
        "msisdn": st.none() | st.just("+79990000201"),
        "crm_user": st.none() | st.integers(-(2**31) + 1, 2**31 - 1),
        "ring": st.lists(st.sampled_from(["mobile", "device"]), max_size=3),
        "recording": st.sampled_from([None, "all", "none"]),
        "caller_id": st.none() | st.just("+74951234567"),
        "device": st.none() | st.just({"password_env": "SIP_PASSWORD"}),
    }
    | {name: st.booleans() for name, column in COLUMNS.items() if isinstance(column.default, bool)}
)


@given(st.lists(ROWS, max_size=5))
def test_what_is_written_is_read_as_it_was(rows):
    file = io.StringIO()
    assert write(file, rows) == len(rows)
    for encoding in ("utf-8", "utf-8-sig"):
        read = lines(file.getvalue().encode(encoding))
        assert [problem for line in read for problem in line.problems] == []
        assert [{"tenant": line.owner[0], "extension": line.owner[1], **line.values} for line in read] == rows


TEXTS = ["tenant", "extension", "name", "ring", "company", "201", "+79990000201", "Ж", "\ufeff"]
MARKS = [";", ",", "\t", "\n", "\r\n", "\r", '"', "\0"]
PIECES = st.sampled_from(
    [*(text.encode() for text in (*TEXTS, *MARKS)), "Ж".encode("cp1251"), b"\x98", b"\xff\xfe"]
)


@given(
    st.binary()
    | st.lists(PIECES).map(b"".join)
    | st.binary().map(b"tenant;extension;name;ring;clir\n".__add__)
)
@example(b'tenant;extension\r"')
def test_any_bytes_are_lines_or_a_refusal(data):
    try:
        read = table(data)
    except DocumentError as error:
        event(error.problems[0].text)
        return
    numbers = [line.number for line in read]
    assert numbers == sorted(set(numbers))
    assert len(numbers) <= len(data)
