"""Keys and values of a command line (`name="Отдел" ring=mobile,device egress.shape=e164`) as YAML nodes.

The file's Reader reads them then: what a value must be, and every complaint, are the same in both places. A
shell takes quotes away, so here a text needs none: what the key must be says how its value is read.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from kemi.directory.kinds import Kind, ListKind, MapKind, StructKind, TextKind, UnionKind
from kemi.directory.nodes import Path, Problem, key_nodes, spell

_MARK = yaml.Mark("", 0, 0, 0, None, 0)
_TAG = "tag:yaml.org,2002:"
_BRACKETS = ("[", "{")


def node_of(value: Any) -> yaml.Node:
    """Plain values as the node that a file would have."""
    match value:
        case Mapping():
            pairs = [(_text(str(name)), node_of(held)) for name, held in value.items()]
            return yaml.MappingNode(f"{_TAG}map", pairs, _MARK, _MARK)
        case list() | tuple():
            return yaml.SequenceNode(f"{_TAG}seq", [node_of(held) for held in value], _MARK, _MARK)
        case None:
            return yaml.ScalarNode(f"{_TAG}null", "", _MARK, _MARK)
        case bool():
            return yaml.ScalarNode(f"{_TAG}bool", str(value).lower(), _MARK, _MARK)
        case int():
            return yaml.ScalarNode(f"{_TAG}int", str(value), _MARK, _MARK)
        case _:
            return _text(str(value))


def assign(node: yaml.Node, kind: Kind, given: Iterable[str], at: Path) -> list[Problem]:
    """Set keys of a mapping node: `KEY=VALUE`, `KEY.KEY=VALUE` within one, `KEY=` for the default."""
    problems = []
    seen: set[str] = set()
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            problems.append(Problem(None, spell(at), f'"{text}" says nothing; write KEY=VALUE'))
        elif key in seen:
            problems.append(Problem(None, f"{spell(at)}.{key}", "is there twice; give it once"))
        else:
            seen.add(key)
            try:
                _set(node, kind, key.split("."), value)
            except yaml.YAMLError as error:
                words = getattr(error, "problem", None) or "it cannot be read"
                told = f"is not valid YAML: {words}; close what is open, and quote it for the shell"
                problems.append(Problem(None, f"{spell(at)}.{key}", told))
    return problems


def value_node(text: str, kind: Kind | None) -> yaml.Node:
    """One value; a list may be written with commas alone. Raises yaml.YAMLError."""
    if isinstance(kind, TextKind):
        return _text(text)
    if isinstance(kind, ListKind) and not text.startswith(_BRACKETS):
        items = [value_node(item.strip(), kind.item) for item in text.split(",")]
        return yaml.SequenceNode(f"{_TAG}seq", items, _MARK, _MARK)
    found = yaml.compose(text, Loader=yaml.SafeLoader)
    return _text(text) if found is None else _fitted(found, kind)


def _set(node: yaml.Node, kind: Kind | None, path: Sequence[str], text: str) -> None:
    """Set what stands at a path below a mapping node, which is made where it is missing."""
    if not isinstance(node, yaml.MappingNode):
        node.__class__, node.tag, node.value = yaml.MappingNode, f"{_TAG}map", []
    name, within = path[0], inside(kind, path[0], node)
    index = next((index for index, (key, _, _) in enumerate(key_nodes(node)) if key == name), None)
    if len(path) > 1:
        if index is None:
            index = len(node.value)
            node.value.append((_text(name), yaml.MappingNode(f"{_TAG}map", [], _MARK, _MARK)))
        _set(node.value[index][1], within, path[1:], text)
    elif not text:
        if index is not None:
            del node.value[index]
    else:
        entry = (_text(name), value_node(text, within))
        at = len(node.value) if index is None else index
        node.value[at : at + 1] = [entry]


def inside(kind: Kind | None, name: str, node: yaml.Node | None = None) -> Kind | None:
    """What the value of a key must be; None where there is no such key."""
    match kind:
        case StructKind():
            return kind.fields.get(name)
        case MapKind():
            return kind.item
        case UnionKind() if name == kind.tag:
            return TextKind(literals=tuple(kind.choices))
        case UnionKind():
            held = [] if node is None else key_nodes(node)
            tag = next((str(value.value) for text, _, value in held if text == kind.tag), "")
            choices = [kind.choices[tag]] if tag in kind.choices else list(kind.choices.values())
            return next((choice.fields[name] for choice in choices if name in choice.fields), None)
        case _:
            return None


def _text(text: str) -> yaml.ScalarNode:
    return yaml.ScalarNode(f"{_TAG}str", text, _MARK, _MARK, style='"')


def _fitted(node: yaml.Node, kind: Kind | None) -> yaml.Node:
    """A node that was written without quotes, with its texts taken for what they are."""
    match node:
        case yaml.MappingNode():
            fitted = [
                (_text(text), _fitted(value, inside(kind, text, node))) for text, _, value in key_nodes(node)
            ]
            return yaml.MappingNode(node.tag, fitted, _MARK, _MARK)
        case yaml.SequenceNode():
            item = kind.item if isinstance(kind, ListKind) else None
            return yaml.SequenceNode(node.tag, [_fitted(value, item) for value in node.value], _MARK, _MARK)
        case yaml.ScalarNode() if node.style is None and node.tag != f"{_TAG}null":
            if isinstance(kind, TextKind):
                return _text(node.value)
            if isinstance(kind, ListKind):
                return value_node(node.value, kind)
    return node
