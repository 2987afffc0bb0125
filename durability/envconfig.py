"""Settings of clients from TOML files and environment variables, in the form that Temporal's tools have them.

A file has profiles::

    [profile.default]
    address = "https://abc.execute-api.eu-west-1.amazonaws.com"
    namespace = "orders"

Variables override a profile: ``TEMPORAL_ADDRESS``, ``TEMPORAL_NAMESPACE``, ``TEMPORAL_API_KEY``, ``TEMPORAL_TLS``,
``TEMPORAL_TLS_SERVER_NAME``, ``TEMPORAL_TLS_{SERVER_CA_CERT,CLIENT_CERT,CLIENT_KEY}_{PATH,DATA}`` and
``TEMPORAL_GRPC_META_*``. ``TEMPORAL_CONFIG_FILE`` names the file and ``TEMPORAL_PROFILE`` the profile.
Source: https://docs.temporal.io/develop/environment-configuration
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeAlias, TypedDict, cast

from durability.exceptions import ConfigurationError
from durability.service import TLSConfig

__all__ = [
    "ClientConfig",
    "ClientConfigProfile",
    "ClientConfigProfileDict",
    "ClientConfigTLS",
    "ClientConfigTLSDict",
    "ClientConnectConfig",
    "DataSource",
]

DataSource: TypeAlias = Path | str | bytes
"""Where something is to be read from: a file, or the contents themselves."""

_DEFAULT_PROFILE: Final = "default"
_META: Final = "TEMPORAL_GRPC_META_"
_CERTIFICATES: Final = {"server_ca_cert": "server CA cert", "client_cert": "cert", "client_key": "key"}
"""And what messages call them."""
_PROFILE_KEYS: Final = {"address", "namespace", "api_key", "tls", "codec", "grpc_meta"}
_TLS_KEYS: Final = {
    "disabled",
    "server_name",
    "disable_host_verification",
    *(f"{name}_{kind}" for name in _CERTIFICATES for kind in ("path", "data")),
}


class ClientConfigTLSDict(TypedDict, total=False):
    """TLS settings as a dictionary; certificates are ``{"path": …}`` or ``{"data": …}``."""

    disabled: bool | None
    server_name: str
    server_ca_cert: Mapping[str, str]
    client_cert: Mapping[str, str]
    client_key: Mapping[str, str]


class ClientConfigProfileDict(TypedDict, total=False):
    """A profile as a dictionary."""

    address: str
    namespace: str
    api_key: str
    tls: ClientConfigTLSDict
    grpc_meta: Mapping[str, str]


class ClientConnectConfig(TypedDict, total=False):
    """Keyword arguments of ``Client.connect`` that a profile gives."""

    target_host: str
    namespace: str
    api_key: str
    tls: bool | TLSConfig
    rpc_metadata: Mapping[str, str]


@dataclass(frozen=True)
class ClientConfigTLS:
    """TLS settings. Kept so that files can be read and written; the URL alone decides whether there is TLS.

    Attributes:
        disabled: Whether TLS was switched off, or on; None if nothing was said.
        server_name: Name to expect in the server's certificate.
        server_root_ca_cert: Certificate of the authority that the server's certificate comes from.
        client_cert: Certificate of the client.
        client_private_key: Its key.
    """

    disabled: bool | None = None
    server_name: str | None = None
    server_root_ca_cert: DataSource | None = None
    client_cert: DataSource | None = None
    client_private_key: DataSource | None = None

    def to_dict(self) -> ClientConfigTLSDict:
        """The settings as a dictionary, without what is not set."""
        values = {
            "disabled": self.disabled,
            "server_name": self.server_name,
            "server_ca_cert": _source_dict(self.server_root_ca_cert),
            "client_cert": _source_dict(self.client_cert),
            "client_key": _source_dict(self.client_private_key),
        }
        return cast(ClientConfigTLSDict, {key: value for key, value in values.items() if value is not None})

    def to_connect_tls_config(self) -> bool | TLSConfig:
        """The settings as a keyword argument of ``Client.connect``; False if TLS is switched off.

        Raises:
            OSError: A certificate cannot be read.
        """
        if self.disabled:
            return False
        return TLSConfig(
            server_root_ca_cert=_contents(self.server_root_ca_cert),
            domain=self.server_name,
            client_cert=_contents(self.client_cert),
            client_private_key=_contents(self.client_private_key),
        )

    @classmethod
    def from_dict(cls, d: ClientConfigTLSDict | None) -> Self | None:
        """Read a dictionary; None if it is empty."""
        if not d:
            return None
        return cls(
            disabled=d.get("disabled"),
            server_name=d.get("server_name"),
            server_root_ca_cert=_source(d.get("server_ca_cert")),
            client_cert=_source(d.get("client_cert")),
            client_private_key=_source(d.get("client_key")),
        )


@dataclass(frozen=True)
class ClientConfigProfile:
    """Settings of one client.

    Attributes:
        address: What to connect to.
        namespace: Namespace.
        api_key: Bearer token.
        tls: TLS settings.
        grpc_meta: Metadata of every call, by name in lower case.
    """

    address: str | None = None
    namespace: str | None = None
    api_key: str | None = None
    tls: ClientConfigTLS | None = None
    grpc_meta: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, d: ClientConfigProfileDict) -> Self:
        """Read a dictionary."""
        return cls(
            address=d.get("address"),
            namespace=d.get("namespace"),
            api_key=d.get("api_key"),
            tls=ClientConfigTLS.from_dict(d.get("tls")),
            grpc_meta=d.get("grpc_meta") or {},
        )

    def to_dict(self) -> ClientConfigProfileDict:
        """The profile as a dictionary, without what is not set."""
        values = {
            "address": self.address,
            "namespace": self.namespace,
            "api_key": self.api_key,
            "tls": (self.tls.to_dict() or None) if self.tls else None,
            "grpc_meta": self.grpc_meta or None,
        }
        return cast(ClientConfigProfileDict, {key: value for key, value in values.items() if value is not None})

    def to_client_connect_config(self) -> ClientConnectConfig:
        """Keyword arguments of ``Client.connect``; only what is set."""
        config: ClientConnectConfig = {}
        if self.address:
            config["target_host"] = self.address
        if self.namespace is not None:
            config["namespace"] = self.namespace
        if self.api_key is not None:
            config["api_key"] = self.api_key
            config["tls"] = True
        if self.tls is not None:
            config["tls"] = self.tls.to_connect_tls_config()
        if self.grpc_meta:
            config["rpc_metadata"] = self.grpc_meta
        return config

    @staticmethod
    def load(
        profile: str | None = None,
        *,
        config_source: DataSource | None = None,
        disable_file: bool = False,
        disable_env: bool = False,
        config_file_strict: bool = False,
        override_env_vars: Mapping[str, str] | None = None,
    ) -> ClientConfigProfile:
        """Load a profile and apply environment variables to it.

        Args:
            profile: Name of the profile; ``TEMPORAL_PROFILE`` or ``default`` if None.
            config_source: A file, or a file's contents, in place of the default file.
            disable_file: Read no file; only means something without ``config_source``.
            disable_env: Look at no environment variable.
            config_file_strict: Refuse keys that are not known.
            override_env_vars: Look at these instead of the process's environment variables.

        Raises:
            ConfigurationError: The file cannot be read, lacks the profile, or contradicts itself or the variables.
        """
        if disable_file and disable_env:
            raise ConfigurationError("Invalid configuration: Cannot disable both file and environment loading")
        environment = _environment(disable_env, override_env_vars)
        document = {} if disable_file and config_source is None else _read(config_source, environment)
        profiles = _profiles(document, config_file_strict)
        name = profile or environment.get("TEMPORAL_PROFILE")
        if name is not None and name not in profiles:
            raise ConfigurationError(f"Profile '{name}' not found; there are {', '.join(sorted(profiles)) or 'none'}")
        found = profiles.get(name or _DEFAULT_PROFILE, {})
        return ClientConfigProfile.from_dict(_overridden(found, environment))


@dataclass
class ClientConfig:
    """All profiles of a file.

    Attributes:
        profiles: The profiles by name.
    """

    profiles: Mapping[str, ClientConfigProfile]

    def to_dict(self) -> Mapping[str, ClientConfigProfileDict]:
        """The profiles as dictionaries."""
        return {name: profile.to_dict() for name, profile in self.profiles.items()}

    @classmethod
    def from_dict(cls, d: Mapping[str, Mapping[str, Any]]) -> Self:
        """Read profiles from dictionaries."""
        return cls({name: ClientConfigProfile.from_dict(cast(ClientConfigProfileDict, one)) for name, one in d.items()})

    @staticmethod
    def load(
        *,
        config_source: DataSource | None = None,
        config_file_strict: bool = False,
        override_env_vars: Mapping[str, str] | None = None,
    ) -> ClientConfig:
        """Load all profiles as they are in the file, without what environment variables override.

        Args:
            config_source: See ``ClientConfigProfile.load``.
            config_file_strict: See ``ClientConfigProfile.load``.
            override_env_vars: Where to look for ``TEMPORAL_CONFIG_FILE``; the process's environment by default.

        Raises:
            ConfigurationError: The file cannot be read, or contradicts itself.
        """
        document = _read(config_source, _environment(False, override_env_vars))
        return ClientConfig.from_dict(_profiles(document, config_file_strict))

    @staticmethod
    def load_client_connect_config(
        profile: str | None = None,
        *,
        config_file: str | None = None,
        disable_file: bool = False,
        disable_env: bool = False,
        config_file_strict: bool = False,
        override_env_vars: Mapping[str, str] | None = None,
    ) -> ClientConnectConfig:
        """Load a profile as keyword arguments of ``Client.connect``.

        Args:
            profile: See ``ClientConfigProfile.load``, as for the rest.
            config_file: Path of a file in place of the default file.
            disable_file: Read no file at all.
            disable_env: See ``ClientConfigProfile.load``.
            config_file_strict: See ``ClientConfigProfile.load``.
            override_env_vars: See ``ClientConfigProfile.load``.

        Raises:
            ConfigurationError: See ``ClientConfigProfile.load``.
        """
        return ClientConfigProfile.load(
            profile,
            config_source=Path(config_file) if config_file and not disable_file else None,
            disable_file=disable_file,
            disable_env=disable_env,
            config_file_strict=config_file_strict,
            override_env_vars=override_env_vars,
        ).to_client_connect_config()


# --- files ------------------------------------------------------------------------------------------------------------


def _environment(disabled: bool, given: Mapping[str, str] | None) -> Mapping[str, str]:
    if disabled:
        return {}
    return os.environ if given is None else given


def _read(source: DataSource | None, environment: Mapping[str, str]) -> Mapping[str, Any]:
    """A file's contents; a file that does not exist is an empty one."""
    if source is None:
        named = environment.get("TEMPORAL_CONFIG_FILE")
        source = Path(named) if named else _default_file()
    try:
        if isinstance(source, Path):
            source = source.read_bytes() if source.exists() else b""
        return tomllib.loads(source.decode() if isinstance(source, bytes) else source)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"Configuration loading error: TOML parse error: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"Configuration loading error: {error}") from error


