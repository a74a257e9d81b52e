import re
from pathlib import Path

import pytest

from kemi import settings
from kemi.media import config


def node(state: Path, **environ: str) -> settings.Settings:
    return settings.load({"FMC_STATE": str(state), "FMC_NODE": "edge-1", **environ})


def test_only_our_placeholders_are_replaced() -> None:
    template = config.Template("EDGE = %{edge}\nexten => s,1,Dial(${EXTEN}@${EDGE},%Y,$[1 > 0])")
    assert template.substitute(edge="x") == "EDGE = x\nexten => s,1,Dial(${EXTEN}@${EDGE},%Y,$[1 > 0])"


def test_every_placeholder_has_a_value_and_every_value_a_use(tmp_path: Path) -> None:
    used = {
        name
        for path in config.TEMPLATES.glob("*.conf")
        for name in re.findall(r"%\{([a-z_]+)\}", path.read_text())
    }
    assert used == set(config.values(node(tmp_path)))


@pytest.mark.parametrize("address", ["", "127.0.0.1", "edge.example:5060", "0.0.0.0:5060", "127.0.0.1:0"])
@pytest.mark.parametrize("name", ["FMC_LISTEN", "FMC_MEDIA_LISTEN"])
def test_an_address_nobody_can_send_to_is_refused(name: str, address: str) -> None:
    with pytest.raises(config.ConfigError, match=f"^{name}={address}: write "):
        config.endpoint(name, address)


@pytest.mark.parametrize(
    ("value", "host"), [("192.0.2.1:5060", "192.0.2.1"), ("[2001:db8::1]:5060", "2001:db8::1")]
)
def test_an_address_and_port(value: str, host: str) -> None:
    assert config.endpoint("FMC_LISTEN", value) == (host, 5060)


@pytest.mark.parametrize("name", ["with space", "with;comment", "a,b", "a&b", "${EDGE}", 'a"b', "имя"])
def test_what_asterisk_would_take_for_syntax_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(config.ConfigError, match="use only letters"):
        config.values(node(tmp_path / name))
    with pytest.raises(config.ConfigError, match=r"^node is "):
        config.values(node(tmp_path, FMC_NODE=name))


def test_every_application_and_function_of_the_dialplan_is_loaded() -> None:
    """Asterisk notices a missing one only when a call comes to it."""
    loaded = set(
        re.findall(r"^require = (\w+)\.so$", (config.TEMPLATES / "modules.conf").read_text(), re.MULTILINE)
    )
    source = "\n".join(path.read_text() for path in config.TEMPLATES.glob("*.conf"))
    lines = re.findall(r"^(?:exten =>|\s+same =>) .*?,(?:\d+|n(?:\(\w+\))?),(.*)$", source, re.MULTILINE)
    applications = {re.split(r"\(", line)[0] for line in lines} | set(
        re.findall(r"\?(Set|SoftHangup)\(", source)
    )
    core = {"Bridge", "Goto", "GotoIf", "Hangup", "Set", "Wait"}
    modules = {
        "Dial": "app_dial",
        "ExecIf": "app_exec",
        "Gosub": "app_stack",
        "Log": "app_verbose",
        "MixMonitor": "app_mixmonitor",
        "Playback": "app_playback",
        "Return": "app_stack",
        "SoftHangup": "app_softhangup",
        "StopMixMonitor": "app_mixmonitor",
        "System": "app_system",
        "WaitForCondition": "app_waitforcond",
        "CHANNEL": "func_channel",
        "CHANNEL_EXISTS": "func_channel",
        "CUT": "func_cut",
        "DIALPLAN_EXISTS": "func_dialplan",
        "FILE": "func_env",
        "FILTER": "func_strings",
        "GOSUB_RETVAL": "app_stack",
        "HANGUPCAUSE": "func_hangupcause",
        "HANGUPCAUSE_KEYS": "func_hangupcause",
        "IF": "func_logic",
        "LEN": "func_strings",
        "PJSIP_HEADER": "res_pjsip_header_funcs",
        "REGEX": "func_strings",
        "SHARED": "func_global",
        "STAT": "func_env",
        "STRFTIME": "func_strings",
    }
    functions = set(re.findall(r"(?:[$#]\{|Set\()([A-Z_]+)\(", source))
    assert (applications | functions) - core - set(modules) == set()
    assert {modules[name] for name in (applications | functions) - core} <= loaded
