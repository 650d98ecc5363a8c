"""Start and watch: what the dialog of the back office may ask, the claim on the invoices, and the Status that answers."""

from odoo import api, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from ..drivers import exponent, to_minor
from .ledger import own_cursor
from .refused import Refused
from .viva_booking import ACCOUNTANT, GROUP_OF


class VivaBooking(models.Model):
    _inherit = "viva.booking"

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
