import json
import logging
import uuid
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..drivers import redact, to_major, to_minor
from .ledger import in_ledger, own_cursor
from .viva_transaction import FINAL_NO, UNSETTLED

_logger = logging.getLogger(__name__)

PAYMENT, REVERSAL, FAILURE, SESSION, SESSION_FAILURE = 1796, 1797, 1798, 1802, 1803
SUCCESSES = (PAYMENT, SESSION)
KEEP_DAYS, KEEP_FOREIGN_DAYS = 90, 7
# Reversals that arrive before the sale they reverse are tried again for so long.
REVERSAL_DAYS = 7
# Events of one payment that come together (1796 and 1802) ping the till once: it asks, and polls anyway.
TOGETHER_MS = 300


def _is_identifier(value, longest):
    """Whether `value` can be an identifier; PostgreSQL takes neither NUL nor lone surrogates."""
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()


class VivaEvent(models.Model):
    """The inbox of webhooks. An event is a hint that makes us ask Viva; it decides nothing by itself."""

    _name = "viva.event"
    _description = "Viva Event"
    _order = "id desc"

    account_id = fields.Many2one("viva.account", required=True, readonly=True, ondelete="cascade")
    company_id = fields.Many2one("res.company", required=True, readonly=True)
    message_id = fields.Char(required=True, readonly=True)
    event_type_id = fields.Integer("Type", required=True, readonly=True)
    event_name = fields.Char("Event", compute="_compute_event_name")
    received_at = fields.Datetime(required=True, readonly=True, default=fields.Datetime.now)
    transaction_id = fields.Many2one(
        "viva.transaction", readonly=True, ondelete="restrict", index="btree_not_null"
    )
    is_foreign = fields.Boolean(
        readonly=True,
        help="Not about a payment of this database: only id, type and time were kept.",
    )
    payload = fields.Json(readonly=True, help="What Viva sent, without personal data.")
    is_processed = fields.Boolean(readonly=True)

    _message_unique = models.Constraint(
        "unique (account_id, message_id)", "This event has been received already."
    )
    _recent = models.Index("(account_id, received_at)")
    _waiting = models.Index("(transaction_id) WHERE NOT is_processed")

    @api.depends("event_type_id")
    def _compute_event_name(self):
        names = {
            PAYMENT: self.env._("Payment created"),
            REVERSAL: self.env._("Reversal created"),
            FAILURE: self.env._("Payment attempt failed"),
            SESSION: self.env._("Terminal session finished"),
            SESSION_FAILURE: self.env._("Terminal session failed"),
        }
        for event in self:
            event.event_name = names.get(
                event.event_type_id, self.env._("Other (%s)", event.event_type_id)
            )

    # -- intake ----------------------------------------------------------------------------------

    @api.model
    def _receive(self, account, message):
        """Store one webhook message and ping the till. No outgoing call, never an exception for odd content.

        :param account: the account whose address was used, in superuser mode
        :param dict message: the envelope (webhooks.md, section 3), of any content
        :return: True when it was new
        """
        data = message.get("EventData")
        data = data if isinstance(data, dict) else {}
        event_type = message.get("EventTypeId")
        event_type = event_type if type(event_type) is int and abs(event_type) < 2**31 else 0
        transaction = self.env["viva.transaction"].browse()
        recipient = message.get("RecipientId")
        if (
            account.merchant_id
            and isinstance(recipient, str)
            and recipient.lower() == account.merchant_id.lower()
        ):
            transaction = self._find_transaction(account, data, event_type)
        is_news = self._needs_processing(event_type, transaction, data)
        values = (
            account.id,
            account.company_id.id,
            self._message_key(message),
            event_type,
            transaction.id or None,
            not transaction,
            json.dumps(redact({**message, "Url": None})) if transaction else None,
            not is_news,
        )
        # One statement, so that of two copies arriving together one is stored and none fails.
        self.env.cr.execute(
            """
            INSERT INTO viva_event (account_id, company_id, message_id, event_type_id, transaction_id, is_foreign,
                                    payload, is_processed, received_at, create_date, create_uid)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', 1)
            ON CONFLICT (account_id, message_id) DO NOTHING
            RETURNING id, EXISTS (
                SELECT FROM viva_event other
                 WHERE other.transaction_id = viva_event.transaction_id
                   AND other.received_at > viva_event.received_at - interval '%s milliseconds'
            )
            """,
            (*values, TOGETHER_MS),
            log_exceptions=False,
        )
        stored = self.env.cr.fetchone()
        is_new = bool(stored)
        if is_new and transaction:
            # A till that was pinged just now is asking; of a settled payment only news is told.
            pinged = stored[1]
            is_open = transaction.state in UNSETTLED
            if not pinged if is_open else is_news:
                transaction._tell()
            is_late = event_type in transaction._success_events() and transaction.state in FINAL_NO
            # The browser that has asked for an invoice may be closed: the books do not wait for it.
            is_office = bool(transaction.booking_id) and is_open and not pinged
            if is_office or is_late or self._is_reversal(event_type, transaction):
                self.env.ref("viva_payments.cron_settle")._trigger()
        return is_new

    @staticmethod
    def _needs_processing(event_type, transaction, data):
        """Whether an event says more than "ask now": a reversal, or a success of what is not, or will not be, approved."""
        if not transaction:
            return False
        return VivaEvent._is_reversal(event_type, transaction) or (
            event_type in transaction._success_events()
            and (transaction.state != "approved" or transaction._is_another(data))
        )

    @staticmethod
    def _is_reversal(event_type, transaction):
        """Whether it tells that money was given back of this payment; about our own refund it is that one's success."""
        return event_type == REVERSAL and REVERSAL not in transaction._success_events()

    @staticmethod
    def _message_key(message):
        key = message.get("MessageId")
        if _is_identifier(key, 64):
            return key
        # Without an id of its own, the same content is the same message.
        content = json.dumps(redact(message), sort_keys=True)
        return str(uuid.uuid5(uuid.NAMESPACE_OID, content))

    @api.model
    def _find_transaction(self, account, data, event_type):
        """The transaction that an event speaks about: by our reference, our session, or Viva's transaction."""
        own = [
            ("merchant_reference", data.get("MerchantTrns") or data.get("MerchantReference"), []),
            ("session_id", data.get("SessionId"), []),
        ]
        keys = [*own, ("viva_transaction_id", data.get("ParentId"), [])]
        if event_type == REVERSAL:
            # A reversal may carry the reference of what it reverses, or even of the first payment of that card:
            # the parent is the better witness, unless it is an operation of ours that gives money back.
            back = [("operation", "in", ("refund", "void", "release"))]
            keys = [*((field, value, back) for field, value, _none in own), keys[-1], *own]
        transactions = self.env["viva.transaction"]
        for field, value, more in keys:
            if _is_identifier(value, 255):
                found = transactions.search_fetch(
                    [(field, "=", value), ("account_id", "=", account.id), *more],
                    [
                        "state",
                        "operation",
                        "attempt",
                        "order_uuid",
                        "pos_config_id",
                        "viva_transaction_id",
                        "protocol",
                        "origin",
                    ],
                    limit=1,
                )
                if found:
                    return found
        return transactions

    # -- processing ------------------------------------------------------------------------------

    @api.model
    def _process(self, transaction_ids=None):
        """Apply the events that need it, each in a database transaction of its own."""
        domain = [
            ("is_processed", "=", False),
            ("transaction_id", "!=", False)
            if transaction_ids is None
            else ("transaction_id", "in", transaction_ids),
        ]
        with own_cursor(self.env) as env:
            event_ids = env["viva.event"].search(domain, order="id").ids
        for event_id in event_ids:
            try:
                in_ledger(
                    self.env,
                    lambda env, event_id=event_id: env["viva.event"].browse(event_id)._apply(),
                )
            except Exception:
                _logger.exception("viva: event %s could not be applied", event_id)

    def _apply(self):
        self.ensure_one()
        # First of all this row: whoever waited for it sees everything that the other one did.
        self.env.cr.execute(
            "SELECT id FROM viva_event WHERE id = %s FOR UPDATE", (self.id,), log_exceptions=False
        )
        if self.is_processed:
            return
        transaction = self.transaction_id._lock()
        if self._is_reversal(self.event_type_id, transaction):
            self._apply_reversal(transaction)
        else:
            self._apply_late_success(transaction)

    def _apply_late_success(self, transaction):
        """Viva reports a success of what it had called not charged: ask again, and tell a person."""
        if transaction.is_unsettled:
            return  # its end is compared with this event then
        self.is_processed = True
        if transaction.state == "approved" and transaction._is_another(
            (self.payload or {}).get("EventData") or {}
        ):
            transaction.write({"recheck_at": fields.Datetime.now()})
            transaction._alarm_second_id()
        if transaction.state in FINAL_NO:
            transaction.write({"recheck_at": fields.Datetime.now()})
            transaction._alarm(
                self.env._("Viva contradicts itself"),
                self.env._(
                    "The payment counts as not charged, but an event reports a success. It is being checked."
                ),
            )

    def _apply_reversal(self, parent):
        """Viva reports money given back that we did not give back: a child transaction in doubt, and an alarm.

        An event decides nothing: the child counts only when Viva's transactions API confirms it (an account with
        Merchant ID and API Key), or a person has (Decide).
        """
        data = (self.payload or {}).get("EventData") or {}
        if parent.state != "approved":
            # The reversal was faster than the sale.
            if self.received_at < fields.Datetime.now() - timedelta(days=REVERSAL_DAYS):
                self.sudo().is_processed = True
            return
        own = parent.child_ids.filtered(lambda child: child.origin == "odoo")
        if own.filtered(lambda child: child.is_unsettled or child.is_forced):
            return  # very likely our own; when its end is known, this event tells nothing new
        self.is_processed = True
        if parent.operation == "preauth" and parent.captured_amount:
            # What a capture has left becomes free: that is as it should be.
            parent._step("event", note=self.event_name, raw=self.payload)
            return
        viva_id, amount = data.get("TransactionId"), 0
        if data.get("StatusId") not in (None, "F"):
            return  # an attempt to give back that did not succeed
        # Without an identifier it cannot be told from a repetition: a person looks at it.
        if _is_identifier(viva_id, 255):
            if self._is_in_ledger(viva_id, parent.environment):
                return
            amount = self._reversed_minor(data, parent)
        if amount:
            name, reference = parent._new_reference()
            child = parent.create(
                {
                    "name": name,
                    "merchant_reference": reference,
                    "attempt": str(uuid.uuid4()),
                    "session_id": str(uuid.uuid4()),
                    "operation": self._operation_of(data, parent),
                    "origin": "viva",
                    "via": "api",
                    "state": "unknown",
                    "reason": "reversal",
                    "sent_at": fields.Datetime.now(),
                    "parent_id": parent.id,
                    "amount": to_major(amount, parent.currency_id.name),
                    "viva_transaction_id": viva_id,
                    **{
                        field: parent[field].id
                        if parent._fields[field].relational
                        else parent[field]
                        for field in (
                            "account_id",
                            "company_id",
                            "environment",
                            "terminal_id",
                            "terminal_viva_id",
                            "cash_register_id",
                            "currency_id",
                            "document_key",
                            "order_reference",
                            "order_uuid",
                            "pos_session_id",
                            "pos_config_id",
                            "hold_id",
                        )
                    },
                }
            )
            child._step("event", note=self.event_name, raw=self.payload)
        parent._step("event", note=self.event_name, raw=self.payload)
        parent._alarm(
            self.env._("Viva reports that this payment was reversed"),
            self.env._(
                "An event says that Viva gave the money (or part of it) back without Odoo's doing. Look into Viva's "
                "portal, then decide on the reversal in the list of transactions. It counts as paid until then."
            ),
        )
        parent._tell()

    @staticmethod
    def _operation_of(data, parent):
        """What a reversal of this payment by Viva is."""
        if parent.operation == "preauth":
            return "release"
        return "void" if data.get("TransactionTypeId") in (7, 84) else "refund"

    def _is_in_ledger(self, viva_id, environment):
        domain = [("viva_transaction_id", "=", viva_id), ("environment", "=", environment)]
        return bool(self.env["viva.transaction"].search_count(domain, limit=1))

    @staticmethod
    def _reversed_minor(data, parent):
        """The amount given back in minor units, or 0 when it cannot be right.

        Major units, negative (webhooks.md, 5.2). That the unit is major is UNVERIFIED for this event: a whole
        number that exceeds what is left but fits as minor units is read as such.
        """
        currency = parent.currency_id.name
        reported = sum(parent._reported_reversals().mapped("amount"))
        left = to_minor(parent.approved_amount - reported, currency)
        value = data.get("Amount")
        if isinstance(value, bool) or not isinstance(value, int | float):
            return 0
        try:
            minor = to_minor(abs(Decimal(str(value))), currency)
        except (ValueError, InvalidOperation):
            return 0
        if 0 < minor <= left:
            return minor
        return abs(value) if isinstance(value, int) and 0 < abs(value) <= left else 0

    # -- keeping ---------------------------------------------------------------------------------

    @api.model
    def _prune(self):
        """Forget old events; those about nobody's payment of ours sooner."""
        now = fields.Datetime.now()
        old = self.sudo().search(
            [
                "|",
                ("received_at", "<", now - timedelta(days=KEEP_DAYS)),
                "&",
                ("is_foreign", "=", True),
                ("received_at", "<", now - timedelta(days=KEEP_FOREIGN_DAYS)),
            ],
            limit=10000,
        )
        old.unlink()
        return len(old)

    def write(self, vals):
        if set(vals) - {"is_processed"}:
            raise UserError(self.env._("Events from Viva are kept as they came."))
        return super().write(vals)
