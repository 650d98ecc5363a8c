"""Post: the books are brought up to what the ledger says, on the server, as the person who has asked.

Each booking is carried out in a short database transaction of its own. What Odoo refuses (a lock date, a right that was
taken away) loses nothing: it becomes a task with one button.
"""

import logging
import random
import time
from datetime import timedelta

from markupsafe import escape
from psycopg2 import errors

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL, format_date

from ..drivers import FINAL
from .ledger import _CONFLICTS, ATTEMPTS
from .viva_booking import ACCOUNTANT, PAYMENT_TYPE
from .viva_transaction import FINAL_NO, GIVES_BACK

_logger = logging.getLogger(__name__)

# What was prepared and never started is tidied up after that.
FORGOTTEN_AFTER = timedelta(days=1)


class VivaBooking(models.Model):
    _inherit = "viva.booking"

    # -- follow ----------------------------------------------------------------------------------

    @api.model
    def _follow(self, ids):
        """Bring the books up to what the ledger says about these bookings. Idempotent; what cannot be posted is a task."""
        for booking_id in ids:
            try:
                reason = self._try_in_books(booking_id)
                if reason:
                    self._note_obstacle(booking_id, reason)
            except Exception:
                # The others must not wait for it; the job comes again.
                _logger.exception("viva: booking %s could not be followed", booking_id)
        self.env.invalidate_all()

    @api.model
    def _try_in_books(self, booking_id):
        """:return: why it could not be done, for the person; empty: done, or others are at it"""
        try:
            self._in_books(booking_id)
        except (*_CONFLICTS, errors.QueryCanceled):
            # Somebody else works on the same entries. The job comes again.
            _logger.info("viva: booking %s waits for other work", booking_id)
        except AccessError:
            _logger.info("viva: booking %s: the asker may not post it", booking_id)
            return self.env._("Who has asked for it may not post payments any more.")
        except UserError as error:
            return str(error)
        except Exception:
            _logger.exception("viva: booking %s could not be posted", booking_id)
            return self.env._("Odoo met an unexpected error. Tell your administrator.")
        return ""

    @api.model
    def _in_books(self, booking_id, *, by_hand=False):
        """One booking, in a database transaction of its own; once more when another worker changed the same rows.

        :param by_hand: an accountant posts it: as himself, on the first day that is open
        :raise UserError: Odoo refuses it
        """
        self.env.flush_all()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.env.registry.cursor() as cr:
                    booking = api.Environment(cr, SUPERUSER_ID, {})["viva.booking"].browse(
                        booking_id
                    )
                    if booking._has_news(by_hand):
                        booking._as_person(by_hand and self.env.uid)._carry_out(by_hand)
                        booking.env.flush_all()
                return
            except _CONFLICTS:
                if attempt == ATTEMPTS:
                    raise
                time.sleep(random.uniform(0.01, 0.05) * attempt)

    def _has_news(self, by_hand):
        """Under the lock of the row: whether the ledger says something that the books do not know.

        Whoever holds the lock is posting it already: only a person waits for that.
        """
        self.env.cr.execute(
            SQL(
                "SELECT id FROM viva_booking WHERE id = %s FOR NO KEY UPDATE %s",
                self.id,
                SQL("" if by_hand else "SKIP LOCKED"),
            ),
            log_exceptions=False,
        )
        if not self.env.cr.fetchone():
            return False
        self.invalidate_recordset()
        transaction = self.transaction_id
        if self.state == "to_post":
            # It waits for a person, or there is nothing to post any more.
            return by_hand or not transaction._counts()
        if not transaction or transaction.state not in FINAL:
            return False
        if self.state == "booked":
            return transaction._counts() and self._is_payment_undone()
        return self.state != "not_done" or transaction._counts()

    def _is_payment_undone(self):
        """A person has cancelled its payment while Viva denied the charge."""
        return self.payment_id.state in ("canceled", "rejected")

    def _as_person(self, user_id):
        """The booking in the environment of who has asked for it (or of an accountant), in its company.

        Where no money has moved nobody's rights are needed: what was prepared is cancelled.
        """
        user = self.env["res.users"].browse(user_id or self.user_id.id)
        # An invoice of a branch may be paid in the journal of its parent company.
        companies = self.company_id | (self.move_line_ids.company_id & user.company_ids)
        context = {"allowed_company_ids": companies.ids, "lang": user.lang, "tz": user.tz}
        uid = user.id if self.transaction_id._counts() else SUPERUSER_ID
        return api.Environment(self.env.cr, uid, context)["viva.booking"].browse(self.id)

    def _carry_out(self, by_hand):
        """What the ledger's final state means for the books. The row is locked."""
        transaction = self.sudo().transaction_id
        if not transaction._counts():
            self._end_without_money(transaction)
        elif self.operation in PAYMENT_TYPE:
            self._post(transaction, by_hand)
        else:
            self._end("booked")
        self._tell()

    def _end(self, state, reason=""):
        """Nothing is to be done any more: its invoices are free again."""
        booking = self._machine()
        booking.line_ids.filtered("is_claim").write({"is_claim": False})
        values = {"state": state, "reason": reason or False}
        if state == "booked":
            values["booked_at"] = fields.Datetime.now()
        booking.write(values)
        booking.activity_ids.unlink()
        if state == "booked":
            self._after_booked()

    def _end_without_money(self, transaction):
        """The card was not charged: the payment says why."""
        reason = transaction.with_context(lang=self.env.lang).message
        self._cancel_draft(self.env._("Card payment not carried out: %s", reason))
        self._end("not_done", reason)

    def _own_payment(self):
        """Its draft, as long as it is that: not one that a person has made something else, or charged anew.

        A posted payment is never its own: posting it and this booking's state are one database transaction.
        """
        payment = self.payment_id.exists()
        others = (payment.sudo().viva_booking_ids - self.sudo()).filtered(
            lambda booking: booking.state != "not_done"
        )
        same = (
            payment.state in ("draft", "canceled")
            and payment.payment_method_line_id == self.payment_method_line_id
            and payment.journal_id == self.journal_id
        )
        return payment if same and not others else payment.browse()

    def _cancel_draft(self, words):
        """No money for it: what was prepared is cancelled; never what is in the books."""
        payment = self._own_payment()
        if payment.state == "draft":
            payment._viva_machine().action_cancel()
            payment.message_post(body=words)

    def _post(self, transaction, by_hand):
        if self.state == "not_done" and not by_hand:
            self._refuse_after_no(transaction)
        if self.state == "booked" and not by_hand:
            raise UserError(
                self.env._("Its payment was cancelled, and Viva says that the card was charged.")
            )
        payment = self._own_payment() or self._payment_anew(by_hand)
        payment = payment.with_context(skip_invoice_sync=True)._viva_machine()
        if payment.state == "canceled":
            payment.action_draft()
        self._complete(payment, transaction, by_hand)
        payment.with_context(skip_sale_auto_invoice_send=True).action_post()
        self._reconcile(payment)
        self._end("booked")
        self._note_unmatched(payment)

    def _refuse_after_no(self, transaction):
        """Charged after all, when everybody believed that it was not: booked only where it still belongs."""
        still_open = sum(self._open_lines().mapped("amount_residual_currency"))
        wanted = self.amount if self.operation not in GIVES_BACK else -self.amount
        claimed = self.line_ids.filtered(lambda line: line._claimed_by_another())
        if self.line_ids and (claimed or abs(still_open) < abs(wanted)):
            raise UserError(
                self.env._(
                    "It was carried out after it had counted as not carried out, and its invoice is paid or being paid "
                    "otherwise. Post it as a credit of the customer, or give the money back."
                )
            )

    def _payment_anew(self, by_hand):
        """The draft was deleted, or is another payment by now."""
        if not by_hand:
            raise UserError(self.env._("Its draft payment was deleted or changed."))
        payment = self.env["account.payment"]._viva_draft(self)
        self._machine().write({"payment_id": payment.id})
        return payment

    def _complete(self, payment, transaction, by_hand):
        """The payment as the card was charged: whatever was asked for, its day, a tip, the write-off."""
        tip = transaction.tip_amount
        values = {
            **payment._viva_values(self),
            "date": self._day(transaction, by_hand),
            "amount": self.currency_id.round(self.amount + tip),
        }
        changed = {
            name: value
            for name, value in values.items()
            if (payment[name].id if name.endswith("_id") else payment[name]) != value
        }
        payment.write(changed)
        payment._viva_set_outstanding()
        lines = list(self.write_off or [])
        tips = self.account_id.sudo().tip_account_id
        if tip and tips:
            lines.append(self._tip_line(tips, tip))
        if lines:
            payment._generate_journal_entry(write_off_line_vals=lines)

    def _tip_line(self, account, tip):
        """The customer's tip, or the part of it that goes back, in an account of its own."""
        sign = 1 if self.operation in GIVES_BACK else -1
        company = self.company_id
        balance = self.currency_id._convert(tip, company.currency_id, company, fields.Date.today())
        return {
            "name": self.env._("Tip"),
            "account_id": account.id,
            "partner_id": self.partner_id.id,
            "currency_id": self.currency_id.id,
            "amount_currency": sign * tip,
            "balance": sign * balance,
        }

    def _day(self, transaction, by_hand):
        """The day on which the card was charged, where the asker is; by hand the first one that is open.

        :raise UserError: that day is closed. Odoo would take another one by itself: a person has to know.
        """
        day = fields.Datetime.context_timestamp(self, transaction.sent_at).date()
        # An early payment discount may carry taxes.
        has_tax = bool(self.write_off)
        locks = self.company_id._get_violated_lock_dates(day, has_tax, self.journal_id)
        if not locks:
            return day
        open_day = locks[-1][0] + timedelta(days=1)
        if by_hand:
            return open_day
        raise UserError(
            self.env._(
                "The books are closed up to %(closed)s. Post books it on %(day)s, the first open day.",
                closed=format_date(self.env, locks[-1][0]),
                day=format_date(self.env, open_day),
            )
        )

    def _open_lines(self):
        """What of the invoices is still to be paid."""
        return self.move_line_ids.filtered(
            lambda line: line.parent_state == "posted" and not line.reconciled
        )

    def _reconcile(self, payment):
        """The payment with what it was asked for; what is left of it stays a credit of the customer."""
        own = payment.move_id.line_ids.filtered(
            lambda line: (
                line.account_id.account_type in payment._get_valid_payment_account_types()
                and not line.reconciled
            )
        )
        for account in own.account_id:
            theirs = self._open_lines().filtered(
                lambda line, account=account: line.account_id == account
            )
            if theirs:
                (
                    own.filtered(lambda line, account=account: line.account_id == account) + theirs
                ).reconcile()
        invoices = self.move_line_ids.move_id.filtered(lambda move: move.state != "cancel")
        for invoice in invoices:
            invoice.matched_payment_ids += payment

    def _note_unmatched(self, payment):
        """The money is in the books; less of it than expected was still to be paid: somebody has to know."""
        lines = payment.move_id.line_ids.filtered(
            lambda line: line.account_id.account_type in payment._get_valid_payment_account_types()
        )
        free = abs(sum(lines.mapped("amount_residual_currency")))
        matched = self.currency_id.round(abs(sum(lines.mapped("amount_currency"))) - free)
        if self.currency_id.compare_amounts(matched, self.to_match) >= 0:
            return
        amount = self.currency_id.format(self.to_match - matched)
        if self.operation == "refund":
            summary = self.env._("Given back by card, and settled otherwise, too")
            note = self.env._(
                "%(amount)s of it went back to the card after %(documents)s had been settled otherwise: %(customer)s owes "
                "it. Charge it anew, or correct the other payment.",
                amount=amount,
                documents=self.documents,
                customer=self.partner_id.display_name,
            )
        else:
            summary = self.env._("Charged, and paid otherwise, too")
            note = self.env._(
                "%(amount)s of it was charged after %(documents)s had been paid otherwise: it is a credit of %(customer)s. "
                "Give it back by card, or match it with another invoice.",
                amount=amount,
                documents=self.documents,
                customer=self.partner_id.display_name,
            )
        self._alert(summary, note)

    def _accountable(self):
        """Who gets its tasks: the person of the Viva account, or else an accountant, who can carry them out."""
        responsible = self.account_id.responsible_id
        accountants = (
            self.env.ref(ACCOUNTANT)
            .all_user_ids.filtered(
                lambda user: user.active and not user.share and self.company_id in user.company_ids
            )
            .sorted(lambda user: (user._is_system(), user.id))
        )
        if responsible in accountants or not accountants:
            return responsible
        return self.user_id if self.user_id in accountants else accountants[0]

    def _alert(self, summary, note):
        """A task for the person responsible for the Viva account, once per subject."""
        booking = self._machine()
        if booking.activity_ids.filtered(lambda activity: activity.summary == summary):
            return
        booking.with_context(mail_activity_quick_update=True).activity_schedule(
            "mail.mail_activity_data_warning",
            summary=summary,
            note=escape(note),
            user_id=booking._accountable().id,
        )

    # -- what Odoo refuses -----------------------------------------------------------------------

    @api.model
    def _note_obstacle(self, booking_id, reason):
        """It waits for an accountant: the money has moved, the books do not show it."""
        try:
            with self.env.registry.cursor() as cr:
                context = {"lang": self.env.lang}
                booking = api.Environment(cr, SUPERUSER_ID, context)["viva.booking"].browse(
                    booking_id
                )
                # Another worker may have posted it meanwhile; and without money there is nothing to post.
                if booking._has_news(by_hand=False) and booking.transaction_id._counts():
                    booking._file_task(reason)
                    booking._tell()
        except _CONFLICTS:
            _logger.info("viva: booking %s waits for other work", booking_id)

    def _file_task(self, reason):
        booking = self._machine()
        booking.with_context(tracking_disable=True).write({"state": "to_post", "reason": reason})
        booking._alert(
            self.env._("Card payment to be posted"),
            self.env._(
                "%(what)s (%(amount)s): the money has moved, but it is not in the books. %(reason)s Then press Post.",
                what=booking.display_name,
                amount=booking.currency_id.format(booking.amount),
                reason=reason,
            ),
        )

    def action_post(self):
        """An accountant posts it where it belongs: on the first day that is open, as himself."""
        for booking in self:
            booking.check_access("read")
            if not self.env.user.has_group(ACCOUNTANT):
                raise AccessError(self.env._("Only an accountant may post it."))
            if booking.state != "to_post":
                raise UserError(self.env._("There is nothing to post: %s", booking.message or "-"))
            self._in_books(booking.id, by_hand=True)
        self.env.invalidate_all()
        return True

    # -- what time brings ------------------------------------------------------------------------

    @api.model
    def _give_up(self, booking):
        """Never started, and never to be: whichever comes first wins, see `pos_abandon`."""
        self.env["viva.transaction"]._abandon_booking(booking)

    @api.model
    def _cron_follow(self):
        """For the scheduled job: what no browser waits for any more, and what was forgotten."""
        running = self.search([("state", "=", "running")])
        self._follow((running | self._charged_after_all()).ids)
        limit = fields.Datetime.now() - FORGOTTEN_AFTER
        forgotten = [("state", "=", "prepared"), ("create_date", "<", limit)]
        for booking in self.search(forgotten, limit=100):
            try:
                self._give_up(booking)
            except Exception:
                _logger.exception("viva: booking %s could not be given up", booking.id)
            self._follow(booking.ids)

    @api.model
    def _charged_after_all(self):
        """Bookings that counted as not carried out, or as still to be posted, while the ledger says otherwise now."""
        late = (
            self.env["viva.transaction"]
            .sudo()
            .search(
                [
                    ("booking_id.state", "=", "not_done"),
                    ("state", "=", "approved"),
                ]
            )
        )
        gone = (
            self.env["viva.transaction"]
            .sudo()
            .search([("booking_id.state", "=", "to_post"), ("state", "in", FINAL_NO)])
        )
        found = (late | gone).booking_id.filtered(
            lambda booking: booking.transaction_id._counts() == (booking.state == "not_done")
        )
        undone = self.search(
            [("state", "=", "booked"), ("payment_id.state", "in", ("canceled", "rejected"))]
        )
        return found | undone.filtered(lambda booking: booking.transaction_id._counts())

    def _tell(self):
        """Ping the dialog: a hint without content."""
        for booking in self.sudo():
            booking.user_id._bus_send("viva_payments_booking", {"attempt": booking.attempt})