def _default_file() -> Path:
    if sys.platform == "darwin":
        folder = Path.home() / "Library" / "Application Support"
    elif sys.platform == "win32":
        folder = Path(os.environ.get("APPDATA", Path.home()))
    else:
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return folder / "temporalio" / "temporal.toml"


def _profiles(document: Mapping[str, Any], strict: bool) -> dict[str, ClientConfigProfileDict]:
    if strict:
        _refuse_unknown(document, {"profile"})
    profiles = {}
    for name, raw in document.get("profile", {}).items():
        if strict:
            _refuse_unknown(raw, _PROFILE_KEYS)
            _refuse_unknown(raw.get("tls", {}), _TLS_KEYS)
        profile: dict[str, Any] = {key: raw[key] for key in ("address", "namespace", "api_key") if key in raw}
        if "tls" in raw:
            profile["tls"] = _tls_of(raw["tls"])
        if "grpc_meta" in raw:
            profile["grpc_meta"] = {_meta_name(key): value for key, value in raw["grpc_meta"].items()}
        profiles[name] = cast(ClientConfigProfileDict, profile)
    return profiles


def _refuse_unknown(table: Mapping[str, Any], known: Iterable[str]) -> None:
    unknown = sorted(table.keys() - set(known))
    if unknown:
        raise ConfigurationError(
            f"Configuration loading error: TOML parse error: unknown field `{unknown[0]}`, expected one of "
            f"{', '.join(sorted(known))}"
        )


