"""Subscribers as a CSV file: read with all its mistakes at once, written so that it can be read again.

What an office saves is taken as it is: UTF-8 or Windows-1251, `;`, `,` or tab between the cells, names of
columns in any case. A cell must be what the same key of the provisioning file must be, and is complained
about in the same words.

    tenant, extension    say whose line it is
    a list               mobile+device; "none" is the empty list
    yes or no            yes, no, true, false, on, off, да, нет, истина, ложь
    device.password_env  a key of a key
    an empty cell        the default of its key
"""

import codecs
import csv
import difflib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO, TypeAlias

import msgspec
import yaml

from kemi.directory.document import Document, Subscriber, Tenant
from kemi.directory.kinds import (
    Kind,
    ListKind,
    MapKind,
    StructKind,
    TextKind,
    WholeKind,
    YesNoKind,
    kind_of,
    quote,
)
from kemi.directory.nodes import Problem, Reader
from kemi.directory.yamlfile import DocumentError

OWNER = ("tenant", "extension")
"""The columns that say whose line it is."""

EMPTY_LIST = "none"
DELIMITERS = (";", ",", "\t")

_YES = frozenset({"yes", "true", "on", "да", "истина"})
_NO = frozenset({"no", "false", "off", "нет", "ложь"})
_KEPT = 1000  # different cells of a column that are read once for all lines

Values: TypeAlias = dict[str, Any]
"""Keys of a subscriber and what a line says of them, as a row of the database holds it."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line: `number` is where it begins, `values` what could be read of it, problems or not.

    `owner` is tenant and extension; None where one of them could not be read.
    """

    number: int
    owner: tuple[str, str] | None
    values: Values
    problems: tuple[Problem, ...] = ()


class Column(msgspec.Struct, frozen=True):
    """A column of a subscriber: `device.password_env` is the key `password_env` of the key `device`."""

    name: str
    key: str
    inner: str | None
    kind: Kind
    default: Any


def _plain(value: Any) -> Any:
    """As a row of the database holds it."""
    plain = msgspec.to_builtins(value)
    return list(plain) if isinstance(plain, tuple) else plain


def _columns() -> dict[str, Column]:
    made = {}
    fields = {field.name: field for field in msgspec.structs.fields(Subscriber)}
    for key, kind in kind_of(Subscriber).fields.items():
        default = _plain(fields[key].default)
        if isinstance(kind, StructKind):
            for inner, its in kind.fields.items():
                made[f"{key}.{inner}"] = Column(f"{key}.{inner}", key, inner, its, None)
        else:
            made[key] = Column(key, key, None, kind, default)
    return made


COLUMNS: Mapping[str, Column] = _columns()
"""What a line may say of a subscriber, in the order that `write` gives it."""


def _key_of(struct: type[msgspec.Struct], mapping: str) -> Callable[[str], str | None]:
    kind = kind_of(struct).fields[mapping]
    assert isinstance(kind, MapKind)  # noqa: S101  tenants and subscribers are
    return kind.key.complain


_tenant_complaint = _key_of(Document, "tenants")
_extension_complaint = _key_of(Tenant, "subscribers")


class _Bad:
    """Stands for a cell that could not be read."""


_BAD = _Bad()


