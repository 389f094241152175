"""Settings of a Snowflake account.

`snowflake:NAME` is the connection NAME of the ordinary connections.toml (or config.toml), and the environment
where that leaves something open. `snowflake` alone is the environment, or the default connection where the
environment names no account. What proves who asks comes as a whole from the first of the two that has any,
and there from the first of: private key, private key file, token, password.

    SNOWFLAKE_ACCOUNT  SNOWFLAKE_USER  SNOWFLAKE_DATABASE  SNOWFLAKE_SCHEMA (PUBLIC)  SNOWFLAKE_WAREHOUSE
    SNOWFLAKE_ROLE  SNOWFLAKE_PRIVATE_KEY (base64 of PEM or DER)  SNOWFLAKE_PRIVATE_KEY_FILE
    SNOWFLAKE_PRIVATE_KEY_PASSPHRASE  SNOWFLAKE_TOKEN  SNOWFLAKE_PASSWORD  SNOWFLAKE_AUTHENTICATOR
    SNOWFLAKE_HOST  SNOWFLAKE_PORT  SNOWFLAKE_PROTOCOL  SNOWFLAKE_LOGIN_TIMEOUT  SNOWFLAKE_NETWORK_TIMEOUT
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from rig.errors import BadRequest, FileMissing, NotFound
from rigclient.warehouse.snowflake import keys

LOGIN_TIMEOUT_S: Final = 10
NETWORK_TIMEOUT_S: Final = 600
"""Connector 5 ends a statement after that, a COPY too; connector 4 stops sending it again."""

_PREFIX: Final = "SNOWFLAKE_"
_PLAIN: Final = ("account", "user", "database", "schema", "warehouse", "role", "host", "protocol")
_NUMBERS: Final = ("port", "login_timeout", "network_timeout")
_NEEDED: Final = ("account", "user", "database")

_KEY: Final = "private_key"
_KEY_FILE: Final = "private_key_file"
_OPENS_KEY: Final = "private_key_passphrase"
_PROOFS: Final = (_KEY, _KEY_FILE, "token", "password")
"""What can prove who asks, the first that is there counts."""
_WITHOUT_SECRET: Final = ("authenticator", "token_file_path")
_ALIASES: Final = {
    "private_key_path": _KEY_FILE,
    "private_key_raw": _KEY,
    "private_key_file_pwd": _OPENS_KEY,
    "username": "user",
}
"""Other names for the same, by the connector, its versions and the `snow` command."""
_DEFAULT_NAME: Final = "default_connection_name"
"""In the environment and in config.toml, else the connection is named default."""


class LoginSetting(NamedTuple):
    """A value, and where somebody can change it."""

    value: Any
    name: str
    """As it is written there."""
    place: str = ""
    """Connection and file; empty for the environment."""

    @property
    def source(self) -> str:
        """For people."""
        return self.beside(self.name)

    def beside(self, name: str) -> str:
        """Return the name of another setting in the same place."""
        return f"{name} of {self.place}" if self.place else _variable(name)


@dataclass(frozen=True)
class Login:
    """How to log in, ready for the connector, and which setting is behind each part."""

    name: str
    """snowflake:NAME, or snowflake:ACCOUNT/DATABASE.SCHEMA."""
    options: Mapping[str, Any]
    """Arguments of the connector that may be shown."""
    proof: Mapping[str, Any] = field(repr=False)
    """Those that may not."""
    sources: Mapping[str, str]
    """The setting behind an argument, by its name; of `proof` it stands under `proof`."""

    def source(self, option: str) -> str:
        """Return the setting to change, also where nobody has set it yet."""
        return self.sources.get(option, _variable(option))


def login(connection: str = "") -> Login:
    """Return the settings of a connection, or of the environment.

    Raises BadRequest, NotFound, FileMissing, WrongKey, WrongPassphrase.
    """
    named = _named(connection)
    around = _environment()
    found = {**around, **named}
    for name in _NEEDED:
        if name not in found:
            raise BadRequest(f"no {name} for Snowflake is set", hint=_ways(name, connection))
    proof, source = _proof(named) or _proof(around) or _unproved(found)
    options = {"schema": "PUBLIC"} | {
        name: setting.value for name, setting in found.items() if name not in (*_PROOFS, _OPENS_KEY)
    }
    sources = {name: setting.source for name, setting in found.items()} | {"proof": source}
    account = "{account}/{database}.{schema}".format(**options)
    return Login(f"snowflake:{connection or account}", options, proof, sources)


def _variable(name: str) -> str:
    return _PREFIX + name.upper()


def _ways(name: str, connection: str) -> str:
    where = f"{name} in connection {connection}" if connection else "name a connection: snowflake:NAME"
    return f"set {_variable(name)}, or {where}"


def _environment() -> dict[str, LoginSetting]:
    known = (*_PLAIN, "authenticator", *_NUMBERS, *_PROOFS, _OPENS_KEY, *_ALIASES)
    texts = {name: os.environ.get(_variable(name)) for name in known}
    given = {_ALIASES.get(name, name): LoginSetting(text, name) for name, text in texts.items() if text}
    return given | {name: _number(given[name]) for name in _NUMBERS if name in given}


def _number(setting: LoginSetting) -> LoginSetting:
    try:
        return setting._replace(value=int(setting.value))
    except ValueError:
        raise BadRequest(f"{setting.source} is {setting.value!r}, which is no whole number") from None


def _proof(settings: Mapping[str, LoginSetting]) -> tuple[dict[str, Any], str] | None:
    """Return the arguments that prove who asks, and the setting they come from; None where there are none."""
    kind = next((name for name in _PROOFS if name in settings), None)
    if kind is None:
        return None
    setting = settings[kind]
    if kind in (_KEY, _KEY_FILE):
        return {_KEY: _key(kind, settings).der, "authenticator": "SNOWFLAKE_JWT"}, setting.source
    if kind == "token":
        by = settings["authenticator"].value if "authenticator" in settings else "OAUTH"
        return {kind: setting.value, "authenticator": by}, setting.source
    return {kind: setting.value}, setting.source


def _key(kind: str, settings: Mapping[str, LoginSetting]) -> keys.PrivateKey:
    setting = settings[kind]
    passphrase = settings.get(_OPENS_KEY, setting._replace(value="", name=_OPENS_KEY))
    if kind == _KEY:
        return keys.from_base64(setting.value, passphrase.value, setting.source, passphrase.source)
    return keys.from_file(Path(setting.value), passphrase.value, setting.source, passphrase.source)


def _unproved(found: Mapping[str, LoginSetting]) -> tuple[dict[str, Any], str]:
    """Return the arguments of ways that need no secret here, such as a browser. Raises BadRequest."""
    for name in _WITHOUT_SECRET:
        if name in found:
            return {}, found[name].source
    ways = ", ".join(_variable(name) for name in _PROOFS)
    raise BadRequest("no private key, token or password for Snowflake is set", hint=f"set one of {ways}")


def _named(connection: str) -> dict[str, LoginSetting]:
    """Return the settings of a connection; for none those of the default one, unless the environment has its
    own.
    """
    if not connection and os.environ.get(_variable("account")):
        return {}
    folder = config_folder()
    connections, default = _read(folder)
    name = connection or os.environ.get(_variable(_DEFAULT_NAME)) or default
    if not connection and name not in connections:
        return {}
    if not connections:
        raise FileMissing(
            f"there is no {folder / 'connections.toml'}", hint="write it, or set SNOWFLAKE_HOME to its folder"
        )
    if name not in connections:
        known = ", ".join(sorted(connections))
        raise NotFound(f"{folder / 'connections.toml'} has no connection {name!r}", hint=f"it has {known}")
    file, settings = connections[name]
    place = f"[{name}] in {file}"
    return {_ALIASES.get(key, key): LoginSetting(value, key, place) for key, value in settings.items()}


def config_folder() -> Path:
    """Return where the connector looks for its files."""
    home = Path(os.environ.get("SNOWFLAKE_HOME", "~/.snowflake")).expanduser()
    config = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    return home if home.exists() else config / "snowflake"


def _read(folder: Path) -> tuple[dict[str, tuple[Path, dict[str, Any]]], str]:
    """Return connections with their file, by name, and the name of the default one."""
    main, own = folder / "config.toml", folder / "connections.toml"
    general, separate = _toml(main), _toml(own)
    tables = {name: (main, table) for name, table in general.get("connections", {}).items()}
    tables |= {name: (own, table) for name, table in separate.items() if isinstance(table, dict)}
    return tables, str(general.get(_DEFAULT_NAME, "default"))


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FileMissing(f"{file} cannot be read: {error.strerror}", hint="check who may read it") from error
    except ValueError as error:
        raise BadRequest(f"{file} is no TOML: {error}") from error
