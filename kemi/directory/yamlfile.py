"""The provisioning file: read with all its errors at once, written so that it can be read again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from kemi.directory.checks import check
from kemi.directory.document import Document
from kemi.directory.nodes import Problem, Reader, find, spell

# libyaml's parser where PyYAML was built with it: 100,000 subscribers in seconds instead of minutes.
LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: type = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class DocumentError(Exception):
    """The file cannot be used. `problems` are in the order of the file; str() is one line for each."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """`FILE:LINE: key.path: what is wrong; what to do`, for each problem."""
        return [
            ": ".join(part for part in (self._place(problem), problem.key, problem.text) if part)
            for problem in self.problems
        ]

    def _place(self, problem: Problem) -> str:
        return self.file if problem.line is None else f"{self.file}:{problem.line}"


def load(path: Path) -> Document:
    """Read a file. Raises DocumentError with everything that is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        problem = Problem(None, "", f"cannot be read ({error.strerror}); check the name and the rights")
        raise DocumentError(str(path), [problem]) from error
    except UnicodeDecodeError as error:
        problem = Problem(None, "", f"is not UTF-8 text (byte {error.start}); save it as UTF-8")
        raise DocumentError(str(path), [problem]) from error
    return parse(text, str(path))


def parse(text: str, file: str) -> Document:
    """Read a text; `file` names it in messages. Raises DocumentError."""
    try:
        root = yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError as error:
        raise DocumentError(file, [_syntax(error, text)]) from error
    if root is None:
        raise DocumentError(file, [Problem(1, "", "is empty; see examples/company.yaml")])
    reader = Reader()
    document = reader.read(root, Document)
    problems = set(reader.problems)
    if document is not None:
        found = check(document, lambda at: find(root, at)[1])
        problems |= {Problem(find(root, at)[0], spell(at), text) for at, text in found}
    if problems:
        raise DocumentError(file, sorted(problems, key=lambda problem: (problem.line or 0, problem.key)))
    assert isinstance(document, Document)  # noqa: S101  without problems it was read
    return document


def _syntax(error: yaml.YAMLError, text: str) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.encode()[: error.position].count(b"\n") + 1
        return Problem(line, "", f"is not valid YAML: {error.reason}; remove what cannot be printed")
    assert isinstance(error, yaml.MarkedYAMLError)  # noqa: S101  the only other kind PyYAML raises here
    mark = error.problem_mark or error.context_mark
    words = " ".join(word for word in (error.context, error.problem) if word)
    line = mark.line + 1 if mark else 1
    return Problem(line, "", f"is not valid YAML: {words}; correct this line or the one before")


def dump(document: Document) -> str:
    """Write a Document as a file that `load` reads back to an equal one; defaults are left out."""
    text: str = yaml.dump(
        without_defaults(document), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110
    )
    return text


def without_defaults(value: Any) -> Any:
    """A value of the Document as plain values; keys that say what they say anyway are left out."""
    match value:
        case msgspec.Struct():
            tag = value.__struct_config__
            plain = {} if tag.tag_field is None else {tag.tag_field: tag.tag}
            for field in msgspec.structs.fields(value):
                held = getattr(value, field.name)
                if field.required or held != _default(field):
                    plain[field.name] = without_defaults(held)
            return plain
        case Mapping():
            return {name: without_defaults(held) for name, held in value.items()}
        case tuple():
            return [without_defaults(held) for held in value]
        case _:
            return value


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