class Table:
    """A CSV file whose header was read. Raises DocumentError where not even that can be done.

    Iterating gives its lines, once; empty ones are left out. Where quotes are not closed nothing more can
    be told apart: `torn` is True then, and the last line says so. `tenant` is whose all lines are, also
    where there is no such column.
    """

    def __init__(self, data: bytes, file: str, tenant: str | None = None) -> None:
        self.file = file
        self.tenant = tenant
        self.torn = False
        text = io.TextIOWrapper(io.BytesIO(data), _encoding(data, file), newline="")
        first = text.readline()
        text.seek(0)
        self._reader = csv.reader(text, delimiter=_delimiter(first), strict=True)
        self.columns = self._header()
        self._cells = [_cell(COLUMNS[name]) if name in COLUMNS else None for name in self.columns]

    @property
    def keys(self) -> frozenset[str]:
        """The keys of a subscriber that every line of this file sets."""
        return frozenset(COLUMNS[name].key for name in self.columns if name in COLUMNS)

    def _header(self) -> tuple[str, ...]:
        try:
            cells = next(self._reader, [])
        except csv.Error as error:
            raise DocumentError(
                self.file, [Problem(1, "", f"is no header of a CSV file ({error})")]
            ) from error
        names = ["_".join(cell.split()).lower() for cell in cells]
        while names and not names[-1]:
            names.pop()
        problems = list(_wrong_columns(names, needs_tenant=self.tenant is None))
        if problems:
            raise DocumentError(self.file, [Problem(1, name, text) for name, text in problems])
        return tuple(names)

    def __iter__(self) -> Iterator[Line]:
        while not self.torn:
            number = self._reader.line_num + 1
            try:
                cells = next(self._reader, None)
            except csv.Error as error:
                yield self._broken(number, error)
                continue
            if cells is None:
                return
            if any(map(str.strip, cells)):
                yield self._line(number, cells)

    def _broken(self, number: int, error: csv.Error) -> Line:
        if "expected after" in str(error):
            text = "has text behind a closing quote; double each quote inside quotes"
            if self._reader.line_num > number:
                text += f" (these quotes reach to line {self._reader.line_num})"
        else:
            self.torn = True
            text = "opens quotes that are never closed, nothing behind can be read; close or remove them"
        return Line(number, None, {}, (Problem(number, "", text),))

    def _line(self, number: int, cells: list[str]) -> Line:
        width = len(self.columns)
        if len(cells) != width:
            if len(cells) < width or any(cells[width:]):
                text = (
                    f"has {len(cells)} cells where the header has {width}; "
                    f"put a cell that holds {_spoken(self._reader.dialect.delimiter)} in quotes"
                )
                return Line(number, None, {}, (Problem(number, "", text),))
            del cells[width:]
        if self._reader.line_num > number and any("\n" in cell or "\r" in cell for cell in cells):
            return self._broken_name(number, cells)
        return self._read(number, cells)

    def _broken_name(self, number: int, cells: list[str]) -> Line:
        column = next(
            name for name, cell in zip(self.columns, cells, strict=True) if "\n" in cell or "\r" in cell
        )
        text = (
            f"has a line break inside quotes that reach to line {self._reader.line_num}; write it in one line"
        )
        return Line(number, None, {}, (Problem(number, column, text),))

    def _read(self, number: int, cells: list[str]) -> Line:
        tenant, extension = self.tenant or "", ""
        values: Values = {}
        problems: list[Problem] = []
        for name, cell, text in zip(self.columns, self._cells, cells, strict=True):
            if cell is not None:
                column, read = cell
                value = read(text)
                if value is _BAD:
                    problems += (Problem(number, name, why) for why in _complaints(column, text))
                elif column.inner is None:
                    values[column.key] = value
                elif value is not None:
                    values[column.key] = {**(values.get(column.key) or {}), column.inner: value}
                else:
                    values.setdefault(column.key, None)
            elif name == "extension":
                extension = text.strip()
            elif self.tenant is None:
                tenant = text.strip()
            elif text.strip() not in ("", self.tenant):
                why = f"is {quote(text.strip())}, but all lines are to be of {self.tenant}; remove this one"
                problems.append(Problem(number, name, why))
        wrong = [*_wrong_owner(number, tenant, extension), *problems]
        owner = None if any(problem.key in OWNER for problem in wrong) else (tenant, extension)
        return Line(number, owner, values, tuple(wrong))


def _wrong_owner(number: int, tenant: str, extension: str) -> Iterator[Problem]:
    for name, text, complain in (
        ("tenant", tenant, _tenant_complaint),
        ("extension", extension, _extension_complaint),
    ):
        if not text:
            yield Problem(number, name, "is missing; every line needs it")
        elif complaint := complain(text):
            yield Problem(number, name, f"{quote(text)} {complaint}")


def _wrong_columns(names: Sequence[str], *, needs_tenant: bool) -> Iterator[tuple[str, str]]:
    known = (*OWNER, *COLUMNS)
    if not names:
        yield "", f"is empty; begin with a line that names the columns: {'; '.join(known)}"
        return
    for place, name in enumerate(names):
        if name in names[:place]:
            yield name, "is there twice; remove one of the two columns"
        elif name not in known:
            yield name, _unknown_column(name, known)
    unknown = any(name not in known for name in names)
    for name in OWNER:
        if name not in names and (name == "extension" or needs_tenant):
            other = ", or name the tenant of all lines with --tenant" if name == "tenant" else ""
            # One that is misspelt is told already, with what it may have meant.
            if not (unknown and any(difflib.get_close_matches(each, [name]) for each in names)):
                yield name, f"is missing; add this column to the first line{other}"


def _unknown_column(name: str, known: Sequence[str]) -> str:
    if not name:
        return "a column has no name; name it or remove it"
    near = difflib.get_close_matches(name, known, n=1)
    return (
        f"is no known column; did you mean {near[0]}?"
        if near
        else f"is no known column; known are {', '.join(known)}"
    )


_Cell: TypeAlias = tuple[Column, Callable[[str], Any]]


def _cell(column: Column) -> _Cell:
    """A column and how its cells are read: quick for good ones, _BAD for others."""
    kind, default = column.kind, column.default
    if isinstance(kind, TextKind) and not kind.literals:
        if kind.format is None:
            # A name may begin or end with blanks.
            return column, lambda text: text if text.isprintable() else _BAD
        complain = kind.format.complain

        def text_of(text: str) -> Any:
            text = text.strip()
            if not text:
                return default
            return text if text.isprintable() and complain(text) is None else _BAD

        return column, text_of
    read: dict[str, Any] = {}

    def kept(text: str) -> Any:
        found = read.get(text, read)
        if found is read:
            found = _value(column, text)
            if len(read) < _KEPT:
                read[text] = found
        return found

    return column, kept


