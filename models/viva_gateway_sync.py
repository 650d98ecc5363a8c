"""What a gateway asks and tells: pairing, and one signed call that it repeats for ever ("sync").

Nothing here calls out or waits. A call is checked and counted, its reports are settled one by one, then the answer is
written; each in a short database transaction of its own.
"""

import hashlib
import ipaddress
import json
import logging
import re
from dataclasses import dataclass
from datetime import timedelta

from psycopg2 import errors

from odoo import api, fields, models

from . import viva_gateway_keys as keys
from .ledger import in_ledger
from .viva_gateway import SCAN_SECONDS
from .viva_gateway_link import TRIES
from .ways import LAN

_logger = logging.getLogger(__name__)

IDLE_SECONDS = 30  # without a hint the gateway calls again after so long
# So often, for so long, after a request lapsed because no hint had reached the gateway.
WARY_SECONDS, WARY_MINUTES = 3, 10
LARGEST = 2**31 - 1
MAX_REPORTS, MAX_FOUND, MAX_TERMINALS = 200, 100, 500
_UID = re.compile(r"[0-9a-f]{32}")
_CODE_ID = re.compile(f"[{keys.ALPHABET}]{{{keys.CODE_ID}}}")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_BUSY = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)
_SCAN_PROTOCOLS, _SCAN_SCHEMES = LAN, ("https", "http")


class _Refusal(Exception):
    """A call that is answered with an error. `args` is (status, content)."""


@dataclass(frozen=True)
class Caller:
    """A gateway whose signature was right."""

    link_id: int
    gateway_id: int
    company_id: int
    uid: str
    sequence: int
    private_key: str
    instance: str = ""


def printable(value, longest=200):
    """A text as somebody else sent it, made harmless; anything else is empty."""
    if not isinstance(value, str):
        return ""
    return "".join(letter if letter.isprintable() else " " for letter in value[:longest]).strip()


def is_number(value, low=0, high=LARGEST):
    return type(value) is int and low <= value <= high