def _tls_of(raw: Mapping[str, Any]) -> dict[str, Any]:
    tls: dict[str, Any] = {key: raw[key] for key in ("disabled", "server_name") if key in raw}
    for name in _CERTIFICATES:
        given = {kind: raw[f"{name}_{kind}"] for kind in ("path", "data") if f"{name}_{kind}" in raw}
        if len(given) > 1:
            raise ConfigurationError(f"Invalid configuration: Cannot specify both {name}_path and {name}_data")
        if given:
            tls[name] = _certificate(given)
    return tls


# --- environment variables --------------------------------------------------------------------------------------------


def _overridden(profile: ClientConfigProfileDict, environment: Mapping[str, str]) -> ClientConfigProfileDict:
    values: dict[str, Any] = dict(profile)
    for key in ("address", "namespace", "api_key"):
        if f"TEMPORAL_{key.upper()}" in environment:
            values[key] = environment[f"TEMPORAL_{key.upper()}"]
    tls = {**values.get("tls", {}), **_tls_variables(values.get("tls", {}), environment)}
    if tls or "TEMPORAL_TLS" in environment:
        values["tls"] = tls
    meta = dict(values.get("grpc_meta", {}))
    for variable, value in environment.items():
        if variable.startswith(_META):
            name = _meta_name(variable.removeprefix(_META))
            if value:
                meta[name] = value
            else:
                meta.pop(name, None)
    values["grpc_meta"] = meta
    return cast(ClientConfigProfileDict, values)