def _value(column: Column, text: str) -> Any:
    if not text.strip():
        return column.default
    reader, made = _parsed(column, text)
    if reader.problems:
        return _BAD
    value = _plain(getattr(made, column.key))
    return value if column.inner is None else value[column.inner]


def _complaints(column: Column, text: str) -> Iterator[str]:
    """What is wrong with a cell, in the words of the provisioning file."""
    reader, _ = _parsed(column, text)
    for problem in reader.problems:
        plus = f"+{text.strip()}"
        # Spreadsheets take +7… for a sum and save 7….
        hint = plus[1:].isdecimal() and column.default is None and not _parsed(column, plus)[0].problems
        yield problem.text + (
            f" (did you mean {plus}? Tell your spreadsheet that it is text)" if hint else ""
        )


def _parsed(column: Column, text: str) -> tuple[Reader, Any]:
    reader = Reader()
    node = _mapping(
        column.key,
        _node(column.kind, text)
        if column.inner is None
        else _mapping(column.inner, _node(column.kind, text)),
    )
    return reader, reader.read(node, Subscriber)


_MARK = yaml.Mark("", 0, 0, 0, "", 0)


def _scalar(tag: str, text: str) -> yaml.ScalarNode:
    return yaml.ScalarNode(f"tag:yaml.org,2002:{tag}", text, _MARK, _MARK)


def _mapping(key: str, value: yaml.Node) -> yaml.MappingNode:
    return yaml.MappingNode("tag:yaml.org,2002:map", [(_scalar("str", key), value)], _MARK, _MARK)


def _node(kind: Kind, text: str) -> yaml.Node:
    """A cell as the provisioning file would have it."""
    text = text.strip()
    match kind:
        case ListKind():
            words = [] if text.lower() == EMPTY_LIST else re.split(r"[\s+,;]+", text)
            items = [_node(kind.item, word) for word in words]
            return yaml.SequenceNode("tag:yaml.org,2002:seq", items, _MARK, _MARK)
        case YesNoKind() if text.lower() in _YES | _NO:
            return _scalar("bool", "true" if text.lower() in _YES else "false")
        case WholeKind() if re.fullmatch(r"-?[0-9]+", text):
            return _scalar("int", text)
        case _:
            return _scalar("str", text)


def _delimiter(header: str) -> str:
    """What stands between the names of the columns; the first of those that are there as often."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(DELIMITERS, key=bare.count)


def _spoken(delimiter: str) -> str:
    return "a tab" if delimiter == "\t" else f'"{delimiter}"'


def _encoding(data: bytes, file: str) -> str:
    """UTF-8 with or without its mark, or Windows-1251; UTF-8 with a broken letter is not taken for it."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DocumentError(file, [Problem(None, "", "is UTF-16; save it as CSV UTF-8 or Windows-1251")])
    broken = _first_broken(data, "utf-8")
    if broken is None:
        return "utf-8-sig"
    # In Windows-1251 next to nothing of Russian text looks like UTF-8.
    read = data.decode("utf-8", "replace")
    wrong = read.count("\ufffd")
    if sum(letter > "\x7f" for letter in read) - wrong > wrong:
        line = data.count(b"\n", 0, broken) + 1
        raise DocumentError(
            file, [Problem(line, "", "has a broken letter for UTF-8; save the file as UTF-8 anew")]
        )
    broken = _first_broken(data, "windows-1251")
    if broken is not None:
        line = data.count(b"\n", 0, broken) + 1
        text = f"is neither UTF-8 nor Windows-1251 (byte {broken} of the file); save it as UTF-8"
        raise DocumentError(file, [Problem(line, "", text)])
    return "windows-1251"


def _first_broken(data: bytes, encoding: str) -> int | None:
    """Where the first byte stands that the encoding does not have."""
    decoder = codecs.getincrementaldecoder(encoding)()
    step = 1 << 20
    for start in range(0, len(data), step):
        held = len(decoder.getstate()[0])
        try:
            decoder.decode(data[start : start + step], final=start + step >= len(data))
        except UnicodeDecodeError as error:
            return start - held + error.start
    return None


def write(file: TextIO, rows: Iterable[Mapping[Any, Any]]) -> int:
    """Write rows of subscribers, all columns of each; gives how many. What `Table` reads is no change."""
    writer = csv.writer(file, delimiter=";", lineterminator="\n")
    writer.writerow((*OWNER, *COLUMNS))
    count = 0
    columns = COLUMNS.values()
    for row in rows:
        writer.writerow(
            (row["tenant"], row["extension"], *(_text(row[each.key], each.inner) for each in columns))
        )
        count += 1
    return count


def _text(value: Any, inner: str | None) -> str:
    match value:
        case None:
            return ""
        case dict():
            return _text(value.get(inner), None)
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return "+".join(value) or EMPTY_LIST
        case _:
            return str(value)
