"""What a person types, and what is said to them."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from . import config, log, pairing, scan, service
from .config import Config
from .problems import ANOTHER_COPY, IN_USE, NOT_PAIRED, Problem
from .store import Identity, Store
from .version import version


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = config.load(options.config, options.state)
        log.start(settings.log_level)
        _check_user(settings)
        code: int = options.command(settings, options)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return problem.code
    except KeyboardInterrupt:
        return 130
    return code


def _check_user(settings: Config) -> None:
    """Files that root leaves in the service's folder would lock the service out."""
    try:
        owner = settings.state.stat().st_uid
        settings.journal.is_file()
    except FileNotFoundError:
        return
    except OSError as error:
        raise Problem(
            f"{settings.state} cannot be read ({error.strerror}). Run this as the user that the "
            "service runs as: sudo -u viva-gateway viva-gateway …"
        ) from error
    if os.name == "posix" and os.geteuid() == 0 and owner != 0:
        raise Problem(
            f"{settings.state} belongs to another user, the service's. Run this as that user: "
            "sudo -u viva-gateway viva-gateway …"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="viva-gateway",
        description="Connects Viva.com card terminals of a shop's network with an Odoo elsewhere.",
        epilog="Manual: docs/gateway.md of Viva Payments for Odoo.",
    )
    parser.add_argument("--version", action="version", version=f"viva-gateway {version()}")
    parser.add_argument(
        "--config", type=Path, help=f"configuration file (now: {config.default_file()})"
    )
    parser.add_argument("--state", type=Path, help="folder of identity and journal")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    pair = commands.add_parser(
        "pair", help="introduce this gateway to Odoo, with a code from there"
    )
    pair.add_argument("url", metavar="URL", help="Odoo's address, as in the browser")
    pair.add_argument("code", metavar="CODE", help="the code that Odoo shows")
    pair.set_defaults(command=_pair)

    run = commands.add_parser("run", help="work, until stopped (the service does this)")
    run.set_defaults(command=_run)

    status = commands.add_parser("status", help="is it paired, running, connected?")
    status.set_defaults(command=_status)

    look = commands.add_parser("scan", help="look for terminals in the shop's network")
    look.add_argument("network", metavar="NETWORK", nargs="*", help="like 192.168.1.0/24")
    look.set_defaults(command=_scan)

    forget = commands.add_parser("forget", help="forget the pairing and the journal")
    forget.add_argument("--yes", action="store_true", help="even if Odoo was not told everything")
    forget.set_defaults(command=_forget)
    return parser


def _pair(settings: Config, options: argparse.Namespace) -> int:
    pairing.read_code(options.code)
    odoo = config.address(options.url)
    journal = Store(settings.journal)
    try:
        known = journal.identity()
        if known is not None:
            raise Problem(
                f"This gateway is paired already: {known.name}, {known.odoo}. To pair it anew, "
                "revoke it in Odoo, then: viva-gateway forget"
            )
        identity = pairing.pair(settings, odoo, options.code)
        journal.pair(identity)
    finally:
        journal.close()
    print(f"Paired with {odoo} as {identity.name!r}.")
    if settings.odoo and settings.odoo != odoo:
        print(f"Note: the configuration file names another address, {settings.odoo}: it is used.")
    print("Now start the service: sudo systemctl enable --now viva-gateway (or: viva-gateway run)")
    return 0


def _run(settings: Config, options: argparse.Namespace) -> int:
    running = service.Service(settings)

    def stop(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # pressed twice: at once
        running.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    running.run()
    return 0


def _status(settings: Config, options: argparse.Namespace) -> int:
    identity, waiting, stopped = _peek(settings)
    if identity is None and waiting is not None:
        print("Not paired. Make a code in Odoo, then: viva-gateway pair https://your-odoo CODE")
        return NOT_PAIRED
    told = _told(settings)
    if stopped:
        print(stopped)
        return ANOTHER_COPY
    if waiting is not None and identity is not None:
        print(f"Paired with {identity.odoo} as {identity.name!r}. Not running.")
        if waiting:
            print("Odoo has not been told everything yet: start the service.")
        return 0
    if not told:
        print("Running.")
        return 0
    print(f"Running (process {told.get('pid')}, version {told.get('version')}).")
    print(f"Paired with {told.get('odoo')} as {told.get('name')!r}.")
    if told.get("trouble"):
        print(f"Odoo: {told['trouble']}")
    else:
        way = "with its websocket" if told.get("hints") else "without its websocket: slower"
        print(f"Odoo: connected, {way}.")
    for terminal in told.get("terminals", []):
        reached = {True: "reached", False: "NOT reached", None: "not tried yet"}
        line = reached[terminal.get("reached")]
        line += ", in a payment" if terminal.get("busy") else ""
        line += f". {terminal['words']}" if terminal.get("words") else ""
        print(f"Terminal {terminal.get('viva_id')}: {line}")
    if not told.get("terminals"):
        print("Odoo lists no terminal for this gateway yet.")
    return 0


def _peek(settings: Config) -> tuple[Identity | None, bool | None, str]:
    """Return who we are, whether reports wait (``None`` while it is running), and why it is stopped."""
    if not settings.journal.is_file():
        return None, False, ""
    try:
        journal = Store(settings.journal)
    except Problem as problem:
        if problem.code == IN_USE:
            return None, None, ""
        raise
    try:
        waiting = bool(journal.reports(1) or journal.unfinished())
        return journal.identity(), waiting, journal.stopped()
    finally:
        journal.close()


def _told(settings: Config) -> dict[str, Any] | None:
    try:
        data = json.loads((settings.state / service.STATUS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) and data.get("running") else None


def _scan(settings: Config, options: argparse.Namespace) -> int:
    where = scan.networks(options.network or settings.networks)
    if not where:
        print("No network was found to look into. Name it: viva-gateway scan 192.168.1.0/24")
        return 1
    print(f"Looking for terminals in {', '.join(map(str, where))}.")
    print("A payment on a TCP/IP terminal can be disturbed by this: better with idle terminals.")
    began = time.monotonic()
    found = scan.scan(where)
    for item in found:
        what = "TCP/IP" if item.protocol == "tcp" else f"Local API ({item.scheme})"
        print(f"{item.host}:{item.port}  {what}")
        if item.fingerprint:
            print(f"    certificate {item.fingerprint}")
    print(f"{len(found)} found in {time.monotonic() - began:.0f} s.")
    return 0


def _forget(settings: Config, options: argparse.Namespace) -> int:
    if not settings.journal.is_file():
        print("There is nothing to forget.")
        return 0
    journal = Store(settings.journal)
    try:
        # Of a journal that was stopped for good Odoo will never hear anything.
        untold = not journal.stopped() and bool(journal.reports(1) or journal.unfinished())
    finally:
        journal.close()
    if untold and not options.yes:
        raise Problem(
            "Odoo has not been told everything that happened at the terminals. Start the service "
            "and let it tell; or, when that Odoo is gone: viva-gateway forget --yes"
        )
    for ending in ("", "-wal", "-shm"):
        Path(str(settings.journal) + ending).unlink(missing_ok=True)
    (settings.state / service.STATUS_FILE).unlink(missing_ok=True)
    print("Forgotten. Revoke this gateway in Odoo too, if that was not done.")
    return 0
