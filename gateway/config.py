"""The one configuration file. It may be absent: pairing tells the gateway all that it must know."""

from __future__ import annotations

import configparser
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .log import LEVELS
from .problems import Problem

SECTION = "gateway"
_KEYS = ("odoo", "database", "ca_bundle", "networks", "state", "log_level")


@dataclass(frozen=True)
class Config:
    """:param odoo: address, ``""``: the one it was paired with

    :param database: name, ``""``: the one it was paired with
    :param ca_bundle: file with the certificates to trust, ``""``: those of the system
    :param networks: to look for terminals in, none: the own one
    :param state: folder of the journal
    """

    state: Path
    odoo: str = ""
    database: str = ""
    ca_bundle: str = ""
    log_level: str = "info"
    networks: tuple[str, ...] = ()

    @property
    def journal(self) -> Path:
        return self.state / "gateway.sqlite"


def default_file() -> Path:
    """Where the file is looked for without ``--config``."""
    if named := os.environ.get("VIVA_GATEWAY_CONFIG"):
        return Path(named)
    if sys.platform == "win32":
        return _program_data() / "viva-gateway.ini"
    return Path("/etc/viva-gateway.ini")


def load(file: Path | None = None, state: Path | None = None) -> Config:
    """Read the file. :raises Problem: it is named but absent, or has something that is not understood"""
    named = file is not None or "VIVA_GATEWAY_CONFIG" in os.environ
    file = file or default_file()
    values: dict[str, str] = {}
    if file.is_file() or named:
        values = _read(file)
    level = values.get("log_level", "info").lower() or "info"
    if level not in LEVELS:
        raise Problem(f"{file}: log_level must be one of {', '.join(LEVELS)}.")
    ca_bundle = values.get("ca_bundle", "")
    if ca_bundle and not Path(ca_bundle).is_file():
        raise Problem(f"{file}: the ca_bundle {ca_bundle} is not there. Name a PEM file, or none.")
    odoo = values.get("odoo", "")
    return Config(
        state=state or Path(values.get("state", "") or _default_state()).expanduser(),
        odoo=address(odoo) if odoo else "",
        database=values.get("database", ""),
        ca_bundle=ca_bundle,
        log_level=level,
        networks=tuple(values.get("networks", "").replace(",", " ").split()),
    )


def address(text: str) -> str:
    """Return Odoo's address as ``scheme://host[:port]``. :raises Problem: it is none"""
    text = text.strip()
    parts = urlsplit(text if "://" in text else f"https://{text}")
    try:
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username or parts.query or parts.fragment:
        raise Problem(
            f"{text!r} is not the address of an Odoo. Write it as in the browser, without what "
            "follows the name: https://odoo.example.com"
        )
    return f"{parts.scheme}://{parts.netloc}"


def _read(file: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
        values = dict(parser[SECTION])
    except OSError as error:
        raise Problem(f"{file} cannot be read ({error.strerror}). Check its name.") from error
    except (configparser.Error, KeyError, UnicodeDecodeError) as error:
        raise Problem(
            f"{file} is not understood: it needs a line [{SECTION}], then lines like "
            "odoo = https://odoo.example.com."
        ) from error
    if unknown := sorted(set(values) - set(_KEYS)):
        raise Problem(f"{file}: {unknown[0]!r} is not known. Known are {', '.join(_KEYS)}.")
    return {name: value.strip() for name, value in values.items()}


def _default_state() -> Path:
    if folder := os.environ.get("STATE_DIRECTORY"):  # set by systemd
        return Path(folder.split(":")[0])
    if sys.platform == "win32":
        return _program_data() / "state"
    system = Path("/var/lib/viva-gateway")
    if system.is_dir() or os.geteuid() == 0:
        return system
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "viva-gateway"


def _program_data() -> Path:
    return Path(os.environ.get("PROGRAMDATA", "C:/ProgramData")) / "viva-gateway"
