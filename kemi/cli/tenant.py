"""fmcctl tenant: organisations, one at a time."""

from kemi.cli.nouncommands import Texts, commands
from kemi.directory.nouns import TENANT

app = commands(
    TENANT,
    Texts(
        about="Organisations: add, list, show, change, remove.",
        plural="tenants",
        added="name='ООО Пример' area_code=495",
        changed="recording.policy=all outbound.allow=+7,+375",
        columns=("name", "country", "area_code", "caller_id"),
    ),
)
