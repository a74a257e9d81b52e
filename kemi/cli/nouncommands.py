"""add, list, show, set and remove, the same for every kind of thing in the directory.

What differs between them is what the provisioning file says of each (kemi.directory.nouns).
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec
import typer

from kemi.cli.change import How, change
from kemi.cli.output import Format, FormatOption, examples, format_of, refuse, say, table
from kemi.cli.output import show as answer
from kemi.cli.source import database
from kemi.directory import imperative, nouns
from kemi.directory.database import reading_directory
from kemi.directory.imperative import RefusedError
from kemi.directory.listing import Wanted, page
from kemi.directory.nouns import Names, Noun
from kemi.directory.partial import Part
from kemi.directory.yamlfile import DocumentError

if TYPE_CHECKING:
    from rich.table import Table

_KEYS = (
    "Keys of the provisioning file. KEY.KEY=VALUE: a key within one; KEY=: its default; commas make a list."
)

GivenArgument: TypeAlias = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help=_KEYS, show_default=False)
]
SettingArgument: TypeAlias = Annotated[list[str], typer.Argument(metavar="KEY=VALUE", help=_KEYS)]
FilterOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--where", "-w", metavar="KEY=VALUE", help="Only where a key has this value; KEY=: none."),
]
DryRunOption: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change, change nothing.")
]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
SearchOption: TypeAlias = Annotated[
    str | None, typer.Option("--search", "-s", metavar="TEXT", help="Only with this in a name or number.")
]
LimitOption: TypeAlias = Annotated[int, typer.Option("--limit", min=1, help="How many at most.")]
AfterOption: TypeAlias = Annotated[
    str | None, typer.Option("--after", metavar="NAME", help="Go on behind this one.")
]
OfTenantArgument: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="TENANT", help="Only of this tenant.", show_default=False)
]


class Texts(msgspec.Struct, frozen=True):
    """What help and lists say of a noun.

    `plural` is also the key of a list in JSON; `added` and `changed` are examples of keys and values,
    `columns` the keys that a list shows.
    """

    about: str
    plural: str
    added: str
    changed: str
    columns: tuple[str, ...]
    article: str = "a"


def commands(noun: Noun, texts: Texts) -> typer.Typer:
    """The commands of a noun."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help=texts.about)
    it = f"{texts.article} {noun.name}"
    line = " ".join(("fmcctl", noun.command, "{}", *(("company",) if noun.inner else ()), noun.example))

    def add(
        context: typer.Context,
        names: Names,
        given: GivenArgument = None,
        *,
        dry_run: DryRunOption = False,
        form: FormatOption = None,
    ) -> None:
        how = How(dry_run=dry_run, form=form, makes_directory=not noun.inner)
        what = f"{noun.spoken(names)} added"
        change(context, what, lambda part: imperative.add(part, noun, names, given or []), how)

    def show(context: typer.Context, names: Names, form: FormatOption = None) -> None:
        _show(noun, names, format_of(context, form))

    def set_(
        context: typer.Context,
        names: Names,
        given: SettingArgument,
        *,
        dry_run: DryRunOption = False,
        form: FormatOption = None,
    ) -> None:
        keys = ", ".join(text.partition("=")[0] for text in given)
        what = f"{noun.spoken(names)}: {keys} set"
        how = How(dry_run=dry_run, form=form)
        change(context, what, lambda part: imperative.set_(part, noun, names, given), how)

    def remove(
        context: typer.Context,
        names: Names,
        *,
        dry_run: DryRunOption = False,
        yes: YesOption = False,
        form: FormatOption = None,
    ) -> None:
        spoken = noun.spoken(names)
        how = How(question=f"Remove {spoken}?", yes=yes, dry_run=dry_run, form=form)
        change(context, f"{spoken} removed", lambda part: imperative.remove(part, noun, names), how)

    def put(name: str, run: Callable[..., None], help_: str, *lines: str) -> None:
        app.command(name, help=help_, epilog=examples(*lines))(named(noun, run))

    put("add", add, f"Add {it}.", f"{line.format('add')} {texts.added}".strip())
    _put_list(app, noun, texts)
    put("show", show, f"Show all that is set for {it}.", line.format("show"))
    if texts.changed:
        settings = f"{line.format('set')} {texts.changed}"
        put("set", set_, f"Change {it}; keys that are not named stay.", settings)
    removals = (line.format("remove"), f"{line.format('remove')} --yes")
    put("remove", remove, f"Remove {it} that nothing refers to.", *removals)
    return app