class VivaGateway(models.Model):
    _inherit = "viva.gateway"

    # -- pairing ---------------------------------------------------------------------------------

    @api.model
    def _pair(self, message, address):
        """A gateway shows that it was told a code. Returns (status, answer)."""
        message = message if isinstance(message, dict) else {}
        code_id = message.get("code_id")
        code_id = code_id if isinstance(code_id, str) and _CODE_ID.fullmatch(code_id) else ""
        public_key = keys.unb64(message.get("public_key"), 32)
        proof = keys.unb64(message.get("proof"), 32)
        version, host = printable(message.get("version"), 40), printable(message.get("host"), 80)

        def work(env):
            attempts = env["viva.gateway.attempt"]
            error, pairing = env["viva.gateway"]._pairing_of(code_id)
            if not pairing:
                return 403, {
                    "error": "code"
                }  # names no code: it tells nothing, and counts for nothing
            if not error:
                key = keys.unb64(pairing.key, 32)
                if not (public_key and proof) or not keys.same(
                    proof, keys.proof_of_gateway(key, public_key)
                ):
                    error = "code"
            if error:
                # A right proof is always let in: nobody else can lock the door.
                if attempts._too_many(address):
                    return 429, {"error": "slow_down"}
                attempts._count(address)
                return 403, {"error": error}
            gateway = pairing.gateway_id
            pairing.unlink()
            uid, server_key, channel = gateway._paired(gateway.id, public_key, version, host)
            gateway._alarm_done()
            gateway.message_post(body=env._("Paired with a program on %s.", host or "?"))
            return 200, {
                "uid": uid,
                "public_key": keys.b64(server_key),
                "channel": channel,
                "name": gateway.name,
                "database": env.cr.dbname,
                "proof": keys.b64(keys.proof_of_server(key, server_key, public_key, uid)),
            }

        return in_ledger(self.env, work)

    @api.model
    def _pairing_of(self, code_id):
        """The code that waits, one try of it used up. Returns (error, code)."""
        pairing = self.env["viva.gateway.pairing"].search([("code_id", "=", code_id)])
        if not pairing:
            return "code", pairing
        self.env.cr.execute(
            "UPDATE viva_gateway_pairing SET tries = tries + 1 WHERE id = %s AND tries < %s",
            (pairing.id, TRIES),
            log_exceptions=False,
        )
        if not self.env.cr.rowcount:
            return "tries", pairing
        if pairing.expires_at <= fields.Datetime.now():
            return "expired", pairing
        return "", pairing

    def _alarm_done(self):
        """A new pairing is a new start: the tasks of the old one are done with."""
        self.activity_ids.filtered(lambda activity: activity.automated).unlink()

    # -- sync ------------------------------------------------------------------------------------

    @api.model
    def _sync(self, uid, sequence, signature, body):
        """One call of a gateway.

        :param str uid: as it names itself
        :param str sequence: decimal
        :param str signature: base64
        :param bytes body: as it was signed
        :return: (status, body, signature of ours or None)
        """
        try:
            caller, refusal, message = self._enter(uid, sequence, signature, body)
            if refusal:
                status, content = refusal.args
            else:
                status, content = 200, self._serve(caller, message)
        except _BUSY:
            # Odoo must not repeat it by itself: the gateway calls again, under a new number.
            _logger.warning("viva: the database was too busy to answer a gateway")
            return 503, b'{"error":"busy"}', None
        answer = json.dumps(content, separators=(",", ":")).encode()
        if not caller:
            return status, answer, None
        ours = keys.sign(
            keys.unb64(caller.private_key, 32),
            keys.message_of_server(caller.uid, caller.sequence, status, answer),
        )
        return status, answer, keys.b64(ours)

    @api.model
    def _enter(self, uid, sequence, signature, body):
        """Check who calls and count the call. Returns (Caller or None, refusal or None, message)."""
        number = int(sequence) if re.fullmatch(r"[0-9]{1,10}", sequence) else 0
        raw_signature = keys.unb64(signature, 64)
        if not _UID.fullmatch(uid):
            return None, _Refusal(404, {"error": "unknown"}), None

        def work(env):
            link = env["viva.gateway.link"].search([("uid", "=", uid)])
            if not link:
                return None, _Refusal(404, {"error": "unknown"}), None
            signed = keys.message_of_gateway(uid, sequence, body)
            public_key = keys.unb64(link.public_key, 32)
            if raw_signature is None or not keys.is_signed(public_key, raw_signature, signed):
                return None, _Refusal(401, {"error": "signature"}), None
            message = _read(body)
            caller = Caller(
                link.id,
                link.gateway_id.id,
                link.gateway_id.company_id.id,
                uid,
                number,
                link.private_key,
                printable((message or {}).get("instance"), 32),
            )
            if link.is_revoked:
                return caller, _Refusal(403, {"error": "revoked"}), None
            if link.database_uuid != env["viva.account"]._current_database():
                return caller, _Refusal(403, {"error": "other_database"}), None
            if not is_number(number, 1) or message is None:
                return caller, _Refusal(400, {"error": "body"}), None
            digest = hashlib.sha256(body).hexdigest()
            if number == link.sequence and digest == link.digest:
                return caller, None, message  # repeated on the way: it is the same call
            counters = _counters(message)
            is_behind = counters and (
                counters[0] < link.journal_reports or counters[1] < link.journal_commands
            )
            # The row itself decides which of two calls was first; the narrow row costs one update.
            env.cr.execute(
                "UPDATE viva_gateway_link SET sequence = %s, digest = %s, seen_at = %s, "
                "journal_reports = greatest(journal_reports, %s), journal_commands = greatest(journal_commands, %s) "
                "WHERE id = %s AND sequence < %s",
                (
                    *(number, digest, fields.Datetime.now()),
                    *(counters or (0, 0)),
                    *(link.id, link.sequence if is_behind else number),
                ),
                log_exceptions=False,
            )
            if not env.cr.rowcount:
                # A call that was held up on its way is overtaken by its own successor: no harm.
                if is_behind or not caller.instance or caller.instance != link.instance:
                    link._conflict()
                return caller, _Refusal(409, {"error": "sequence", "last": link.sequence}), None
            version = printable(message.get("version"), 40)
            if version and version != link.version:
                link.version = version
            if caller.instance != (link.instance or ""):
                link.instance = caller.instance
            return caller, None, message

        return in_ledger(self.env, work)

    @api.model
    def _serve(self, caller, message):
        """Take in what the gateway tells, then say what it is to do."""
        confirmed = []
        for report in _items(message.get("reports"), MAX_REPORTS):
            number = report.get("id")
            if not is_number(number, 1):
                continue
            try:
                self.env["viva.transaction"]._take_report(caller, number, report)
            except _BUSY:
                # Others were faster, again and again: the next call brings it.
                _logger.info("viva: report %s of a gateway waits for its next call", number)
                continue
            except Exception:
                # Not confirmed: it comes again. The others must not wait for it.
                _logger.exception("viva: report %s of a gateway could not be taken", number)
                continue
            confirmed.append(number)

        def answer(env):
            gateway = env["viva.gateway"].browse(caller.gateway_id)
            gateway._take_sights(caller, message)
            commands, asked = env["viva.transaction"]._offers(caller)
            return {
                "confirmed": confirmed,
                "terminals": [terminal._for_gateway() for terminal in gateway._served(caller)],
                "commands": commands,
                "asked": asked,
                "scan": gateway._scan_wanted(),
                "idle_s": gateway._idle_seconds(),
            }

        return in_ledger(self.env, answer)

    def _idle_seconds(self):
        """How long the gateway may wait for a hint; not long where hints are being lost on their way."""
        lapsed = self.env["viva.transaction"].search_count(
            [
                ("gateway_id", "=", self.id),
                ("state", "=", "failed"),
                ("reason", "=", "gateway_away"),
                ("settled_at", ">", fields.Datetime.now() - timedelta(minutes=WARY_MINUTES)),
            ],
            limit=1,
        )
        return WARY_SECONDS if lapsed else IDLE_SECONDS

    def _served(self, caller):
        """The terminals that this gateway may touch."""
        terminals = self.env["viva.terminal"].search(
            [
                ("gateway_id", "=", caller.gateway_id),
                ("company_id", "=", caller.company_id),
                ("protocol", "in", LAN),
                ("lan_host", "!=", False),
            ],
            order="id",
            limit=MAX_TERMINALS,
        )
        return terminals.filtered(
            lambda terminal: (
                terminal.lan_port
                and terminal._is_in_shop(terminal.lan_host)
                and not terminal.account_id.is_foreign_database
            )
        )

    # -- what it sees ----------------------------------------------------------------------------

    @api.model
    def _take_sights(self, caller, message):
        """What the gateway says about its terminals, and about those that it was asked to look for."""
        told = {
            entry["viva_id"]: entry
            for entry in _items(message.get("terminals"), MAX_TERMINALS)
            if isinstance(entry.get("viva_id"), str)
        }
        if told:
            self._take_terminals(caller, told)
        scan = message.get("scan")
        if isinstance(scan, dict):
            self._take_scan(caller, scan)

    @api.model
    def _take_terminals(self, caller, told):
        terminals = self.browse(caller.gateway_id)._served(caller)
        sights = (
            self.env["viva.gateway.sight"]
            .search([("terminal_id", "in", terminals.ids)])
            .grouped("terminal_id")
        )
        for terminal in terminals:
            entry = told.get(terminal.viva_id)
            if not entry:
                continue
            place = (terminal.lan_host, terminal.lan_port, terminal.lan_look)
            if place != tuple(map(entry.get, ("host", "port", "look"), place)):
                continue  # it looked where the terminal was before, or when
            fingerprint = entry.get("fingerprint")
            seen = {
                "reached": {"True": "yes", "False": "no"}.get(str(entry.get("reached")), False),
                "words": printable(entry.get("words")) or False,
                "tid": printable(entry.get("tid"), 64) or False,
                "fingerprint": isinstance(fingerprint, str)
                and bool(_FINGERPRINT.fullmatch(fingerprint))
                and fingerprint,
            }
            sight = sights.get(terminal)
            if not sight:
                self.env["viva.gateway.sight"].create(
                    {
                        **seen,
                        "gateway_id": caller.gateway_id,
                        "terminal_id": terminal.id,
                        "changed_at": fields.Datetime.now(),
                    }
                )
                continue
            # Nothing that was seen once is forgotten because it was not looked at again.
            changes = {
                name: value
                for name, value in {**seen, "gateway_id": caller.gateway_id}.items()
                if value != (sight[name].id if name == "gateway_id" else sight[name])
                and (value or name in ("words", "reached"))
            }
            if changes:
                sight.write({**changes, "changed_at": fields.Datetime.now()})

    @api.model
    def _take_scan(self, caller, scan):
        link = self.env["viva.gateway.link"].browse(caller.link_id)
        if scan.get("id") != link.scan_number or not link.scan_asked_at or link.scan_done_at:
            return
        found = []
        for entry in _items(scan.get("found"), MAX_FOUND):
            fingerprint = entry.get("fingerprint")
            line = {
                "host": printable(entry.get("host"), 64),
                "port": entry.get("port"),
                "protocol": entry.get("protocol"),
                "scheme": entry.get("scheme") or "https",
                "tid": printable(entry.get("tid"), 64),
                "fingerprint": fingerprint
                if isinstance(fingerprint, str) and _FINGERPRINT.fullmatch(fingerprint)
                else "",
            }
            try:
                ipaddress.ip_address(line["host"])
            except ValueError:
                continue
            if (
                is_number(line["port"], 1, 65535)
                and line["protocol"] in _SCAN_PROTOCOLS
                and line["scheme"] in _SCAN_SCHEMES
            ):
                found.append(line)
        link.scan_found = found
        if scan.get("done") is True:
            link.scan_done_at = fields.Datetime.now()

    def _scan_wanted(self):
        link = self._link()
        since = fields.Datetime.now() - timedelta(seconds=SCAN_SECONDS)
        if link.scan_asked_at and not link.scan_done_at and link.scan_asked_at > since:
            return {"id": link.scan_number}
        return None


def _counters(message):
    """How much the gateway's journal has ever written, as (reports, commands); None from one that does not tell."""
    journal = message.get("journal")
    journal = journal if isinstance(journal, dict) else {}
    counters = journal.get("reports"), journal.get("commands")
    return counters if all(is_number(counter) for counter in counters) else None


def _read(body):
    """The object that a body carries, or None."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _items(value, most):
    """The objects of a list that somebody else sent."""
    if not isinstance(value, list):
        return []
    return [item for item in value[:most] if isinstance(item, dict)]
