"""A long list for programs, written while it is made: nothing of it is kept."""

from collections.abc import Mapping
from typing import Any, TextIO

import msgspec
import yaml

from kemi.cli.output import Format


class Writer:
    """Writes `{"calls": [...], ...}` as one JSON or YAML document, from the first call on."""

    def __init__(self, out: TextIO, form: Format) -> None:
        self._out = out
        self._json = form is Format.JSON
        self._some = False

    def write(self, call: Mapping[str, Any]) -> None:
        """Add a call."""
        if self._json:
            opened = "," if self._some else '{\n  "calls": ['
            self._out.write(f"{opened}\n    {_json(call, '    ')}")
        else:
            opened = "" if self._some else "calls:\n"
            self._out.write(opened + _yaml([call]))
        self._some = True

    def end(self, rest: Mapping[str, Any]) -> None:
        """Add everything that stands behind the calls."""
        if self._json:
            self._out.write("\n  ]" if self._some else '{\n  "calls": []')
            for key, value in rest.items():
                self._out.write(f',\n  "{key}": {_json(value, "  ")}')
            self._out.write("\n}\n")
        else:
            self._out.write(("" if self._some else "calls: []\n") + _yaml(rest))
        self._out.flush()


def _json(value: Any, indent: str) -> str:
    # No text holds a line end in JSON: every line end is the form's.
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode().replace("\n", f"\n{indent}")


def _yaml(value: Any) -> str:
    text: str = yaml.safe_dump(msgspec.to_builtins(value), allow_unicode=True, sort_keys=False, width=110)
    return text
