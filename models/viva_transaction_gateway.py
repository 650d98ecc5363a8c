"""Through a gateway: what it is offered, and what its reports do to the ledger.

A gateway calls; nobody calls it. A recorded request is offered to it for a few seconds, in every call, until it says
that it has it; its journal makes it happen at most once. Its reports go through the same machine as Viva's answers.
It can only speak about what was offered to it, under the identity to which it was offered.
"""

import hashlib
import json
import logging
from datetime import timedelta

from psycopg2.errors import UniqueViolation

from odoo import api, fields, models

from ..drivers import (
    AbortRequest,
    DefiniteError,
    NotFound,
    Outcome,
    RetryableError,
    TooLate,
    VivaError,
    WrongDevice,
    answer_from_json,
    error_from_json,
    request_to_json,
)
from .ledger import in_ledger, own_cursor
from .viva_gateway_sync import is_number, printable
from .viva_transaction import FINAL_NO
from .viva_transaction_pos import MANAGER
from .ways import LAN

_logger = logging.getLogger(__name__)

# Seconds.
OFFERED_FOR = 10  # a request is started at once or never: the customer may have gone
AWAY_AFTER = 15  # never offered for so long: it never will be
SILENT_AFTER = 30  # offered, and nothing was heard about it for so long: nobody knows
ASK_AFTER = (
    10  # offered so long ago, and nothing heard: the gateway is asked whether it knows of it
)
ASK_AGAIN_AFTER = 200  # … and again, when it has not ended and nothing was heard any more
LATE = 75 * 60  # so long after a no a success is a matter for Viva's list and a person
MAX_OFFERS, MAX_ASKED = 50, 100
MAX_REPORTS = 60  # of one operation; a sound gateway needs less than ten

