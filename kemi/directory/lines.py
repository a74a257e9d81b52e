"""In which line of a provisioning file something stands, asked many times."""

from pathlib import Path as File

import yaml

from kemi.directory.nodes import Path, key_nodes
from kemi.directory.yamlfile import LOADER

__all__ = ["Lines"]


class Lines:
    """The lines of one file. Of what is not in it, the line of what would hold it."""

    def __init__(self, file: File) -> None:
        self._root = yaml.compose(file.read_text(encoding="utf-8-sig"), Loader=LOADER)
        self._children: dict[int, dict[str | int, tuple[int, yaml.Node]]] = {}

    def of(self, path: Path) -> int:
        """The line of the value at a path, counted from 1."""
        node: yaml.Node | None = self._root
        line = 1 if node is None else node.start_mark.line + 1
        for step in path:
            found = self._held(node).get(step)
            if found is None:
                break
            line, node = found
        return line

    def _held(self, node: yaml.Node | None) -> dict[str | int, tuple[int, yaml.Node]]:
        held = self._children.get(id(node))
        if held is None:
            held = {}
            if isinstance(node, yaml.MappingNode):
                held = {text: (key.start_mark.line + 1, value) for text, key, value in key_nodes(node)}
            elif isinstance(node, yaml.SequenceNode):
                held = {index: (item.start_mark.line + 1, item) for index, item in enumerate(node.value)}
            self._children[id(node)] = held
        return held
