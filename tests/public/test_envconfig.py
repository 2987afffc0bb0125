"""Client settings from files and variables: what the reference makes of the same ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import temporalio.envconfig as reference

from durability import envconfig
from durability.exceptions import ConfigurationError
from durability.service import TLSConfig

FILE = """
[profile.default]
address = "https://one.example"
namespace = "orders"
[profile.default.grpc_meta]
"X-Some_Header" = "v"
[profile.other]
address = "two:2"
api_key = "key"
[profile.other.tls]
disabled = false
server_name = "name"
server_ca_cert_path = "/ca"
client_cert_data = "certificate"
client_key_data = "secret"
[profile.other.codec]
endpoint = "unused"
"""

GOOD: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {}),
    ({"profile": "other"}, {}),
    ({}, {"TEMPORAL_PROFILE": "other"}),
    ({}, {"TEMPORAL_ADDRESS": "three:3", "TEMPORAL_NAMESPACE": "returns", "TEMPORAL_API_KEY": "k"}),
    ({}, {"TEMPORAL_GRPC_META_X_SOME_HEADER": "", "TEMPORAL_GRPC_META_MORE": "m"}),
    ({}, {"TEMPORAL_TLS": "true", "TEMPORAL_TLS_SERVER_NAME": "s", "TEMPORAL_TLS_CLIENT_KEY_PATH": "/k"}),
    ({}, {"TEMPORAL_TLS": "false"}),
    ({"disable_env": True}, {"TEMPORAL_ADDRESS": "unused"}),
    ({"config_file_strict": True}, {}),
    ({"config_source": None, "disable_file": True}, {"TEMPORAL_ADDRESS": "three:3"}),
    ({"config_source": Path("/nowhere/at/all")}, {}),
]

BAD: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"profile": "none"}, {}),
    ({}, {"TEMPORAL_PROFILE": "none"}),
    ({"disable_file": True, "disable_env": True}, {}),
    ({"config_source": "x = ["}, {}),
    ({"config_source": "[elsewhere]\nx = 1", "config_file_strict": True}, {}),
    ({"config_source": "[profile.default]\nbogus = 1", "config_file_strict": True}, {}),
    ({"config_source": "[profile.default.tls]\nclient_key_path = '/a'\nclient_key_data = 'b'"}, {}),
    ({"profile": "other"}, {"TEMPORAL_TLS_CLIENT_CERT_PATH": "/elsewhere"}),
]


def load(module: Any, options: Mapping[str, Any], variables: Mapping[str, str]) -> Any:
    return module.ClientConfigProfile.load(**{"config_source": FILE, "override_env_vars": variables, **options})


@pytest.mark.parametrize(("options", "variables"), GOOD)
def test_profiles_are_read_as_the_reference_reads_them(options: dict[str, Any], variables: dict[str, str]) -> None:
    mine, theirs = load(envconfig, options, variables), load(reference, options, variables)
    assert mine.to_dict() == theirs.to_dict()
    if "path" in str(mine.to_dict()):
        with pytest.raises(FileNotFoundError):
            mine.to_client_connect_config()
        return
    given, expected = dict(mine.to_client_connect_config()), dict(theirs.to_client_connect_config())
    if isinstance(given.get("tls"), TLSConfig):
        given["tls"], expected["tls"] = vars(given["tls"]), vars(expected["tls"])
    assert given == expected


@pytest.mark.parametrize(("options", "variables"), BAD)
def test_what_the_reference_refuses_is_refused(options: dict[str, Any], variables: dict[str, str]) -> None:
    with pytest.raises(RuntimeError) as theirs:
        load(reference, options, variables)
    with pytest.raises(RuntimeError) as mine:
        load(envconfig, options, variables)
    assert isinstance(mine.value, ConfigurationError)
    reason = str(theirs.value).partition(" at line ")[0]
    assert str(mine.value).startswith(reason)
    for field in re.findall("unknown field `.+?`", str(theirs.value)):
        assert field in str(mine.value)


def test_all_profiles_and_back(tmp_path: Path) -> None:
    path = tmp_path / "temporal.toml"
    path.write_text(FILE)
    variables = {"TEMPORAL_CONFIG_FILE": str(path), "TEMPORAL_ADDRESS": "unused"}
    config = envconfig.ClientConfig.load(override_env_vars=variables)
    assert config.to_dict() == reference.ClientConfig.load(override_env_vars=variables).to_dict()
    back = envconfig.ClientConfig.from_dict(config.to_dict())
    assert back.to_dict() == config.to_dict()
    theirs = reference.ClientConfig.from_dict(reference.ClientConfig.load(override_env_vars=variables).to_dict())
    for name, profile in back.profiles.items():
        mine, other = profile.tls, theirs.profiles[name].tls
        assert (mine is None) == (other is None)
        if mine is not None and other is not None:
            # Data are bytes when they were loaded, and what a dictionary has when they come from one.
            assert (mine.client_cert, mine.client_private_key) == (other.client_cert, other.client_private_key)
    connect = envconfig.ClientConfig.load_client_connect_config(config_file=str(path), override_env_vars={})
    assert connect == {
        "target_host": "https://one.example",
        "namespace": "orders",
        "rpc_metadata": {"x-some-header": "v"},
    }
