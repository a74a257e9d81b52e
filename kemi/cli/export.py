"""fmcctl export: the directory as a file that apply takes."""

import sys

import typer

from kemi.cli.output import DataOption, Format, FormatOption, data_of, examples, format_of, noun, show
from kemi.cli.source import read_document
from kemi.directory.yamlfile import dump

app = noun()


@app.command(epilog=examples("fmcctl export > edge.yaml", "fmcctl export -F json"))
def export(context: typer.Context, data: DataOption = None, form: FormatOption = None) -> None:
    """Write the directory as a file for `fmcctl apply`; defaults are left out."""
    document = read_document(data_of(context, data))
    if format_of(context, form) is Format.JSON:
        show(document, Format.JSON, str)
    else:
        sys.stdout.write(dump(document))
