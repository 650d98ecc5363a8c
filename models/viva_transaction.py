import uuid

from markupsafe import escape

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import UserError
from odoo.orm.models import NO_ACCESS

from ..drivers import executed_as, states
from .ledger import is_machine
from .viva_terminal_model import PROTOCOLS

STATES = [
    ("draft", "Prepared"),
    ("sent", "Sent"),
    ("pending", "On the terminal"),
    ("approved", "Approved"),
    ("declined", "Declined"),
    ("cancelled", "Cancelled"),
    ("failed", "Failed"),
    ("unknown", "Unknown"),
]
UNSETTLED = sorted(states.UNSETTLED)
FINAL_NO = ("declined", "cancelled", "failed")
# Operations that take money, those that give it back, and those of both kinds that change what is left of a parent.
TAKES_MONEY = ("sale", "capture")
GIVES_BACK = ("refund", "void")
# Operations that a payment line of an order stands for; the others pay for nothing.
PAYS = (*TAKES_MONEY, "refund")
# Fields that belong to Odoo's own chatter and may be written by it.
CHATTER = ("message_", "activity_", "my_activity_", "has_message", "rating_", "website_message_")


class VivaTransaction(models.Model):
    """One card operation: what was asked, what became of it. The truth about the money.

    Written only by the ledger (`models/ledger.py`): no user changes or deletes a transaction, not even an
    administrator. Amounts are Monetary here and integer minor units towards screen and wire.
    """

    _name = "viva.transaction"
    _description = "Viva Transaction"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "id desc"
    _rec_names_search = [
        "name",
        "merchant_reference",
        "session_id",
        "rrn",
        "authorisation_code",
        "order_reference",
    ]

    # What was asked
    name = fields.Char(required=True, readonly=True, copy=False)
    attempt = fields.Char(required=True, readonly=True, copy=False, help="One press of a button.")
    operation = fields.Selection(
        [
            ("sale", "Sale"),
            ("preauth", "Preauth"),
            ("capture", "Capture"),
            ("refund", "Refund"),
            ("void", "Void"),
            ("release", "Release"),
        ],
        required=True,
        readonly=True,
    )
    origin = fields.Selection(
        [("odoo", "Odoo"), ("viva", "Viva")], required=True, default="odoo", readonly=True
    )
    account_id = fields.Many2one(
        "viva.account", required=True, readonly=True, ondelete="restrict", index=True
    )
    company_id = fields.Many2one(
        "res.company", required=True, readonly=True, ondelete="restrict", index=True
    )
    environment = fields.Char(required=True, readonly=True)
    terminal_id = fields.Many2one(
        "viva.terminal", required=True, readonly=True, ondelete="restrict", index=True
    )
    terminal_viva_id = fields.Char("Terminal ID", required=True, readonly=True)
    cash_register_id = fields.Char(
        "Cash register",
        required=True,
        readonly=True,
        help="Needed again to cancel: never a person's name.",
    )
    session_id = fields.Char("Viva session", required=True, readonly=True, copy=False)
    merchant_reference = fields.Char(
        "Merchant reference", required=True, readonly=True, copy=False, index=True
    )
    currency_id = fields.Many2one("res.currency", required=True, readonly=True, ondelete="restrict")
    amount = fields.Monetary(required=True, readonly=True)
    user_id = fields.Many2one("res.users", string="Asked by", readonly=True, ondelete="restrict")
    parent_id = fields.Many2one(
        "viva.transaction",
        readonly=True,
        ondelete="restrict",
        index="btree_not_null",
        help="The payment that is captured, voided, refunded or released.",
    )
    child_ids = fields.One2many("viva.transaction", "parent_id", readonly=True)
    hold_id = fields.Many2one(
        "viva.hold", readonly=True, ondelete="restrict", index="btree_not_null"
    )
    children_asked = fields.Integer(
        readonly=True, copy=False, help="Grows with each child: the lock against two at once."
    )
    via = fields.Selection(
        [("terminal", "Terminal"), ("api", "Viva's transactions API")],
        "By way of",
        required=True,
        readonly=True,
        default="terminal",
    )
    protocol = fields.Selection(
        PROTOCOLS, readonly=True, help="How the terminal was asked; empty: without a terminal."
    )
    app_token = fields.Char(
        readonly=True,
        copy=False,
        groups=NO_ACCESS,
        help="Names the payment in the address to which the app returns; told once, with what charges.",
    )
    app_side_token = fields.Char(
        readonly=True,
        copy=False,
        groups=NO_ACCESS,
        help="The same for what the app answers to a cancellation or a question: told more often, and ends nothing.",
    )
    max_installments = fields.Integer(
        "Installments offered",
        readonly=True,
        copy=False,
        help="An upper limit: the customer chooses on the terminal.",
    )
    authorised_by = fields.Many2one(
        "res.users",
        readonly=True,
        copy=False,
        ondelete="restrict",
        help="Who allowed it, when it was not the person who asked.",
    )

    # For what: identifiers that survive the deletion of what they name
    document_key = fields.Char(
        "Document", readonly=True, index=True, help="The order or document that is being paid."
    )
    order_reference = fields.Char("Order", readonly=True)
    order_uuid = fields.Char("Order identifier", readonly=True, index="btree_not_null")
    payment_uuid = fields.Char("Payment identifier", readonly=True, index="btree_not_null")
    pos_session_id = fields.Many2one(
        "pos.session",
        string="POS session",
        readonly=True,
        ondelete="set null",
        index="btree_not_null",
    )
    pos_config_id = fields.Many2one(
        "pos.config", string="Point of Sale", readonly=True, ondelete="set null"
    )
    payment_method_id = fields.Many2one(
        "pos.payment.method", string="Payment method", readonly=True, ondelete="set null"
    )
    pos_order_id = fields.Many2one(
        "pos.order",
        string="POS Order",
        compute="_compute_document",
        compute_sudo=True,
        search="_search_pos_order_id",
    )
    is_attached = fields.Boolean(
        "On a paid order",
        compute="_compute_document",
        compute_sudo=True,
        help="The money is a payment of the paid order for which it was asked.",
    )

    # What became of it
    state = fields.Selection(
        STATES, required=True, readonly=True, default="draft", index=True, copy=False
    )
    is_unsettled = fields.Boolean(compute="_compute_is_unsettled", search="_search_is_unsettled")
    reason = fields.Char("Reason code", readonly=True, copy=False)
    word = fields.Selection(
        [("viva", "Viva"), ("gateway", "Gateway")],
        "Whose word",
        required=True,
        readonly=True,
        default="viva",
        copy=False,
        help="Gateway: the terminal has told it in the shop; Viva itself has not confirmed it yet.",
    )
    is_offline = fields.Boolean(
        "Approved offline",
        readonly=True,
        copy=False,
        help="The terminal approved it without asking the bank, which may still refuse.",
    )
    message = fields.Char(compute="_compute_message")
    approved_amount = fields.Monetary(
        "Approved", readonly=True, copy=False, help="What Viva charged, tip and surcharge included."
    )
    tip_amount = fields.Monetary(
        "Tip", readonly=True, copy=False, help="Of money given back: the part that was a tip."
    )
    tip_booking = fields.Selection(
        [("product", "On the order"), ("account", "In an account of its own")],
        readonly=True,
        copy=False,
        help="How the books carry the customer's tip; empty: not decided yet.",
    )
    surcharge_amount = fields.Monetary("Surcharge", readonly=True, copy=False)
    dcc_details = fields.Json(
        "Conversion", readonly=True, copy=False, help="As Viva tells it; shown, never booked."
    )
    reversed_amount = fields.Monetary("Given back", compute="_compute_reversed_amount")
    captured_amount = fields.Monetary("Captured", compute="_compute_reversed_amount")
    left_amount = fields.Monetary(
        "Left",
        compute="_compute_reversed_amount",
        help="What may still be given back, or captured of a hold.",
    )
    executed = fields.Selection(
        [("void", "Void"), ("refund", "Refund")],
        "Carried out as",
        compute="_compute_executed",
        help="What Viva made of money given back.",
    )
    viva_transaction_id = fields.Char("Viva transaction", readonly=True, copy=False)
    order_code = fields.Char("Order code", readonly=True, copy=False)
    authorisation_code = fields.Char("Authorisation code", readonly=True, copy=False)
    rrn = fields.Char("RRN", readonly=True, copy=False, help="Retrieval reference number.")
    stan = fields.Char("STAN", readonly=True, copy=False, help="System trace audit number.")
    tid = fields.Char("TID", readonly=True, copy=False)
    card_brand = fields.Char("Card brand", readonly=True, copy=False)
    application_label = fields.Char("Application", readonly=True, copy=False)
    card_masked = fields.Char("Card number", readonly=True, copy=False)
    card_last4 = fields.Char("Last four digits", readonly=True, copy=False)
    entry_mode = fields.Char("Entry mode", readonly=True, copy=False)
    verification_method = fields.Char("Verification", readonly=True, copy=False)
    installments = fields.Integer(readonly=True, copy=False)
    transaction_type_id = fields.Integer("Viva type", readonly=True, copy=False)
    event_id = fields.Integer("Viva event", readonly=True, copy=False)
    viva_message = fields.Char("Viva's words", readonly=True, copy=False)

    # When
    sent_at = fields.Datetime("Sent at", readonly=True, copy=False)
    acknowledged = fields.Boolean(
        "Received by Viva",
        readonly=True,
        copy=False,
        help="Viva confirmed that it had received the request.",
    )
    offered_at = fields.Datetime(
        readonly=True, copy=False, help="When the gateway or the app was given the request."
    )
    looked_at = fields.Datetime(
        readonly=True, copy=False, help="When Viva's list was read for it the last time."
    )
    abort_asked_at = fields.Datetime("Cancellation asked at", readonly=True, copy=False)
    abort_refused = fields.Boolean(
        "Cancellation not accepted",
        readonly=True,
        copy=False,
        help="Viva did not take it: it may be asked again.",
    )
    settled_at = fields.Datetime("Settled at", readonly=True, copy=False)
    holds_terminal = fields.Boolean("Holds the terminal", readonly=True, copy=False, index=True)

    # Doubt
    recheck_at = fields.Datetime(
        "Compared again at",
        readonly=True,
        copy=False,
        index="btree_not_null",
        help="When a no of Viva is compared with its list again.",
    )
    forced_by = fields.Many2one("res.users", readonly=True, copy=False, ondelete="restrict")
    forced_reason = fields.Char("Reason of the decision", readonly=True, copy=False)
    is_forced = fields.Boolean(
        "Decided by a person",
        readonly=True,
        copy=False,
        help="A person decided; Viva has not confirmed it.",
    )
    is_contradicted = fields.Boolean(
        "Contradicted by Viva",
        readonly=True,
        copy=False,
        help="Viva says otherwise than what was booked.",
    )
    alarmed_at = fields.Datetime("Alarmed at", readonly=True, copy=False)

    step_ids = fields.One2many("viva.transaction.step", "transaction_id", readonly=True)
    event_ids = fields.One2many("viva.event", "transaction_id", readonly=True)
    is_demo = fields.Boolean(compute="_compute_is_demo", string="No money moved")
    support_text = fields.Text("For Viva support", compute="_compute_support_text")

    _attempt_unique = models.Constraint(
        "unique (attempt)", "This attempt is in the ledger already."
    )
    _session_unique = models.Constraint(
        "unique (environment, session_id)", "A Viva session is used once."
    )
    _reference_unique = models.Constraint(
        "unique (merchant_reference)", "A reference is used once."
    )
    _app_token_unique = models.UniqueIndex(
        "(app_token) WHERE app_token IS NOT NULL", "A return address is used once."
    )
    _app_side_token_unique = models.UniqueIndex(
        "(app_side_token) WHERE app_side_token IS NOT NULL", "A return address is used once."
    )
    _gateway_word = models.Index("(account_id) WHERE word = 'gateway'")
    _amount_positive = models.Constraint(
        "CHECK (amount > 0)", "The amount of a card operation is positive."
    )
    _viva_transaction_unique = models.UniqueIndex(
        "(environment, viva_transaction_id) WHERE viva_transaction_id IS NOT NULL",
        "This transaction of Viva is in the ledger already.",
    )
    _terminal_lock = models.UniqueIndex(
        "(terminal_id) WHERE holds_terminal", "The terminal is busy."
    )
    _document_lock = models.UniqueIndex(
        "(document_key) WHERE state IN ('draft', 'sent', 'pending', 'unknown') AND origin = 'odoo'",
        "A card payment of this order is still open.",
    )

    # -- derived ---------------------------------------------------------------------------------

    @api.depends("state")
    def _compute_is_unsettled(self):
        for transaction in self:
            transaction.is_unsettled = transaction.state in states.UNSETTLED

    def _search_is_unsettled(self, operator, value):
        if operator != "in":
            return NotImplemented
        return [("state", "in" if True in value else "not in", UNSETTLED)]

    @api.depends("account_id")
    def _compute_is_demo(self):
        for transaction in self:
            transaction.is_demo = transaction.environment != "live"

    def _compute_document(self):
        orders = self.env["pos.order"].search(
            [("uuid", "in", list(filter(None, self.mapped("order_uuid"))))]
        )
        orders = {order.uuid: order for order in orders}
        payments = self.env["pos.payment"].search(
            [("uuid", "in", list(filter(None, self.mapped("payment_uuid"))))]
        )
        payments = {payment.uuid: payment for payment in payments}
        for transaction in self:
            payment = payments.get(transaction.payment_uuid)
            transaction.pos_order_id = orders.get(transaction.order_uuid)
            # A payment has room for one transaction: of two, the other is nobody's.
            transaction.is_attached = bool(
                payment
                and payment.pos_order_id.state in ("paid", "done", "invoiced")
                and payment.viva_transaction_id == transaction
            )

    def _search_pos_order_id(self, operator, value):
        orders = self.env["pos.order"].search([("id", operator, value)])
        return [("order_uuid", "in", orders.mapped("uuid"))]

    def _counts(self):
        """It was carried out, by Viva's word or a person's: not when Viva has contradicted the person."""
        self.ensure_one()
        return self.state == "approved" and not (self.is_contradicted and not self.is_forced)

    @api.depends(
        "state",
        "approved_amount",
        "child_ids.state",
        "child_ids.approved_amount",
        "child_ids.is_contradicted",
        "child_ids.is_forced",
    )
    def _compute_reversed_amount(self):
        for transaction in self:
            approved = transaction.child_ids.filtered(lambda child: child._counts())
            reversals = approved.filtered(lambda child: child.operation in GIVES_BACK)
            captures = approved.filtered(lambda child: child.operation == "capture")
            transaction.reversed_amount = sum(reversals.mapped("approved_amount"))
            transaction.captured_amount = sum(captures.mapped("approved_amount"))
            transaction.left_amount = transaction._left()

    @api.depends("operation", "state", "transaction_type_id")
    def _compute_executed(self):
        for transaction in self:
            known = transaction.operation in GIVES_BACK and transaction.state == "approved"
            transaction.executed = known and executed_as(transaction.transaction_type_id)

    def _reported_reversals(self):
        """What Viva says to have given back by itself, confirmed by a person or not."""
        return self.child_ids.filtered(
            lambda child: child.origin == "viva" and child.state in ("unknown", "approved")
        )

    @api.depends(
        "state", "reason", "event_id", "is_forced", "is_contradicted", "abort_asked_at", "word"
    )
    @api.depends_context("lang")
    def _compute_message(self):
        for transaction in self:
            transaction.message = transaction._words()

    def _compute_support_text(self):
        for transaction in self:
            lines = [
                f"Viva session: {transaction.session_id}",
                f"Operation: {transaction.operation} ({transaction.protocol or transaction.via})",
                f"Merchant reference: {transaction.merchant_reference}",
                f"Terminal: {transaction.terminal_viva_id}",
                f"Amount: {transaction.amount} {transaction.currency_id.name}",
                f"Transaction: {transaction.viva_transaction_id or '-'}",
                f"Order code: {transaction.order_code or '-'}",
            ]
            lines += [
                f"{step.at} UTC {step.kind} {step.correlation_id or ''}".rstrip()
                for step in transaction.step_ids
                if step.kind in ("sent", "accepted", "error", "read", "abort")
            ]
            transaction.support_text = "\n".join(lines)

    # -- nobody else writes ----------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        if not is_machine(self.env):
            raise UserError(self.env._("Card payments are recorded by Odoo itself, not by hand."))
        return super().create(vals_list)

    def write(self, vals):
        if not is_machine(self.env) and not all(name.startswith(CHATTER) for name in vals):
            raise UserError(self.env._("The ledger of card payments cannot be changed by hand."))
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self.env._("A card payment is never deleted from the ledger."))

    # -- the state machine -----------------------------------------------------------------------

    def _move(self, state, *, kind, note="", raw=None, correlation_id="", values=None):
        """Go to `state` if the machine allows it, and write the step. Returns whether it moved.

        The caller is inside `in_ledger` and has locked the row. Told the same twice, it moves once.
        """
        self.ensure_one()
        old = self.state
        moved = old != state and states.may_move(old, state)
        if moved:
            changes = {**(values or {}), "state": state}
            if state in states.FINAL:
                changes.setdefault("settled_at", fields.Datetime.now())
                changes.setdefault("holds_terminal", False)
                changes.setdefault("recheck_at", False)
            self.write(changes)
        elif old != state:
            note = self.env._(
                "Not applied (%(old)s → %(new)s). %(note)s", old=old, new=state, note=note
            )
        elif values:
            self.write(values)
        self._step(kind, note=note, raw=raw, correlation_id=correlation_id)
        if moved:
            if (old, state) != ("sent", "pending"):  # that is the answer for which the till waits
                self._tell()
            if (old, state) in states.LATE_APPROVAL:
                self._alarm_late(old)
            elif state == "approved" and self.operation in PAYS:
                self._alarm_if_paid_otherwise()
            elif state == "approved" and self.operation == "void":
                self._alarm_if_void_crossed()
        return moved

    def _alarm_if_void_crossed(self):
        """Voided, while somebody counts on the money: the order is paid with it, or the accountant has it."""
        parent = self.parent_id
        if parent.is_attached:
            self._alarm(
                self.env._("Voided, but the order is paid with it"),
                self.env._(
                    "The money of %(payment)s went back to the card, and order %(order)s was validated with that payment "
                    "all the same. Ask the customer for the money, or refund the order.",
                    payment=parent.name,
                    order=self.order_reference,
                ),
            )
        elif parent._is_handed_over():
            self._alarm(
                self.env._("Voided after it was handed over"),
                self.env._(
                    "The money of %s went back to the card after a manager had handed it over to the accountant.",
                    parent.name,
                ),
            )

    def _is_handed_over(self):
        return bool(
            self.env["viva.handover"].search_count([("transaction_id", "=", self.id)], limit=1)
        )

    def _alarm_late(self, old):
        """Viva first said no, and has carried the operation out."""
        said = dict(self._fields["state"]._description_selection(self.env))[old]
        if self.operation in TAKES_MONEY:
            self._alarm(
                self.env._("Charged after all"),
                self.env._(
                    "Viva first said no (%(old)s) and has charged the customer. Add the payment to the order again, or "
                    "give the money back.",
                    old=said,
                ),
            )
            return
        self._alarm(
            self.env._("Carried out after all"),
            self.env._(
                "Viva first said no (%(old)s) and has carried it out all the same: %(what)s. Correct the order or the books.",
                old=said,
                what=self._headline(),
            ),
        )

    def _step(self, kind, *, note="", raw=None, correlation_id=""):
        return self.env["viva.transaction.step"].create(
            {
                "transaction_id": self.id,
                "kind": kind,
                "state": self.state,
                "note": note,
                "raw": raw,
                "correlation_id": correlation_id,
            }
        )

    def _lock(self):
        """Wait for the row, then see it as it is now."""
        self.env.cr.execute(
            "SELECT id FROM viva_transaction WHERE id IN %s ORDER BY id FOR NO KEY UPDATE",
            (tuple(self.ids),),
            log_exceptions=False,
        )
        self.invalidate_recordset()
        return self

    def _tell(self):
        """Ping the till: a hint without content, upon which it asks for the state."""
        for transaction in self:
            if transaction.pos_config_id:
                # A till has a hundred columns; only its channel is needed.
                transaction.pos_config_id.with_context(prefetch_fields=False)._notify(
                    "VIVA_PAYMENT",
                    {"attempt": transaction.attempt, "order_uuid": transaction.order_uuid},
                )

    def _alarm_if_paid_otherwise(self):
        """Money moved, while the order was settled otherwise, thrown away or handed over meanwhile: a task."""
        order = (
            self.env["pos.order"].search([("uuid", "=", self.order_uuid)])
            if self.order_uuid
            else None
        )
        if order is None or self.is_attached:
            return
        closed = self.pos_session_id.state == "closed"
        if order.state == "draft" and not closed and not self._is_handed_over():
            return
        if self.operation == "refund":
            self._alarm(
                self.env._("Given back, but the refund is settled otherwise"),
                self.env._(
                    "The money went back to the card after refund %s had been paid out otherwise, cancelled or handed "
                    "over. Correct the books.",
                    self.order_reference,
                ),
            )
            return
        self._alarm(
            self.env._("Charged, but the order is paid otherwise"),
            self.env._(
                "The card was charged after order %s had been paid otherwise, cancelled or handed over. Give the "
                "money back, or correct the order.",
                self.order_reference,
            ),
        )

    def _alarm(self, summary, note):
        """A task for the person responsible for this account, once per subject."""
        self.ensure_one()
        self._step("alarm", note=f"{summary}: {note}")
        known = self.activity_ids.filtered(lambda activity: activity.summary == summary)
        if not known:
            # Quick: no e-mail goes out while a till waits.
            # Nobody's own: whoever happened to ask must not be able to delete it.
            alarmed = self.with_user(SUPERUSER_ID).with_context(mail_activity_quick_update=True)
            alarmed.activity_schedule(
                "mail.mail_activity_data_warning",
                summary=summary,
                note=escape(note),  # it is shown as HTML, and names what a till has sent
                user_id=self.account_id.responsible_id.id,
            )

    @api.model
    def _new_reference(self):
        """A reference of ours: short enough to read out, unique also between copies of a database."""
        # Without a time zone in the context, the sequence reads the user's, and so the whole partner.
        sequence = self.env.ref("viva_payments.sequence_transaction").with_context(tz="UTC")
        name = sequence.next_by_id()
        return name, f"{name}-{uuid.uuid4().hex[:8]}"
