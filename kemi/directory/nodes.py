"""Reads YAML nodes into typed values and collects every error with its line, instead of the first one.

What is good is kept even where its neighbour is not, so that later checks can speak about it too.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec
import yaml

from kemi.directory.kinds import (
    Kind,
    ListKind,
    MapKind,
    StructKind,
    TextKind,
    UnionKind,
    WholeKind,
    YesNoKind,
    kind_of,
    no_choice,
    quote,
)

Path: TypeAlias = tuple[str | int, ...]
"""Where a value stands: keys of mappings and indices of lists, from the root of the file."""

Finding: TypeAlias = tuple[Path, str]
"""What is wrong with the value at a path, and what to do."""

_KeyValue: TypeAlias = tuple[str, yaml.Node, yaml.Node]


class Problem(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong: `line` counts from 1, None where the file does not hold the value."""

    line: int | None
    key: str
    text: str


class _Bad:
    """Stands for a value that could not be read; its problem is noted."""


_BAD = _Bad()

LARGEST = 2**31 - 1
"""The largest whole number: what a column of either database holds."""

_KINDS = {
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "null": "empty",
    "timestamp": "a date",
    "seq": "a list",
    "map": "a mapping",
}


def spell(path: Path) -> str:
    """Write a path as people read it: `routes[0].trunks`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def key_nodes(node: yaml.Node) -> list[_KeyValue]:
    """The entries of a mapping node: key as written, key node, value node."""
    return [(key.value if isinstance(key, yaml.ScalarNode) else "?", key, value) for key, value in node.value]


def find(root: yaml.Node, path: Path) -> tuple[int, bool]:
    """The line of the value at a path and whether it is there; else the line of what holds its place."""
    node, line = root, root.start_mark.line + 1
    for step in path:
        if isinstance(step, int):
            inside = isinstance(node, yaml.SequenceNode) and step < len(node.value)
            found = (node.value[step], node.value[step]) if inside else None
        elif isinstance(node, yaml.MappingNode):
            found = next(((key, value) for text, key, value in key_nodes(node) if text == step), None)
        else:
            found = None
        if found is None:
            return line, False
        node, line = found[1], found[0].start_mark.line + 1
    return line, True


class Reader:
    """Reads one file; `problems` grows as it goes."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def read(self, node: yaml.Node, kind: type[msgspec.Struct]) -> Any:
        """Read a node as a Struct; None where nothing of it could be read."""
        value = self._value(node, kind_of(kind), (), node)
        return None if isinstance(value, _Bad) else value

    def read_as(self, node: yaml.Node, kind: Kind, path: Path) -> Any:
        """Read a node that stands at a path; None where nothing of it could be read."""
        value = self._value(node, kind, path, node)
        return None if isinstance(value, _Bad) else value

    def _note(self, node: yaml.Node, path: Path, text: str) -> _Bad:
        self.problems.append(Problem(node.start_mark.line + 1, spell(path), text))
        return _BAD

    def _value(self, node: yaml.Node, kind: Kind, path: Path, at: yaml.Node) -> Any:
        """Read one value; `at` is the node whose line a complaint names (a key where there is one)."""
        match kind:
            case StructKind():
                return self._struct(node, kind, path, at)
            case MapKind():
                return self._mapping(node, kind, path, at)
            case ListKind():
                return self._list(node, kind, path, at)
            case UnionKind():
                return self._tagged(node, kind, path, at)
            case _:
                return self._scalar(node, kind, path, at)

    def _wrong(self, node: yaml.Node, path: Path, at: yaml.Node, must: str) -> _Bad:
        found = _KINDS.get(node.tag.rpartition(":")[2], node.tag)
        return self._note(at, path, f"is {found}; it must be {must}")

    def _entries(self, node: yaml.Node, path: Path, at: yaml.Node, must: str) -> list[_KeyValue] | _Bad:
        """The entries of a mapping, each key once."""
        if not isinstance(node, yaml.MappingNode):
            return self._wrong(node, path, at, must)
        first: dict[str, int] = {}
        entries: list[_KeyValue] = []
        for text, key, value in key_nodes(node):
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._note(key, path, "has a key that is no plain text; write each key as one word or number")
            elif text in first:
                again = f"is there twice, first in line {first[text]}; remove one or give it another key"
                self._note(key, (*path, text), again)
            else:
                first[text] = line
                entries.append((text, key, value))
        return entries

    def _struct(self, node: yaml.Node, kind: StructKind, path: Path, at: yaml.Node) -> Any:
        entries = self._entries(node, path, at, kind.must)
        if isinstance(entries, _Bad):
            return entries
        values: dict[str, Any] = {}
        written = set()
        for text, key, value in entries:
            field = kind.fields.get(text)
            if field is None:
                if text != kind.tag:
                    self._note(key, (*path, text), _unknown(text, kind.fields))
                continue
            if _is_empty(value) and text not in kind.required:
                continue
            written.add(text)
            read = self._value(value, field, (*path, text), key)
            if not isinstance(read, _Bad):
                values[text] = read
        for name in kind.required:
            if name not in written:
                field = kind.fields[name]
                self._note(at, (*path, name), f"is missing; {_how_to_add(field)}")
        return kind.made(**values) if kind.required <= values.keys() else _BAD

    def _mapping(self, node: yaml.Node, kind: MapKind, path: Path, at: yaml.Node) -> Any:
        entries = self._entries(node, path, at, kind.must)
        if isinstance(entries, _Bad):
            return entries
        values = {}
        for text, key, value in entries:
            complaint = kind.key.complain(text)
            if complaint:
                self._note(key, (*path, text), complaint)
            read = self._value(value, kind.item, (*path, text), key)
            if not complaint and not isinstance(read, _Bad):
                values[text] = read
        return values

    def _list(self, node: yaml.Node, kind: ListKind, path: Path, at: yaml.Node) -> Any:
        if not isinstance(node, yaml.SequenceNode):
            must = "a list; put it in brackets: [...]" if isinstance(node, yaml.ScalarNode) else "a list"
            return self._wrong(node, path, at, must)
        if not node.value and kind.instead:
            return self._note(at, path, f"is empty; {kind.instead}")
        read = [self._value(item, kind.item, (*path, index), item) for index, item in enumerate(node.value)]
        return tuple(value for value in read if not isinstance(value, _Bad))

    def _tagged(self, node: yaml.Node, kind: UnionKind, path: Path, at: yaml.Node) -> Any:
        if not isinstance(node, yaml.MappingNode):
            return self._wrong(node, path, at, kind.must)
        tag = next((value.value for text, _, value in key_nodes(node) if text == kind.tag), None)
        choice = kind.choices.get(str(tag))
        if choice is None:
            known = ", ".join(kind.choices)
            if tag is None:
                return self._note(at, (*path, kind.tag), f"is missing; write one of {known}")
            return self._note(at, (*path, kind.tag), f"{quote(str(tag))} is not known; use one of {known}")
        return self._struct(node, choice, path, at)

    def _scalar(self, node: yaml.Node, kind: Kind, path: Path, at: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            return self._wrong(node, path, at, kind.must)
        tag, text = node.tag.rpartition(":")[2], node.value
        match kind:
            case YesNoKind() if tag == "bool":
                return text.lower() in ("true", "yes", "on")
            case WholeKind() if tag == "int" and re.fullmatch(r"-?\d{1,18}", text):
                if kind.least is not None and int(text) < kind.least:
                    return self._note(at, path, f"is {text}; it must be {kind.must}")
                if int(text) > LARGEST:
                    return self._note(at, path, f"is {text}; it must be at most {LARGEST}")
                return int(text)
            case TextKind(literals=()):
                return self._text(node, kind, path, at)
            case TextKind():
                return text if text in kind.literals else self._note(at, path, no_choice(text, kind.literals))
            case _:
                return self._wrong(node, path, at, kind.must)

    def _text(self, node: yaml.ScalarNode, kind: TextKind, path: Path, at: yaml.Node) -> Any:
        tag, text = node.tag.rpartition(":")[2], node.value
        if tag != "str":
            return self._wrong(
                node, path, at, "text" if tag == "null" else f'text; put it in quotes: "{text}"'
            )
        if not text.isprintable():
            return self._note(at, path, "has characters that cannot be printed; remove them")
        complaint = kind.format.complain(text) if kind.format else None
        if complaint is None:
            return text
        secret = kind.format is not None and kind.format.secret
        return self._note(at, path, complaint if secret else f"{quote(text)} {complaint}")


def _how_to_add(kind: Kind) -> str:
    match kind:
        case ListKind() if kind.instead:
            return kind.instead
        case _:
            return f"add it: {kind.must}"


def _is_empty(node: yaml.Node) -> bool:
    return bool(node.tag.endswith(":null"))


def _unknown(text: str, fields: Mapping[str, Any]) -> str:
    if f"{text}_env" in fields:
        return f"is a secret, and secrets are never in this file; name an environment variable in {text}_env"
    near = difflib.get_close_matches(text, fields, n=1)
    return (
        f"is no known key; did you mean {near[0]}?"
        if near
        else f"is no known key; known are {', '.join(fields)}"
    )