def _tls_variables(tls: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    switch = environment.get("TEMPORAL_TLS", "").lower()
    if switch in ("true", "1", "false", "0"):
        found["disabled"] = switch in ("false", "0")
    if "TEMPORAL_TLS_SERVER_NAME" in environment:
        found["server_name"] = environment["TEMPORAL_TLS_SERVER_NAME"]
    for name in _CERTIFICATES:
        for kind, other in (("path", "data"), ("data", "path")):
            variable = f"TEMPORAL_TLS_{name}_{kind}".upper()
            if variable not in environment:
                continue
            if other in {**tls, **found}.get(name, {}):
                what = _CERTIFICATES[name]
                raise ConfigurationError(
                    f"Invalid configuration: Cannot specify {what} {kind} via {variable} "
                    f"when {what} {other} is already specified"
                )
            found[name] = _certificate({kind: environment[variable]})
    return found


def _meta_name(name: str) -> str:
    return name.lower().replace("_", "-")


def _source(given: Mapping[str, str] | None) -> DataSource | None:
    if not given:
        return None
    return Path(given["path"]) if "path" in given else given["data"]


def _certificate(given: Mapping[str, str]) -> dict[str, str | bytes]:
    """What was read of a certificate, whose data are bytes; those of a dictionary stay what they are there."""
    return {kind: value.encode() if kind == "data" else value for kind, value in given.items()}


def _contents(source: DataSource | None) -> bytes | None:
    if isinstance(source, Path):
        return source.read_bytes()
    return source.encode() if isinstance(source, str) else source


def _source_dict(source: DataSource | None) -> dict[str, str] | None:
    if source is None:
        return None
    if isinstance(source, Path):
        return {"path": str(source)}
    return {"data": source.decode() if isinstance(source, bytes) else source}
