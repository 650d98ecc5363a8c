"""A booking: what the books shall carry of one card operation that the back office has asked for.

The ledger (`viva.transaction`) is the truth about the money; this is the other side of it. A wizard prepares a booking
(with a draft payment where one belongs to it), its dialog starts it, `viva_booking_post` brings the books up to what
the ledger says.
"""

import uuid

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL, clean_context

from ..drivers import exponent, to_minor
from .ledger import CONTEXT_KEY, MACHINE, is_machine, own_cursor
from .refused import Refused

BILLING = "account.group_account_invoice"
ACCOUNTANT = "viva_payments.group_viva_accountant"
# Whoever bills may ask for a card; giving money back and taking what is held is the accountant's.
GROUP_OF = {
    "sale": BILLING,
    "preauth": BILLING,
    "capture": ACCOUNTANT,
    "refund": ACCOUNTANT,
    "void": ACCOUNTANT,
    "release": ACCOUNTANT,
}
# Operations to which a payment of Odoo belongs, and the way its money goes.
PAYMENT_TYPE = {"sale": "inbound", "capture": "inbound", "refund": "outbound"}
NEEDS_PARENT = ("capture", "refund", "void", "release")


class VivaBooking(models.Model):
    _name = "viva.booking"
    _description = "Card Payment Booking"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "id desc"
    _check_company_auto = True
    # Nobody may write a booking; whoever may read it sees and finishes his tasks about it.
    _mail_post_access = "read"

    attempt = fields.Char(
        required=True,
        readonly=True,
        copy=False,
        help="One press of a button; the same in the ledger.",
    )
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
    state = fields.Selection(
        [
            ("prepared", "Prepared"),
            ("running", "At the terminal"),
            ("booked", "Booked"),
            ("to_post", "To be posted"),
            ("not_done", "Not carried out"),
        ],
        required=True,
        readonly=True,
        default="prepared",
        index=True,
    )
    reason = fields.Char(readonly=True, help="Why it is not in the books.")
    company_id = fields.Many2one("res.company", required=True, readonly=True, ondelete="restrict")
    user_id = fields.Many2one(
        "res.users", "Asked by", required=True, readonly=True, ondelete="restrict"
    )
    partner_id = fields.Many2one("res.partner", readonly=True, ondelete="restrict", index=True)
    account_id = fields.Many2one(
        "viva.account", "Viva account", required=True, readonly=True, ondelete="restrict"
    )
    terminal_id = fields.Many2one(
        "viva.terminal", required=True, readonly=True, ondelete="restrict"
    )
    via = fields.Selection(
        [("terminal", "Terminal"), ("api", "Viva's transactions API")],
        "By way of",
        required=True,
        readonly=True,
        default="terminal",
    )
    max_installments = fields.Integer("Installments offered", readonly=True)
    currency_id = fields.Many2one("res.currency", required=True, readonly=True, ondelete="restrict")
    amount = fields.Monetary(
        required=True,
        readonly=True,
        help="What is asked for: without a customer's tip or surcharge.",
    )
    parent_id = fields.Many2one(
        "viva.transaction",
        "Original card payment",
        readonly=True,
        ondelete="restrict",
        index="btree_not_null",
        help="The payment that is captured, voided, refunded or released.",
    )
    documents = fields.Char(readonly=True, help="The invoices or the reason, as they were called.")
    line_ids = fields.One2many("viva.booking.line", "booking_id", readonly=True)
    move_line_ids = fields.Many2many(
        "account.move.line", readonly=True, help="What the payment is reconciled with."
    )
    line_count = fields.Integer(readonly=True, help="How many journal items it was asked for.")
    to_match = fields.Monetary(
        readonly=True, help="How much of the payment is expected to be matched with them at once."
    )
    hold_reference = fields.Char(readonly=True)
    hold_move_id = fields.Many2one(
        "account.move", "Held for", readonly=True, ondelete="set null", index="btree_not_null"
    )

    # The payment, and what it is made of: it is made anew when somebody has deleted the draft
    payment_id = fields.Many2one(
        "account.payment", readonly=True, ondelete="set null", index="btree_not_null"
    )
    journal_id = fields.Many2one("account.journal", readonly=True, ondelete="restrict")
    payment_method_line_id = fields.Many2one(
        "account.payment.method.line", readonly=True, ondelete="restrict"
    )
    destination_account_id = fields.Many2one("account.account", readonly=True, ondelete="restrict")
    memo = fields.Char(readonly=True)
    write_off = fields.Json(
        readonly=True, help="Further lines of the entry, e.g. an early payment discount."
    )
    undoes_payment_id = fields.Many2one(
        "account.payment",
        "Takes back",
        readonly=True,
        ondelete="set null",
        index="btree_not_null",
        help="The payment that this refund undoes where there is no credit note.",
    )
    booked_at = fields.Datetime(readonly=True)
    transaction_id = fields.Many2one(
        "viva.transaction",
        compute="_compute_transaction_id",
        compute_sudo=True,
        search="_search_transaction_id",
    )
    message = fields.Char(compute="_compute_message")

    _attempt_unique = models.Constraint("unique (attempt)", "This attempt is known already.")
    _amount_positive = models.Constraint(
        "CHECK (amount > 0)", "The amount of a card operation is positive."
    )

    @api.depends("documents", "partner_id", "operation")
    def _compute_display_name(self):
        operations = dict(self._fields["operation"]._description_selection(self.env))
        for booking in self:
            names = (
                operations.get(booking.operation),
                booking.documents or booking.partner_id.display_name,
            )
            booking.display_name = " · ".join(filter(None, names))

    @api.depends("attempt")
    def _compute_transaction_id(self):
        found = self.env["viva.transaction"].search([("attempt", "in", self.mapped("attempt"))])
        by_attempt = {transaction.attempt: transaction for transaction in found}
        for booking in self:
            booking.transaction_id = by_attempt.get(booking.attempt)

    def _search_transaction_id(self, operator, value):
        found = self.env["viva.transaction"].sudo().search([("id", operator, value)])
        return [("attempt", "in", found.mapped("attempt"))]

    @api.depends("state", "reason", "payment_id.state")
    @api.depends_context("lang")
    def _compute_message(self):
        for booking in self:
            booking.message = booking._words()

    def _words(self):
        """What is the case in the books, in a short sentence; empty while the card is the subject."""
        self.ensure_one()
        if self.state == "to_post":
            return self.env._(
                "The money has moved, but it is not in the books yet: %s", self.reason or "-"
            )
        if self.state == "not_done":
            return self.reason or ""
        if self.state == "booked" and self.payment_id:
            return self.env._("Booked as %s.", self.payment_id.name or self.payment_id.display_name)
        return ""

    # -- nobody else writes ----------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        if not is_machine(self.env):
            raise UserError(
                self.env._("Card payments are asked for by their buttons, not by hand.")
            )
        return super().create(vals_list)

    def write(self, vals):
        chatter = ("message_", "activity_", "my_activity_", "has_message", "website_message_")
        if not is_machine(self.env) and not all(name.startswith(chatter) for name in vals):
            raise UserError(self.env._("What belongs to a card payment is not changed by hand."))
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self.env._("What belongs to a card payment is never deleted."))

    def _machine(self):
        """The same bookings, to be written by this addon itself."""
        return self.sudo().with_context(**{CONTEXT_KEY: MACHINE})

    # -- prepare ---------------------------------------------------------------------------------

    @api.model
    def _require(self, operation):
        """:raise AccessError: the user may not do it"""
        group = GROUP_OF[operation]
        if self.env.user.has_group(group):
            return
        if group == BILLING:
            raise AccessError(self.env._("Only a user of Invoicing may charge cards here."))
        raise AccessError(
            self.env._("Only an accountant may give card money back or take what is on hold.")
        )

    @api.model
    def _prepare(
        self,
        operation,
        *,
        terminal,
        currency,
        amount,
        via="terminal",
        partner=None,
        journal=None,
        method_line=None,
        lines=None,
        parent=None,
        memo="",
        max_installments=0,
        write_off=None,
        destination=None,
        hold=None,
        undoes=None,
        company=None,
        payment=None,
    ):
        """A booking that a dialog may start, with its draft payment. Nothing is sent by it.

        :param float amount: in major units of `currency`, positive
        :param lines: journal items with which the payment is to be reconciled
        :param parent: the card payment that is captured, refunded, voided or released
        :param write_off: further lines of the payment's entry, as `account.payment` takes them
        :param destination: the receivable (payable) account, where no line tells
        :param dict hold: reference and move_id of the draft invoice that a hold is for
        :param undoes: the payment of Odoo that a refund without credit note takes back
        :param company: that of the invoices, where the journal is their parent company's
        :param payment: a draft that somebody has made by hand, in place of a new one
        :raise AccessError: the user may not do it
        :raise UserError: it cannot be done, in words for the person
        """
        # A default of the dialog's context is not one of the payment.
        self = self.with_env(self.env(context=clean_context(self.env.context)))
        self._require(operation)
        lines = lines if lines is not None else self.env["account.move.line"]
        company = company or (payment or journal or terminal).company_id
        if terminal.company_id.root_id != company.root_id:
            raise UserError(self.env._("This terminal belongs to another company."))
        account = (parent or terminal).sudo().account_id
        refusal = self._refusal_of_currency(terminal, currency) or (
            self._refusal_of_journal(account, journal) if operation in PAYMENT_TYPE else ""
        )
        if refusal:
            raise UserError(refusal)
        hold = hold or {}
        documents = self._documents_of(lines, hold, memo)
        values = {
            "attempt": str(uuid.uuid4()),
            "operation": operation,
            "company_id": company.id,
            "user_id": self.env.uid,
            "partner_id": partner.id if partner else False,
            "account_id": account.id,
            "terminal_id": terminal.id,
            "via": via,
            "max_installments": max_installments,
            "currency_id": currency.id,
            "amount": amount,
            "parent_id": parent.id if parent else False,
            "documents": documents,
            "line_ids": [(0, 0, {"move_id": move.id}) for move in lines.move_id],
            "move_line_ids": [(6, 0, lines.ids)],
            "line_count": len(lines),
            "to_match": self._to_match(operation, currency, amount, lines, write_off),
            "hold_reference": hold.get("reference") or False,
            "hold_move_id": hold.get("move_id") or False,
            "undoes_payment_id": undoes.id if undoes else False,
            **{name: value for name, value in hold.items() if name.endswith("_order_id")},
        }
        if operation in PAYMENT_TYPE:
            values |= {
                "journal_id": journal.id,
                "payment_method_line_id": method_line.id,
                "destination_account_id": (destination or lines[:1].account_id).id,
                "memo": memo,
                "write_off": write_off or False,
            }
        booking = self._machine().with_context(mail_create_nolog=True).create(values)
        if operation in PAYMENT_TYPE:
            payment = payment or self.env["account.payment"]._viva_draft(booking)
            payment._viva_set_outstanding()
            booking.write({"payment_id": payment.id})
        return self.browse(booking.id)

    @api.model
    def _documents_of(self, lines, hold, memo):
        names = lines.move_id.mapped(lambda move: move.name or move.ref or "")
        return ", ".join(filter(None, names)) or hold.get("reference") or memo or False

    @api.model
    def _to_match(self, operation, currency, amount, lines, write_off):
        """How much of these items the payment pays at once: a draft invoice is matched when it is posted."""
        sign = -1 if PAYMENT_TYPE.get(operation) == "outbound" else 1
        further = sum(line["amount_currency"] for line in write_off or [])
        asked = abs(sign * amount + further)
        return currency.round(min(asked, self._residual(lines)))

    @api.model
    def _residual(self, lines):
        """What is still open of these items, as far as they are posted; positive."""
        posted = lines.filtered(lambda line: line.parent_state == "posted")
        return abs(sum(posted.mapped("amount_residual_currency")))

    @api.model
    def _refusal_of_journal(self, account, journal):
        """Why the back office does not book this account's cards in that journal, or an empty string."""
        if journal and account.journal_id == journal:
            return ""
        if not account.journal_id:
            return self.env._(
                "Viva account %s has no bank journal yet. Ask an administrator to choose it there.",
                account.name,
            )
        return self.env._(
            "What terminals of Viva account %(account)s charge is booked in journal %(journal)s. Choose that journal, or "
            "another terminal.",
            account=account.name,
            journal=account.journal_id.display_name,
        )

    @api.model
    def _refusal_of_currency(self, terminal, currency):
        """Why nothing can be charged in this currency, or an empty string."""
        own = terminal.sudo().account_id.currency_id
        if currency == own:
            return ""
        return self.env._(
            "Viva account %(account)s takes %(own)s, this is in %(currency)s. Choose another way to pay, or an invoice "
            "in %(own)s.",
            account=terminal.sudo().account_id.name,
            own=own.name,
            currency=currency.name,
        )

    def _open_dialog(self):
        """The dialog that starts it, or shows what became of it."""
        self.ensure_one()
        return {
            "type": "ir.actions.client",
            "tag": "viva_payments.booking",
            "name": self.env._("Card payment"),
            "target": "new",
            "params": {"attempt": self.attempt},
        }

    # -- RPC -------------------------------------------------------------------------------------

    @api.model
    def start(self, attempt):
        """Start what was prepared under this attempt. The same attempt never sends twice.

        :return: Status, see `_statuses`
        :raise AccessError: not by this user
        """
        booking = self._of_attempt(attempt)
        self._require(booking.operation)
        booking._require_own()
        status = None
        if not booking._ledger_id():
            status = self.env["viva.transaction"]._start_booking(booking)
        self._follow(booking.ids)
        return booking._status(status)

    @api.model
    def check(self, attempt):
        """Ask Viva about it where that can bring news. See `start`."""
        booking = self._of_attempt(attempt)
        transaction_id = booking._ledger_id()
        if transaction_id:
            self.env["viva.event"]._process([transaction_id])
            self.env["viva.transaction"]._check([transaction_id])
        self._follow(booking.ids)
        return booking._status()

    @api.model
    def abort(self, attempt):
        """Ask Viva to cancel; what was only prepared is given up. See `start`."""
        booking = self._of_attempt(attempt)
        self._require(booking.operation)
        if not booking._ledger_id():
            if not self.env.user.has_group(ACCOUNTANT):
                booking._require_own()
            self._give_up(booking)
        # Whichever came first counts: it may just have been started.
        transaction_id = booking._ledger_id()
        self.env["viva.transaction"]._abort(transaction_id)
        self.env["viva.transaction"]._check([transaction_id])
        self._follow(booking.ids)
        return booking._status()

    @api.model
    def again(self, attempt):
        """Prepare the same anew, after it was not carried out.

        :return: the new attempt
        """
        booking = self._of_attempt(attempt)
        if booking.state != "not_done":
            raise UserError(self.env._("It can be tried again only when it was not carried out."))
        return booking._prepare_again().attempt

    def _prepare_again(self):
        self.ensure_one()
        return self._prepare(
            self.operation,
            terminal=self.terminal_id,
            currency=self.currency_id,
            amount=self.amount,
            via=self.via,
            partner=self.partner_id,
            journal=self.journal_id,
            method_line=self.payment_method_line_id,
            lines=self.move_line_ids,
            parent=self.parent_id,
            memo=self.memo or "",
            max_installments=self.max_installments,
            write_off=self.write_off or None,
            destination=self.destination_account_id,
            hold=self._hold_values(),
            undoes=self.undoes_payment_id,
            company=self.company_id,
            payment=self._payment_again(),
        )

    def _payment_again(self):
        """Its cancelled payment as a draft once more, so that nobody charges that one anew as well; or nothing."""
        payment = self.payment_id
        if payment.state != "canceled" or payment.sudo().viva_booking_id != self.sudo():
            return None
        payment._viva_machine().action_draft()
        return payment if payment._viva_is_as_asked(self) else None

    def _hold_values(self):
        return {"reference": self.hold_reference or "", **self._values_of_hold()}

    def _values_of_hold(self):
        """Fields of the hold that say what it is for (see bridges)."""
        return {"move_id": self.hold_move_id.id} if self.hold_move_id else {}

    @api.model
    def _of_attempt(self, attempt):
        """The booking of this attempt, as the user may see it."""
        known = isinstance(attempt, str) and self.sudo().search([("attempt", "=", attempt)])
        if not known or known.company_id not in self.env.user.company_ids:
            raise UserError(
                self.env._("This card payment is not known to Odoo: nothing was charged.")
            )
        if known.company_id not in self.env.companies:
            raise UserError(
                self.env._(
                    "This card payment belongs to company %s. Switch to that company to see its result.",
                    known.company_id.name,
                )
            )
        found = self.browse(known.id)
        found.check_access("read")
        return found

    def _require_own(self):
        """:raise AccessError: what somebody else has prepared is his"""
        if self.user_id != self.env.user:
            raise AccessError(
                self.env._("%s has prepared this. Ask for the card anew.", self.user_id.name)
            )

    def _ledger_id(self):
        """The id of what the ledger has of it. What another cursor has just committed counts."""
        self.ensure_one()
        with own_cursor(self.env) as env:
            return env["viva.transaction"].search([("attempt", "=", self.attempt)]).id

    # -- claims ----------------------------------------------------------------------------------

    def _claim(self):
        """Its invoices are its own until it is booked or has ended. In the ledger's own database transaction.

        Two at once: the unique index lets one of them in, the other one looks again and is told.

        :raise Refused: somebody else is charging one of them, or they are paid meanwhile
        """
        self.ensure_one()
        self._touch()
        for line in self.line_ids:
            other = line._claimed_by_another()
            if other:
                raise Refused(line._words_of_claim(other), "order_open", other.transaction_id.id)
        self._refuse_changed()
        self._refuse_paid()
        self.line_ids.write({"is_claim": True})
        self.write({"state": "running"})
        self.env.flush_all()

    def _touch(self):
        """Whoever has changed these rows since we began to read makes us read again.

        Not only locked but changed: the same holds for those who began to read before us.
        """
        moves, payment = self.move_line_ids.move_id, self.payment_id
        for table, ids in (("account_move", moves.ids), ("account_payment", payment.ids)):
            if ids:
                self.env.cr.execute(
                    SQL(
                        "UPDATE %s SET write_date = write_date WHERE id IN "
                        "(SELECT id FROM %s WHERE id IN %s ORDER BY id FOR NO KEY UPDATE)",
                        SQL.identifier(table),
                        SQL.identifier(table),
                        tuple(ids),
                    ),
                    log_exceptions=False,
                )
        self.env.invalidate_all()

    def _refuse_changed(self):
        """:raise Refused: what was prepared is not what it was"""
        payment, lines = self.payment_id, self.move_line_ids
        is_sound = not self.journal_id or (payment and payment._viva_is_as_asked(self))
        if self.operation in ("sale", "refund"):
            is_sound = is_sound and all(line.parent_state == "posted" for line in lines)
        if lines and self.destination_account_id:
            is_sound = is_sound and lines.account_id == self.destination_account_id
        if not is_sound or len(lines) != self.line_count:
            raise Refused(
                self.env._(
                    "The payment or an invoice was changed meanwhile. Nothing was charged. Begin again."
                ),
                "changed",
            )

    def _refuse_paid(self):
        """:raise Refused: less is open by now than is asked for"""
        residual = self._residual(self.move_line_ids)
        if self.currency_id.compare_amounts(self.to_match, residual) > 0:
            raise Refused(
                self.env._(
                    "Of %(documents)s only %(residual)s is still open. Nothing was charged. Begin again.",
                    documents=self.documents,
                    residual=self.currency_id.format(residual),
                ),
                "already_paid",
            )

    # -- Status ----------------------------------------------------------------------------------

    def _status(self, started=None):
        """The Status of its card operation (`viva_transaction_pos`), and what the books know.

        :param started: the Status that `start` has got, where nothing was recorded
        """
        self.ensure_one()
        ledger = self.env["viva.transaction"]
        transaction_id = self._ledger_id()
        status = ledger._statuses([transaction_id])[0] if transaction_id else started
        # Not as this request's own cursor remembers it.
        with own_cursor(self.env) as env:
            booking = env["viva.booking"].browse(self.id)
            books = booking._books()
            if not status:
                prepared = Refused(booking.message, "prepared")
                status = ledger._refused_status(booking._as_request(), prepared)
                status |= {"state": "prepared", "final": False}
        return {**status, "booking": books}

    def _books(self):
        """The booking part of the Status, as committed at this moment."""
        currency = self.currency_id.name
        states = dict(self._fields["state"]._description_selection(self.env))
        may = self.env.user.has_group(GROUP_OF[self.operation])
        return {
            "id": self.id,
            "state": self.state,
            "state_label": states[self.state],
            "message": self.message,
            "reason": self.reason or "",
            "operation": self.operation,
            "partner": self.partner_id.display_name or "",
            "documents": self.documents or "",
            "amount_minor": to_minor(self.amount, currency),
            "digits": exponent(currency),
            "currency": currency,
            "payment_id": self.payment_id.id,
            "payment_name": self.payment_id.display_name or "",
            "payment_state": self.payment_id.state or "",
            "transaction_id": self.transaction_id.id,
            "terminal": self.terminal_id.display_name,
            "via": self.via,
            "demo": self.account_id.is_demo,
            "user": self.user_id.name,
            "can_start": may and self.state == "prepared" and self.user_id == self.env.user,
            "can_again": may and self.state == "not_done",
            "can_post": self.state == "to_post" and self.env.user.has_group(ACCOUNTANT),
        }

    def _as_request(self):
        """In the shape in which a till asks; amount in minor units."""
        self.ensure_one()
        return {
            "attempt": self.attempt,
            "operation": self.operation,
            "via": self.via,
            "payment_uuid": self.attempt,
            "order_uuid": "",
            "parent_attempt": self.parent_id.sudo().attempt or "",
            "amount_minor": to_minor(self.amount, self.currency_id.name),
            "max_installments": self.max_installments,
        }

    def _after_booked(self):
        """For what further follows once it is in the books (see `viva_hold_booking` and the bridges)."""

    # -- buttons ---------------------------------------------------------------------------------

    def action_open_dialog(self):
        self.check_access("read")
        return self._open_dialog()

    def action_view_transaction(self):
        self.ensure_one()
        return self._form("viva.transaction", self.transaction_id.id)

    def action_view_payment(self):
        self.ensure_one()
        return self._form("account.payment", self.payment_id.id)

    @staticmethod
    def _form(model, record_id):
        return {
            "type": "ir.actions.act_window",
            "res_model": model,
            "res_id": record_id,
            "views": [(False, "form")],
        }