def named(noun: Noun, run: Callable[..., None]) -> Callable[..., None]:
    """`run(context, names, …)` as a function whose parameters typer can read: an argument for each name."""
    own = Annotated[str, typer.Argument(metavar=noun.called, help=f"Which {noun.name}.")]
    tenant = Annotated[str, typer.Argument(metavar="TENANT", help="The key of the tenant it belongs to.")]
    arguments: dict[str, Any] = {"tenant": tenant, "name": own} if noun.inner else {"name": own}

    def command(**values: Any) -> None:
        names = tuple(values.pop(name) for name in arguments)
        run(values.pop("context"), names, **values)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    context, _, *others = inspect.signature(run).parameters.values()
    parameters = [inspect.Parameter(name, kind, annotation=each) for name, each in arguments.items()]
    parameters = [context, *parameters, *others]
    command.__dict__["__signature__"] = inspect.Signature(parameters)
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def _put_list(app: typer.Typer, noun: Noun, texts: Texts) -> None:
    def list_(
        context: typer.Context,
        tenant: OfTenantArgument = None,
        *,
        search: SearchOption = None,
        where: FilterOption = None,
        limit: LimitOption = 50,
        after: AfterOption = None,
        form: FormatOption = None,
    ) -> None:
        _list(noun, texts, Wanted(tenant, search, tuple(where or ()), after, limit), format_of(context, form))

    def list_all(
        context: typer.Context,
        *,
        search: SearchOption = None,
        where: FilterOption = None,
        limit: LimitOption = 50,
        after: AfterOption = None,
        form: FormatOption = None,
    ) -> None:
        _list(noun, texts, Wanted(None, search, tuple(where or ()), after, limit), format_of(context, form))

    line = f"fmcctl {noun.command} list"
    if noun.inner:
        lines = (f"{line} company --search {noun.example[:4]}", f"{line} --limit 1000 -F json")
        app.command("list", help=f"List {texts.plural}, of one tenant or of all.", epilog=examples(*lines))(
            list_
        )
    else:
        lines = (line, f"{line} --search {noun.example[:4]} -F json")
        app.command("list", help=f"List {texts.plural}.", epilog=examples(*lines))(list_all)


def _list(noun: Noun, texts: Texts, wanted: Wanted, form: Format) -> None:
    try:
        with database() as engine, reading_directory(engine) as connection:
            if wanted.tenant is not None:
                imperative.existing(Part(connection), nouns.TENANT, (wanted.tenant,))
            found = page(connection, noun, wanted)
    except DocumentError as error:
        refuse(str(error), 2)
    except RefusedError as error:
        refuse(str(error))
    entries = [_plain(noun, names, entry) for names, entry in found.found]
    answer(
        {texts.plural.replace(" ", "_"): entries, "after": found.after},
        form,
        lambda: _listing(noun, texts, entries, of_one=wanted.tenant is not None),
    )
    if found.after is not None and form is Format.TABLE:
        own = (
            found.after.partition("/")[2] if wanted.tenant is not None and "/" in found.after else found.after
        )
        say(f"… and more: add --after {own}")


def _columns(noun: Noun) -> tuple[str, ...]:
    """The names of a noun's names."""
    own = {
        nouns.TENANT: "tenant",
        nouns.SUBSCRIBER: "extension",
        nouns.NUMBER: "number",
        nouns.MEDIA: "uri",
        nouns.ROUTE: "route",
    }.get(noun, "name")
    return ("tenant", own) if noun.inner else (own,)


def _plain(noun: Noun, names: Names, entry: Any) -> dict[str, Any]:
    """One of it as plain values, its names first; a tenant without what is named one by one."""
    own: dict[str, Any] = dict(zip(_columns(noun), names, strict=True))
    held = {} if noun is nouns.MEDIA else msgspec.to_builtins(entry)
    apart = nouns.SECTIONS if noun is nouns.TENANT else ()
    return own | {name: value for name, value in held.items() if name not in apart}


def _listing(noun: Noun, texts: Texts, entries: Sequence[Mapping[str, Any]], *, of_one: bool) -> "Table":
    columns = _columns(noun)[1 if of_one else 0 :] + texts.columns
    rows = [tuple(_cell(entry.get(column)) for column in columns) for entry in entries]
    return table(columns, rows)


def _cell(value: Any) -> str | None:
    match value:
        case None | "" | [] | {}:
            return None
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name}: {_cell(held) or '—'}" for name, held in value.items())
        case list() | tuple():
            return ", ".join(_cell(held) or "—" for held in value)
        case _:
            return str(value)


def _show(noun: Noun, names: Names, form: Format) -> None:
    try:
        with database() as engine, reading_directory(engine) as connection:
            found = _plain(noun, names, imperative.existing(Part(connection), noun, names))
    except RefusedError as error:
        refuse(str(error))
    answer(found, form, lambda: table(("", ""), list(_facts(found))))


def _facts(held: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str | None]]:
    """Each key with its value, keys of keys as a command would name them."""
    for name, value in held.items():
        if isinstance(value, dict) and value:
            yield from _facts(value, f"{within}{name}.")
        else:
            yield f"{within}{name}", _cell(value)
