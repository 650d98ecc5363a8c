"""Prepare: what a dialog of the back office may start, with its draft payment. Nothing is sent by it."""

import uuid

from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import clean_context

from .viva_booking import PAYMENT_TYPE


class VivaBooking(models.Model):
    _inherit = "viva.booking"

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
