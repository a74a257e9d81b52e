"""What a value of the file must be, worked out once from the annotations of the Document's Structs."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from kemi.directory.formats import Filled, Format, Least


@dataclass(kw_only=True)
class Kind:
    """What a value must be; `must` says it in words."""

    must: str


@dataclass(kw_only=True)
class TextKind(Kind):
    """A text, of a format or one of `literals`."""

    must: str = "text"
    format: Format | None = None
    literals: tuple[str, ...] = ()


@dataclass(kw_only=True)
class WholeKind(Kind):
    """A whole number, where `least` is given not below it."""

    must: str = "a whole number"
    least: int | None = None


@dataclass(kw_only=True)
class YesNoKind(Kind):
    """A boolean."""

    must: str = "true or false"


@dataclass(kw_only=True)
class ListKind(Kind):
    """Any number of `item`, but not none where `instead` says what to do."""

    item: Kind
    must: str = "a list"
    instead: str = ""


@dataclass(kw_only=True)
class MapKind(Kind):
    """Named values of one kind; the names have the format `key`."""

    key: Format
    item: Kind
    must: str = "a mapping"


@dataclass(kw_only=True)
class StructKind(Kind):
    """A mapping whose keys are the fields of a Struct; `tag` is a key that only chose it."""

    made: type[msgspec.Struct]
    fields: Mapping[str, Kind]
    required: frozenset[str]
    tag: str | None


@dataclass(kw_only=True)
class UnionKind(Kind):
    """One of several Structs, chosen by the value of the key `tag`."""

    tag: str
    choices: Mapping[str, StructKind]
    must: str = "a mapping"


@cache
def kind_of(struct: type[msgspec.Struct]) -> StructKind:
    """The kind of a Struct, with all that is below it."""
    hints = get_type_hints(struct, include_extras=True)
    known = msgspec.structs.fields(struct)
    fields = {each.name: _described(hints[each.name]) for each in known}
    required = frozenset(each.name for each in known if each.required)
    must = f"a mapping with the keys {', '.join(fields)}"
    return StructKind(
        must=must, made=struct, fields=fields, required=required, tag=struct.__struct_config__.tag_field
    )


def _described(annotation: Any) -> Kind:
    """Take apart an annotation: Annotated, Optional, Literal, tuple, Mapping, Struct, str, int, bool."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _marked(_described(arguments[0]), arguments[1:])
    if origin in (Union, UnionType):
        choices = [argument for argument in arguments if argument is not NoneType]
        return _described(choices[0]) if len(choices) == 1 else _union(choices)
    if origin is Literal:
        return TextKind(must=f"one of {', '.join(arguments)}", literals=arguments)
    if origin is tuple:
        return ListKind(item=_described(arguments[0]))
    if origin is Mapping:
        return MapKind(key=_key_format(_described(arguments[0])), item=_described(arguments[1]))
    if annotation is str:
        return TextKind()
    if annotation is bool:
        return YesNoKind()
    if annotation is int:
        return WholeKind()
    return kind_of(annotation)


def _marked(kind: Kind, marks: tuple[Any, ...]) -> Kind:
    for mark in marks:
        match kind, mark:
            case TextKind(), Format():
                kind.format = mark
            case WholeKind(), Least(least):
                kind.least, kind.must = least, f"a whole number, {least} or more"
            case ListKind(), Filled(instead):
                kind.instead = instead
            case _:
                raise TypeError(f"{mark} says nothing about {kind.must}")
    return kind


def _union(choices: list[type[msgspec.Struct]]) -> UnionKind:
    kinds = {str(choice.__struct_config__.tag): kind_of(choice) for choice in choices}
    return UnionKind(tag=str(choices[0].__struct_config__.tag_field), choices=kinds)


def _key_format(kind: Kind) -> Format:
    if not isinstance(kind, TextKind):
        raise TypeError("keys of a mapping are texts")
    literals = kind.literals
    return kind.format or Format(lambda text: None if text in literals else no_choice(text, literals))


def no_choice(text: str, literals: tuple[str, ...]) -> str:
    """Say that a text is none of those known, and which it may have meant."""
    near = difflib.get_close_matches(text, literals, n=1)
    also = f" (did you mean {near[0]}?)" if near else ""
    return f"{quote(text)} is not known; use one of {', '.join(literals)}{also}"


def quote(text: str) -> str:
    """A text of the file inside a complaint, cut where it is long."""
    return f'"{text}"' if len(text) <= 60 else f'"{text[:57]}…"'
