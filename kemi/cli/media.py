"""fmcctl media: addresses of media servers, one at a time."""

from kemi.cli.nouncommands import Texts, commands
from kemi.directory.nouns import MEDIA

app = commands(
    MEDIA,
    Texts(
        about="Addresses of media servers: add, list, show, remove.",
        plural="media_servers",
        added="",
        changed="",
        columns=(),
    ),
)
