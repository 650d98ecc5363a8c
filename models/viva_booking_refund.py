"""Money that goes back: what a refund without a credit note does in the books, the void of money that is in no books yet,
and what Viva has given back by itself."""

import logging

from markupsafe import escape

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date

from .ledger import _CONFLICTS
from .viva_transaction import GIVES_BACK

_logger = logging.getLogger(__name__)


class VivaBooking(models.Model):
    _inherit = "viva.booking"

    # Viva may have given back a tip alone: of the invoice that is nothing.
    _amount_positive = models.Constraint(
        "CHECK (amount > 0 OR (amount = 0 AND operation IN ('refund', 'void')))",
        "The amount of a card operation is positive.",
    )

    # -- a refund without a credit note ----------------------------------------------------------

    def _reconcile(self, payment):
        if self.operation == "refund" and not self.move_line_ids:
            return self._take_back(payment)
        return super()._reconcile(payment)

    def _take_back(self, payment):
        """Match money that went back with the payment that had brought it: its invoices are open again by so much.

        :param payment: the outbound payment, posted
        :raise UserError: the original is not in the books (any more)
        """
        original = self.undoes_payment_id
        if original.state not in ("in_process", "paid") or not original.move_id:
            raise UserError(
                self.env._(
                    "The payment that it takes back is not in the books: %s. Post that one first.",
                    original.display_name or "-",
                )
            )
        own, theirs = self._counterparts(payment), self._counterparts(original)
        freed = self.env["account.move.line"]
        for partial in self._partials_to_free(theirs):
            if self._free_amount(theirs) >= self._free_amount(own):
                break
            freed |= partial.debit_move_id
            partial.unlink()
        for account in own.account_id & theirs.account_id:
            (own + theirs).filtered(
                lambda line, account=account: line.account_id == account and not line.reconciled
            ).reconcile()
            # What is left of it goes back to the invoices, as before.
            rest = (theirs + freed).filtered(
                lambda line, account=account: line.account_id == account and not line.reconciled
            )
            if theirs & rest and freed & rest:
                rest.reconcile()

    @api.model
    def _counterparts(self, payment):
        """The customer's side of a payment's entry."""
        kinds = payment._get_valid_payment_account_types()
        return payment.move_id.line_ids.filtered(
            lambda line: line.account_id.account_type in kinds and line.account_id.reconcile
        )

    def _free_amount(self, lines):
        """What of these journal items is matched with nothing, in the currency of the card; positive."""
        return self.currency_id.round(abs(sum(lines.mapped("amount_residual_currency"))))

    @api.model
    def _partials_to_free(self, lines):
        """What a payment was matched with, the invoice that is due last first; never another refund of it."""
        return lines.matched_debit_ids.filtered(
            lambda partial: not partial.debit_move_id.move_id.origin_payment_id
        ).sorted(
            lambda partial: (
                partial.debit_move_id.date_maturity or partial.debit_move_id.date,
                partial.debit_move_id.id,
            ),
            reverse=True,
        )

    # -- a void of what is in no books yet -------------------------------------------------------

    def _is_taken_back(self):
        """Whether its money went back (or is on its way) before it was in the books."""
        transaction = self.sudo().transaction_id
        return bool(
            self.state != "booked" and transaction.state == "approved" and transaction._is_voided()
        )

    def _has_news(self, by_hand):
        return super()._has_news(by_hand) and not self._is_taken_back()

    @api.model
    def _charged_after_all(self):
        return super()._charged_after_all().filtered(lambda booking: not booking._is_taken_back())

    def action_post(self):
        for booking in self:
            if booking.state == "to_post" and booking._is_taken_back():
                raise UserError(
                    self.env._("The money of this payment is being given back: it is not posted.")
                )
        return super().action_post()

    def _after_booked(self):
        result = super()._after_booked()
        if self.operation == "void":
            self._end_voided(self.sudo().parent_id.booking_id)
        return result

    def _end_voided(self, original):
        """The payment that was given back will never be in the books."""
        original = self.browse(original.id)
        if not original or original.state == "not_done":
            return
        self.env.cr.execute(
            "SELECT id FROM viva_booking WHERE id = %s FOR NO KEY UPDATE", (original.id,)
        )
        original.invalidate_recordset()
        if original.state == "booked":
            raise UserError(
                self.env._(
                    "%s is in the books already. Press Post: an outgoing payment takes it back.",
                    original.payment_id.display_name,
                )
            )
        reason = self.env._("The money was given back to the card before it was in the books.")
        original._cancel_draft(reason)
        original._end("not_done", reason)
        original._tell()

    # -- what Viva contradicts later -------------------------------------------------------------

    def _file_contradiction(self):
        """A task: it is in the books on a person's word, and Viva says that it was not carried out."""
        summary = self.env._("Booked, but not carried out by Viva")
        if not self.payment_id or self.activity_ids.filtered(lambda task: task.summary == summary):
            return
        note = self.env._(
            "%(what)s (%(amount)s) is booked as %(payment)s on a person's word. Viva says that it was not carried out. "
            "Reset that payment to draft and cancel it, then try the card anew.",
            what=self.display_name,
            amount=self.currency_id.format(self.amount),
            payment=self.payment_id.display_name,
        )
        self.with_context(mail_activity_quick_update=True).activity_schedule(
            "mail.mail_activity_data_warning",
            summary=summary,
            note=escape(note),
            user_id=self._machine()._accountable().id,
        )

    # -- what Viva has given back by itself ------------------------------------------------------

    @api.model
    def _of_reversal(self, child):
        """A task: Viva has given back (part of) a payment of the back office. Called by the ledger, in its cursor.

        :param child: the reversal, approved, of origin viva
        :return: the booking; none where nothing but a surcharge went back, which no books carry
        """
        parent = child.parent_id
        original = parent.booking_id
        amount = max(child._booked_amount(), 0.0)
        values = original._values_to_take_back()
        reason = self.env._(
            "Viva has given the money back by itself: it was not asked for in Odoo."
        )
        if not amount:
            if not child.tip_amount:
                return self.browse()
            tip = child.currency_id.format(child.tip_amount)
            values["documents"] = self.env._(
                "Tip of %(tip)s: %(documents)s", tip=tip, documents=original.documents or "-"
            )
            reason = self.env._(
                "Viva has given back the tip of %s by itself: it was not asked for in Odoo.", tip
            )
        booking = self.create(
            {
                "attempt": child.attempt,
                "operation": "refund" if original.state == "booked" else "void",
                "company_id": original.company_id.id,
                "user_id": original.user_id.id,
                "partner_id": original.partner_id.id,
                "account_id": child.account_id.id,
                "terminal_id": child.terminal_id.id,
                "via": "api",
                "currency_id": child.currency_id.id,
                "amount": amount,
                "parent_id": parent.id,
                "documents": original.documents,
                **values,
            }
        )
        child.write({"booking_id": booking.id})
        booking._file_task(reason)
        return booking

    def _values_to_take_back(self):
        """Of the booking of a payment: what the payment is made of that takes it back."""
        journal, payment = self.journal_id, self.payment_id
        line = journal.outbound_payment_method_line_ids.filtered(lambda line: line.code == "viva")
        return {
            "journal_id": journal.id,
            "payment_method_line_id": line[:1].id,
            "destination_account_id": (
                payment.destination_account_id or self.destination_account_id
            ).id,
            "memo": self._memo_of_taking_back(),
            "undoes_payment_id": payment.id,
        }

    def _memo_of_taking_back(self):
        return self.env._("Given back: %s", self.documents or self.memo or self.payment_id.name)

    def _carry_out(self, by_hand):
        transaction = self.sudo().transaction_id
        if by_hand and (transaction.origin == "viva" or self.operation == "void"):
            self._decide_kind(transaction)
        return super()._carry_out(by_hand)

    def _decide_kind(self, transaction):
        """What money that went back is for the books is known only when it is posted: was its payment posted meanwhile?"""
        original = transaction.parent_id.booking_id
        if original.state == "booked":
            values = {"operation": "refund", **original._values_to_take_back()}
        elif original.state != "not_done" and self.currency_id.compare_amounts(
            transaction.approved_amount, transaction.parent_id.approved_amount
        ):
            raise UserError(
                self.env._(
                    "A part of a payment was given back that is not in the books itself. Post that one first."
                )
            )
        else:
            values = {"operation": "void"}
        is_new = self.operation != values["operation"]
        if is_new or (self.operation == "refund" and not self.undoes_payment_id):
            self._machine().write(values)


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    def _move(self, state, **options):
        moved = super()._move(state, **options)
        if (
            moved
            and state == "approved"
            and self.origin == "viva"
            and self.operation in GIVES_BACK
            and self.parent_id.booking_id
            and not self.booking_id
        ):
            self._note_extras_of_report()
            self._beside_ledger(self.env["viva.booking"]._of_reversal, self)
        return moved

    def _alarm_denied(self):
        result = super()._alarm_denied()
        if self.booking_id.state == "booked":
            self._beside_ledger(self.booking_id._file_contradiction)
        return result

    def _beside_ledger(self, work, *args):
        """Do something for the books. What money has done is recorded, whatever the books say to it."""
        try:
            with self.env.cr.savepoint():
                work(*args)
        except _CONFLICTS:
            raise  # the ledger looks again
        except Exception:
            _logger.exception("viva: %s was recorded, its booking was not", self.name)
            self._alarm(
                self.env._("Card payment that is not in the books"),
                self.env._(
                    "%(payment)s: %(message)s Odoo could not prepare its booking. Enter it in the bank journal by hand, "
                    "and tell your administrator.",
                    payment=self._headline(),
                    message=self.message,
                ),
            )

    def _note_extras_of_report(self):
        """When nothing is left of the payment, tip and surcharge were in what Viva gave back."""
        parent = self.parent_id
        if not parent.currency_id.compare_amounts(parent._left(), 0):
            self.write(parent._extras(self.approved_amount))

    # -- originals -------------------------------------------------------------------------------

    @api.model
    def _originals_of(self, moves):
        """Card payments with which the invoices of these credit notes were paid, as far as something is left of them.

        :param moves: credit notes of one customer; one that names somebody else than its invoice has none
        :return: transactions in superuser mode, the latest first
        """
        invoices = moves.filtered(
            lambda move: move.commercial_partner_id == move.reversed_entry_id.commercial_partner_id
        ).reversed_entry_id
        transactions = self.sudo()
        if not invoices:
            return transactions
        lines = invoices.line_ids.filtered(
            lambda line: line.account_id.account_type in ("asset_receivable", "liability_payable")
        )
        payments = lines.matched_credit_ids.credit_move_id.move_id.origin_payment_id
        bookings = self.env["viva.booking"].sudo().search([("payment_id", "in", payments.ids)])
        transactions |= bookings.transaction_id
        orders = (
            self.env["pos.order"]
            .sudo()
            .search(
                [
                    ("account_move", "in", invoices.ids),
                    ("company_id", "in", invoices.company_id.ids),
                ]
            )
        )
        for order in orders:
            transactions |= order._viva_to_give_back().filtered("is_attached")
        companies = moves.company_id.root_id
        return transactions.filtered(
            lambda transaction: (
                transaction.company_id.root_id in companies
                and transaction._obstacle_of_money_back() == ""
            )
        ).sorted("id", reverse=True)

    def _is_in_office(self):
        """Whether the back office has asked for it."""
        return bool(self.booking_id)

    @api.depends_context("viva_refund_choice")
    def _compute_display_name(self):
        result = super()._compute_display_name()
        if self.env.context.get("viva_refund_choice"):
            for transaction in self:
                transaction.display_name = transaction._card_and_left()
        return result

    def _card_and_left(self):
        """Card, day and amount in a short line; and what is left where that is not all of it."""
        self.ensure_one()
        amount, left = self._booked_amount(), self._books_left()
        day = fields.Datetime.context_timestamp(self, self.settled_at or self.create_date).date()
        words = self.currency_id.format(amount)
        if self.currency_id.compare_amounts(amount, left):
            words = self.env._(
                "%(left)s of %(amount)s", left=self.currency_id.format(left), amount=words
            )
        return f"{self._card_title()} · {format_date(self.env, day)} · {words}"

    def _books_left(self):
        """The most that can be asked back of it, without what goes back beyond (tip, surcharge)."""
        return max(min(self._net_amount(), self._left()), 0.0)