# What the gateway has said about an operation, in its order.
STEPS = [
    ("received", "Received"),
    ("started", "Started"),
    ("accepted", "On the terminal"),
    ("ended", "Ended"),
]
# Why a gateway does not know what became of a payment, as the reasons of the ledger.
_LOST = {
    "connection_lost": "lan_lost",
    "terminal_silent": "lan_silent",
    "wrong_terminal": "terminal",
    "session_lost": "session_lost",
    "restarted": "gateway_restarted",
}
# Doubts that only Viva's own word, or a person, can end.
_DIFFERS = {
    "amount",
    "currency",
    "reference",
    "type",
    "session",
    "twice",
    "transaction_id",
    "contradiction",
}
# Doubts that came by waiting alone: word that nothing happened ends them.
_BY_TIME = {False, "gateway_silent", "gateway_restarted", "no_answer", "no_end"}
_NOT_STARTED = {"expired": "gateway_expired", "never_heard": "gateway_never"}
_KINDS = (
    "received",
    "started",
    "accepted",
    "refused",
    "not_started",
    "aborting",
    "outcome",
    "lost",
)


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    gateway_id = fields.Many2one(
        "viva.gateway",
        readonly=True,
        copy=False,
        ondelete="restrict",
        index="btree_not_null",
        groups=MANAGER,
    )
    gateway_uid = fields.Char(
        "Offered to", readonly=True, copy=False, help="The identity that the gateway had then."
    )
    gateway_instance = fields.Char(
        readonly=True, copy=False, help="The running program to which it was offered."
    )
    gateway_released = fields.Boolean(
        readonly=True, copy=False, help="Recorded for good: from now on it may be offered."
    )
    gateway_reports = fields.Integer(readonly=True, copy=False, help="Heard about it.")
    gateway_digest = fields.Char(readonly=True, copy=False, help="Of the last report.")
    gateway_abort_at = fields.Datetime(
        "Terminal told to cancel at", readonly=True, copy=False, help="By the gateway."
    )
    gateway_step = fields.Selection(STEPS, "Last word of the gateway", readonly=True, copy=False)
    gateway_heard_at = fields.Datetime("Gateway last heard", readonly=True, copy=False)
    gateway_abort_wanted = fields.Boolean(
        readonly=True,
        copy=False,
        help="The gateway is to cancel it and has not said yet that it did.",
    )

    _gateway_work = models.Index(
        "(gateway_id) WHERE state IN ('sent', 'pending', 'unknown') OR gateway_abort_wanted"
    )

    # -- to the gateway --------------------------------------------------------------------------

    @api.model
    def _send_by_gateway(self, recorded):
        """Release it for the gateway, and hint that there is something to do. What becomes of it is in the ledger.

        Not before: a request that is given up while it is still being recorded was never offered to anybody.
        """

        def release(env):
            transaction = env["viva.transaction"].browse(recorded.id)._lock()
            if transaction.state == "sent":
                transaction.write({"gateway_released": True})
                transaction.gateway_id._hint()

        in_ledger(self.env, release)

    @api.model
    def _abort_by_gateway(self, transaction_id):
        """Have the gateway cancel it; what was never offered is cancelled here and now."""

        def work(env):
            transaction = env["viva.transaction"].browse(transaction_id)._lock()
            if transaction.state == "sent" and not transaction.offered_at:
                transaction._move(
                    "cancelled",
                    kind="abort",
                    note=env._("The gateway had not been told yet."),
                    values={"reason": "aborted"},
                )
                return
            transaction.write({"gateway_abort_wanted": True, "abort_refused": False})
            transaction.gateway_id._hint()

        in_ledger(self.env, work)

    @api.model
    def _offers(self, caller):
        """Inside the ledger: what a gateway is to do, and what it is asked about: (commands, session ids)."""
        self.env.cr.execute(
            "SELECT id FROM viva_transaction WHERE gateway_id = %s "
            "AND (state IN ('sent', 'pending', 'unknown') OR gateway_abort_wanted) ORDER BY id DESC LIMIT %s",
            (caller.gateway_id, MAX_ASKED),
        )
        found = self.browse(row[0] for row in self.env.cr.fetchall())
        found = found.filtered(
            lambda transaction: (
                transaction.protocol in LAN
                and transaction.company_id.id == caller.company_id
                and not transaction.account_id.is_foreign_database
            )
        ).sorted("id")
        to_offer = found.filtered(lambda transaction: transaction._is_to_offer(caller))
        commands = [transaction._offer(caller) for transaction in to_offer[:MAX_OFFERS]]
        commands = [command for command in commands if command]
        for transaction in found:
            if transaction.gateway_abort_wanted and transaction.gateway_uid == caller.uid:
                request = AbortRequest(transaction.session_id, transaction.cash_register_id)
                commands.append({**request_to_json(request), "kind": "abort"})
        asked = found.filtered(lambda transaction: transaction._is_to_ask(caller))
        return commands, asked.mapped("session_id")

    def _seconds_since(self, moment):
        return (fields.Datetime.now() - moment).total_seconds() if moment else 0.0

    def _is_to_offer(self, caller):
        """Whether the gateway is still to hear of this request."""
        self.ensure_one()
        return bool(
            self.state == "sent"
            and self.gateway_released
            and not self.gateway_step
            and not self.abort_asked_at
            and self.gateway_uid in (False, caller.uid)
            and (not self.offered_at or self._was_offered_to(caller))
            and self._seconds_since(self.sent_at) < OFFERED_FOR
            and self.terminal_id.gateway_id == self.gateway_id
            and self.terminal_id.protocol == self.protocol
        )

    def _offer(self, caller):
        """The command that starts it, noted in the ledger before it leaves; None when it is not to be any more."""
        if not self._lock()._is_to_offer(caller):
            return None
        try:
            request = self._terminal_request(self._as_recorded())
        except ValueError as error:
            self._move("failed", kind="error", note=str(error), values={"reason": "bad_request"})
            return None
        if not self.offered_at:
            self.write(
                {
                    "offered_at": fields.Datetime.now(),
                    "gateway_uid": caller.uid,
                    "gateway_instance": caller.instance,
                }
            )
            self._step("sent", note=self.env._("Offered to gateway %s.", self.gateway_id.name))
        return {
            "kind": "start",
            "session_id": self.session_id,
            "viva_id": self.terminal_viva_id,
            "valid_s": round(OFFERED_FOR - self._seconds_since(self.sent_at), 1),
            "request": request_to_json(request),
        }

    def _as_recorded(self):
        """The values of `_record`, read again."""
        return {
            name: self[name].id if field.type == "many2one" else self[name]
            for name, field in self._fields.items()
            if field.store and field.column_type and not name.startswith("message_")
        }

    def _was_offered_to(self, caller):
        """Whether the very process that calls was given it: its memory and its journal agree about it."""
        return bool(caller.instance) and self.gateway_instance == caller.instance

    def _is_to_ask(self, caller):
        """Whether this gateway was offered it and has said no word, or none for long."""
        self.ensure_one()
        if not self.is_unsettled or self.gateway_uid != caller.uid or not self.offered_at:
            return False
        if not self.gateway_heard_at:
            return self._seconds_since(self.offered_at) > ASK_AFTER
        return self._seconds_since(self.gateway_heard_at) > ASK_AGAIN_AFTER

    # -- time ------------------------------------------------------------------------------------

    @api.model
    def _tend_by_gateway(self, transaction_id):
        """What time alone brings to an operation that goes through a gateway."""
        with own_cursor(self.env) as env:
            if not env["viva.transaction"].browse(transaction_id)._lapsed():
                return

        def work(env):
            transaction = env["viva.transaction"].browse(transaction_id)._lock()
            lapsed = transaction._lapsed()
            if lapsed:
                state, reason = lapsed
                transaction._move(state, kind="error", values={"reason": reason})

        in_ledger(self.env, work)

    def _lapsed(self):
        """What it has become by waiting, as (state, reason), or None."""
        self.ensure_one()
        if self.protocol not in LAN or self.state not in ("sent", "pending"):
            return None
        if not self.offered_at:
            late = self._seconds_since(self.sent_at) > AWAY_AFTER
            return ("failed", "gateway_away") if late and self.state == "sent" else None
        if self._seconds_since(self.gateway_heard_at or self.offered_at) <= SILENT_AFTER:
            return None
        # A customer takes his time, and the gateway speaks when there is something to say – as long as it is there.
        # (Paired anew, it has another journal, and this operation is nobody's.)
        gateway = self.gateway_id
        if (
            self.gateway_heard_at
            and gateway.is_connected
            and gateway._link().uid == self.gateway_uid
        ):
            return None
        return "unknown", "gateway_silent"

    # -- from the gateway ------------------------------------------------------------------------

    @api.model
    def _take_report(self, caller, number, report):
        """Read one report of a gateway into the ledger. Idempotent: told twice, it counts once."""
        session_id, kind = report.get("session_id"), report.get("kind")
        data = report.get("data") if isinstance(report.get("data"), dict) else {}
        age = report.get("age_s")
        old = age if is_number(age) or isinstance(age, float) else 0
        content = json.dumps([session_id, kind, data], sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()[:32]

        def take(env):
            reports = env["viva.gateway.report"]
            known = reports._taken_as(caller.uid, number)
            if known == digest:
                return None
            if known:
                # An old journal gives its numbers out once more. What it says is weighed all the same.
                env["viva.gateway.link"].browse(caller.link_id)._conflict()
            transaction = env["viva.transaction"]._reported(caller, session_id)
            if not transaction or kind not in _KINDS:
                env["viva.gateway"].browse(caller.gateway_id)._alarm_foreign(session_id, kind)
                return None
            note = env._("%s seconds ago", int(old)) if 10 < old < 10**7 else ""
            if transaction._is_news(kind, digest):
                getattr(transaction, f"_take_{kind}")(data, note, caller)
            reports._take(caller.uid, number, digest)
            terminal = transaction.terminal_id
            first = transaction.state == "approved" and not terminal.interlocked_since
            return first and terminal.id

        # Two payments may be told the same transaction of Viva at once: the slower one looks again.
        terminal_id = in_ledger(self.env, take, repeat_on=(UniqueViolation,))
        if terminal_id:
            self.env["viva.terminal"]._interlock(terminal_id)

    def _is_news(self, kind, digest):
        """Whether to look at a report at all: not the last one over again, and not without end."""
        was_silent = self.state == "unknown" and self.reason == "gateway_silent"
        if self.gateway_digest == digest and not was_silent:
            self._heard()
            return False
        self.write({"gateway_digest": digest, "gateway_reports": self.gateway_reports + 1})
        if self.gateway_reports <= MAX_REPORTS or (kind == "outcome" and self.is_unsettled):
            return True
        self.gateway_id._alarm(
            self.env._("Too many reports of a gateway"),
            self.env._(
                "It has reported about payment %s far more often than makes sense. What it says about that payment is "
                "not written down any more.",
                self.name,
            ),
        )
        return False

    @api.model
    def _reported(self, caller, session_id):
        """The operation about which this gateway may speak by that name, locked; or none."""
        if not isinstance(session_id, str) or printable(session_id, 80) != session_id:
            return self.browse()
        found = self.search(
            [
                ("session_id", "=", session_id),
                ("gateway_id", "=", caller.gateway_id),
                ("company_id", "=", caller.company_id),
                ("gateway_uid", "=", caller.uid),
                ("offered_at", "!=", False),
                ("protocol", "in", LAN),
            ],
            limit=1,
        )
        return found and found._lock()

    def _heard(self, step=None, **values):
        """Note that the gateway has spoken about it. Steps come in their order; an earlier one tells nothing new."""
        order = [name for name, _label in STEPS]
        if step and (not self.gateway_step or order.index(step) > order.index(self.gateway_step)):
            values["gateway_step"] = step
        self.write({"gateway_heard_at": fields.Datetime.now(), **values})

    def _take_received(self, _data, note, _caller):
        self._heard("received")
        self._step("sent", note=note or self.env._("The gateway has it."))

    def _take_started(self, _data, note, _caller):
        self._heard("started")
        self._step("sent", note=note or self.env._("The gateway turns to the terminal."))
        self._alarm_if_given_up()

    def _take_accepted(self, _data, note, _caller):
        self._heard("accepted", acknowledged=True)
        if self.state == "sent" or (self.state == "unknown" and self.reason == "gateway_silent"):
            self._move("pending", kind="accepted", note=note, values={"reason": False})
            return
        self._step("accepted", note=note)
        self._alarm_if_given_up()

    def _alarm_if_given_up(self):
        """The terminal works on what counts as not charged."""
        if self.state not in FINAL_NO or self.gateway_step == "ended":
            return
        self.write({"recheck_at": fields.Datetime.now(), "gateway_abort_wanted": True})
        self._alarm(
            self.env._("On the terminal after it was given up"),
            self.env._(
                "The gateway has started a payment that counts as not charged. It is being cancelled; look at "
                "terminal %s.",
                self.terminal_id.display_name,
            ),
        )

    def _take_refused(self, data, note, _caller):
        """Surely nothing was started."""
        try:
            error = error_from_json(data)
        except ValueError as nonsense:
            error = VivaError(f"Unreadable: {nonsense}")
        words = {"note": f"{error} {note}".strip(), "raw": error.raw}
        words["correlation_id"] = error.correlation_id
        if not isinstance(error, DefiniteError | RetryableError):
            self._end_in_doubt("no_answer", words)
            return
        if isinstance(error, WrongDevice):
            reason = "lan_certificate"
        elif isinstance(error, TooLate):
            reason = "gateway_expired"
        elif isinstance(error, RetryableError):
            reason = "lan_unreachable"
        else:
            reason = self._reason_of(error)
        self._end_without(
            reason,
            words,
            believed=self.gateway_step in (False, "received", "started"),
            viva_message=printable(error.detail or error.message),
        )

    def _take_not_started(self, data, note, caller):
        """It was not, and never will be, started."""
        reason = _NOT_STARTED.get(str(data.get("reason")), "gateway_never")
        believed = self.gateway_step in (False, "received")
        if reason == "gateway_never" and believed and not self._knows_best(caller):
            # Another process, a copy or a restored journal knows nothing of what the one that had it has begun.
            self._end_in_doubt("gateway_restarted", {"note": note})
            return
        self._end_without(reason, {"note": note}, believed=believed)

    def _knows_best(self, caller):
        """Whether the gateway may say that it has never heard of it."""
        conflict_at = self.gateway_id._link().conflict_at
        return self._was_offered_to(caller) and not (conflict_at and conflict_at >= self.offered_at)

    def _end_without(self, reason, words, *, believed, **values):
        """The gateway says that nothing happened. Not believed after it has said that something did."""
        if not believed or (self.state == "unknown" and self.reason not in _BY_TIME):
            self._end_in_doubt("answer", words)
            return
        if self._has_success_event():
            self._end_in_doubt("contradiction", words)
            return
        # Nobody but the gateway says so: Viva's list is looked at, too.
        values["recheck_at"] = self._next_recheck()
        self._heard("ended", gateway_abort_wanted=False)
        self._move("failed", kind="error", values={"reason": reason, **values}, **words)

    def _end_in_doubt(self, reason, words):
        self._heard()
        if self.state == "unknown":
            self._step("error", **words)
            return
        self._move("unknown", kind="error", values={"reason": reason}, **words)

    def _take_aborting(self, data, note, _caller):
        """The terminal was asked to cancel. Only a hope: its answer is what counts."""
        refused, words, raw = False, printable(data.get("words")), None
        if "error" in data:
            try:
                error = error_from_json(data)
                refused = not isinstance(error, NotFound)
                words, raw = str(error), error.raw
            except ValueError:
                refused = True
        self._heard(
            gateway_abort_wanted=False,
            abort_refused=refused,
            gateway_abort_at=not refused and fields.Datetime.now(),
        )
        words = words or self.env._("The gateway has told the terminal.")
        self._step("abort", note=f"{words} {note}".strip(), raw=raw)
        self._tell()

    def _take_lost(self, data, note, _caller):
        """The gateway does not know what became of it."""
        reason = _LOST.get(str(data.get("reason")), "no_answer")
        if self.state in ("sent", "pending"):
            self._heard("accepted", acknowledged=True)
            self._move("unknown", kind="error", note=note, values={"reason": reason})
            return
        self._heard()
        if self.state == "unknown" and self.reason == "gateway_silent":
            self.write({"reason": reason})
        elif self.state in FINAL_NO and self.gateway_step != "ended":
            self.write({"recheck_at": fields.Datetime.now()})
        words = self._doubts_of_gateway() | {
            "terminal": self.env._("Another terminal has answered."),
            "session_lost": self.env._("The terminal does not know the payment (any more)."),
        }
        lost = words.get(reason, self.env._("The gateway does not know what became of it."))
        self._step("error", note=f"{lost} {note}".strip())

    def _take_outcome(self, data, note, _caller):
        """The terminal's last word, in the same database transaction as everything that follows from it."""
        try:
            outcome = answer_from_json(data)
        except ValueError as nonsense:
            self._end_in_doubt("answer", {"note": str(nonsense)})
            return
        if not isinstance(outcome, Outcome):
            self._end_in_doubt("answer", {"note": self.env._("Not an end: %s", outcome.detail)})
            return
        differs = _DIFFERS | ({"terminal", "answer"} if self.gateway_step == "ended" else set())
        self._heard("ended", gateway_abort_wanted=False, acknowledged=True)
        verdict, outcome = self._weigh(outcome, [])
        words = {"note": f"{outcome.message} {note}".strip(), "raw": dict(outcome.raw)}
        if self.state == "approved" and self.is_forced:
            self._hear_about_decided(verdict, words)
        elif self.state == "approved":
            self._step("read", **words)
            self._hear_again(verdict, outcome)
        elif self.state in FINAL_NO and not outcome.success:
            self._step("read", **words)
        elif self.state in FINAL_NO and self._is_too_late():
            self._hear_too_late(words)
        elif self.state == "unknown" and self.reason in differs:
            # What once differed from what was asked is not made right by saying it again.
            self._step("read", **words)
        else:
            self._settle_verdict(verdict, outcome, "gateway")

    def _is_too_late(self):
        """Whether its no is so old, or was compared with Viva's list since, that the gateway cannot change it alone."""
        settled = self.settled_at or self.write_date
        is_old = self._seconds_since(settled) > LATE
        return is_old or bool(self.looked_at and self.looked_at > settled)

    def _hear_too_late(self, words):
        """A success long after the no: only Viva's list, or a person, makes a payment of it."""
        self.write({"recheck_at": fields.Datetime.now()})
        self._step("read", **words)
        self._alarm(
            self.env._("The gateway reports a payment that counts as not charged"),
            self.env._(
                "Long after it counted as not charged, the gateway of the shop reports a success. Viva is being asked; "
                "look into Viva's portal for reference %s before you give or take anything.",
                self.merchant_reference,
            ),
        )

    def _hear_about_decided(self, verdict, words):
        """A person has accepted it: the gateway may confirm that, but only Viva's word ends it."""
        if verdict.state == "approved":
            note = self.env._("The gateway confirms what was decided.")
            self._step("read", note=f"{note} {words['note']}".strip(), raw=words["raw"])
            return
        self._step("read", **words)
        self._alarm(
            self.env._("The gateway denies what was decided"),
            self.env._(
                "The payment was accepted by hand (%(why)s). The gateway of the shop reports that the terminal did "
                "not charge it as asked. Look into Viva's portal for reference %(reference)s.",
                why=self.forced_reason,
                reference=self.merchant_reference,
            ),
        )

    # -- a gateway goes --------------------------------------------------------------------------

    @api.model
    def _orphan(self, gateways):
        """Inside the ledger: these gateways will never speak again about what they were offered: nobody knows now."""
        orphans = self.search(
            [
                ("gateway_id", "in", gateways.ids),
                ("offered_at", "!=", False),
                ("state", "in", ("sent", "pending")),
            ]
        )
        for transaction in orphans.filtered(lambda record: record.protocol in LAN):
            if transaction._lock().state in ("sent", "pending"):
                transaction._move("unknown", kind="error", values={"reason": "gateway_gone"})
                transaction._alarm(
                    self.env._("Gateway revoked or paired again during a payment"),
                    self.env._(
                        "It was revoked, forgotten or paired again while terminal %(terminal)s had a payment. Look "
                        "at the terminal, and into Viva's portal for reference %(reference)s.",
                        terminal=transaction.terminal_id.display_name,
                        reference=transaction.merchant_reference,
                    ),
                )

    # -- words -----------------------------------------------------------------------------------

    def _words_of_gateway(self):
        """What the state means when the gateway is the reason; empty when it is not."""
        self.ensure_one()
        if self.protocol not in LAN:
            return ""
        if self.state == "failed":
            words, ending = self._words_failed_by_gateway()
            words = words.get(self.reason)
            if words and self._gives_back():
                nothing = self.env._("Nothing was given back.")
            else:
                nothing = self.env._("Nothing was charged.")
            return (
                " ".join(filter(None, [words, nothing, ending.get(self.reason)])) if words else ""
            )
        words = self._doubts_of_gateway().get(self.reason)
        if self.state != "unknown" or not words:
            return ""
        return f"{words} {self._look_at_terminal()}"

    def _words_failed_by_gateway(self):
        """By reason: what has happened, and what to do next. What became of the money is said between them."""
        terminal = self.terminal_id.display_name
        again = self.env._("Try again.")
        elsewhere = self.env._(
            "Check whether the gateway runs, try again, or take another payment method."
        )
        if self._gives_back():
            elsewhere = self.env._("Check whether the gateway runs, then try again.")
        words = {
            "gateway_away": self.env._(
                "The gateway of the shop did not take the request: nothing was sent to terminal %s.",
                terminal,
            ),
            "gateway_expired": self.env._(
                "The gateway of the shop got the request too late and did not start it."
            ),
            "gateway_never": self.env._("The request never reached the gateway of the shop."),
            "lan_unreachable": self.env._("The gateway cannot reach terminal %s.", terminal),
            "lan_certificate": self.env._(
                "Another device or certificate answers at the address of terminal %s.", terminal
            ),
            "bad_request": self.env._(
                "The gateway or the terminal refused the request: %s.", self.viva_message or "?"
            ),
        }
        ending = {
            "gateway_away": elsewhere,
            "gateway_expired": again,
            "gateway_never": again,
            "lan_unreachable": self.env._("Is it switched on, and in the shop's network?"),
            "lan_certificate": self.env._("Ask an administrator."),
        }
        return words, ending

    def _doubts_of_gateway(self):
        """By reason: why nobody knows what became of it."""
        terminal = self.terminal_id.display_name
        return {
            "gateway_silent": self.env._("The gateway of the shop does not answer."),
            "gateway_gone": self.env._("The pairing of the gateway was ended meanwhile."),
            "gateway_restarted": self.env._("The gateway of the shop was restarted meanwhile."),
            "lan_lost": self.env._("The connection to terminal %s was lost.", terminal),
            "lan_silent": self.env._("Terminal %s gave no answer in time.", terminal),
        }

    def _look_at_terminal(self):
        """What to do while nobody knows."""
        terminal = self.terminal_id.display_name
        if self._gives_back():
            return self.env._(
                "Look at terminal %s: it may have given the money back. Do not give it back again.",
                terminal,
            )
        return self.env._(
            "Look at terminal %s: it may have charged the customer. Do not charge the card again.",
            terminal,
        )


class VivaGatewayLink(models.Model):
    _inherit = "viva.gateway.link"

    def _conflict(self):
        """A number came twice: another copy of the gateway runs, or it was restored from a backup.

        Only one of them is heard; what it does not know may have been begun by the other one.
        """
        self.ensure_one()
        now = fields.Datetime.now()
        self.conflict_at = now
        ended = self.env["viva.transaction"].search(
            [
                ("gateway_uid", "=", self.uid),
                ("state", "=", "failed"),
                ("reason", "in", list(_NOT_STARTED.values())),
                ("settled_at", ">", now - timedelta(hours=1)),
                ("recheck_at", "=", False),
            ]
        )
        ended.write({"recheck_at": now})
        self.gateway_id._alarm(
            self.env._("Two copies of this gateway are running"),
            self.env._(
                "Somebody has copied its folder, or restored an old backup of it. Stop the other copy, look at the "
                "terminals for payments that Odoo does not know, then press Pair again."
            ),
        )


class VivaGateway(models.Model):
    _inherit = "viva.gateway"

    def _alarm_foreign(self, session_id, kind):
        """The gateway speaks about what is not its own, or in words that nobody understands: nothing is changed."""
        _logger.warning(
            "viva: gateway %s reports %r about %r, which was never offered to it",
            self.id,
            printable(kind, 20),
            printable(session_id, 80),
        )
        self._alarm(
            self.env._("The gateway reports a payment that it was never given"),
            self.env._(
                "It spoke about a payment that was not given to it (under its present pairing), or in a way that is not "
                "understood. Nothing was changed. If it was not paired again lately, check whether somebody else uses it."
            ),
        )
