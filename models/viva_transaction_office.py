"""What the back office needs of a card payment: tasks and notes on it, what can be done about it, and the search for
money without an order."""

import time
from collections import Counter

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from .ledger import own_cursor
from .viva_transaction_pos import MANAGER
from .viva_transaction_start import GIVE_BACK

OFFICE_BUDGET = (
    12  # seconds; a request of the back office asks about no further payment after so long
)


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"
    # Nobody may write the ledger; whoever may read it sees and finishes his tasks about it.
    _mail_post_access = "read"

    is_attached = fields.Boolean(search="_search_is_attached")
    can_give_back = fields.Boolean(compute="_compute_can")
    can_capture = fields.Boolean(compute="_compute_can")
    can_release = fields.Boolean(compute="_compute_can")
    can_book_tip = fields.Boolean(compute="_compute_can")
    can_finish = fields.Boolean(
        compute="_compute_can", help="The money has moved, its order is still a draft."
    )
    is_unconfirmed = fields.Boolean(
        "Not confirmed by Viva yet",
        compute="_compute_is_unconfirmed",
        help="The terminal has told in the shop that it approved it; Viva's list does not show it yet.",
    )
    cannot_cancel = fields.Char(
        compute="_compute_cannot_cancel", help="Why it cannot be cancelled from here."
    )
    hold_lapses_on = fields.Date(related="hold_id.expires_on", string="Hold lapses on")
    dcc_text = fields.Char("Currency conversion", compute="_compute_dcc_text")

    def _compute_can(self):
        for transaction in self:
            is_hold = transaction.operation == "preauth" and transaction.state == "approved"
            is_free = is_hold and not transaction._obstacle_of_hold()
            transaction.can_give_back = transaction._obstacle_of_money_back() == ""
            transaction.can_capture = transaction.can_release = is_free
            transaction.can_book_tip = transaction._has_open_tip()
            transaction.can_finish = transaction._waits_for_order()

    @api.depends("state", "word", "is_forced")
    def _compute_is_unconfirmed(self):
        for transaction in self:
            transaction.is_unconfirmed = transaction._is_unconfirmed()

    def _compute_cannot_cancel(self):
        for transaction in self:
            open_one = transaction.sudo() if transaction.holds_terminal else None
            transaction.cannot_cancel = open_one._obstacle_to_cancel() if open_one else False

    def _waits_for_order(self):
        """Whether its draft order has no payment line for this money yet, or is settled with it and only not validated."""
        order = self.sudo().pos_order_id
        if self.operation not in ("refund", "capture") or order.state != "draft":
            return False
        if not self._is_due():
            return False
        done = order.payment_ids.filtered(lambda payment: payment.payment_status in (False, "done"))
        settled = not order.currency_id.compare_amounts(
            sum(done.mapped("amount")), order.amount_total
        )
        return settled or self.payment_uuid not in done.mapped("uuid")

    @api.depends("dcc_details")
    def _compute_dcc_text(self):
        for transaction in self:
            transaction.dcc_text = transaction._dcc_words() if transaction.dcc_details else False

    @api.model
    def _search_is_attached(self, operator, value):
        if operator != "in":
            return NotImplemented
        self.env["pos.payment"].flush_model(["uuid", "pos_order_id"])
        self.env["pos.order"].flush_model(["state", "uuid"])
        attached = SQL(
            """(
            SELECT viva_transaction.id
              FROM viva_transaction
              JOIN pos_payment ON pos_payment.uuid = viva_transaction.payment_uuid
              JOIN pos_order ON pos_order.id = pos_payment.pos_order_id
             WHERE pos_order.state IN ('paid', 'done', 'invoiced')
               AND pos_order.uuid = viva_transaction.order_uuid
               AND viva_transaction.operation IN ('sale', 'capture', 'refund')
               AND NOT EXISTS (
                   SELECT FROM viva_transaction other
                    WHERE other.payment_uuid = viva_transaction.payment_uuid
                      AND other.state = 'approved'
                      AND (other.id > viva_transaction.id OR viva_transaction.state != 'approved')
               )
             UNION
            SELECT viva_transaction.id
              FROM viva_transaction
              JOIN viva_booking ON viva_booking.id = viva_transaction.booking_id
             WHERE viva_booking.state = 'booked'
               AND viva_transaction.operation != 'preauth'
            )"""
        )
        return [("id", "in" if True in value else "not in", attached)]

    # -- buttons ---------------------------------------------------------------------------------

    def action_check_many(self):
        """Ask Viva about these payments where that can bring news, as many as the time allows, and count the results."""
        self.check_access("read")
        ids = self.ids
        with own_cursor(self.env) as env:
            due = [
                record.id for record in env["viva.transaction"].browse(ids) if record._needs_check()
            ]
        self.env["viva.event"]._process(ids)
        end, asked = time.monotonic() + OFFICE_BUDGET, []
        self._look(due)
        for transaction_id in due:
            if time.monotonic() > end:
                break
            self._check_one(transaction_id, True)
            asked.append(transaction_id)
        self.invalidate_recordset()
        with own_cursor(self.env) as env:
            records = env["viva.transaction"].browse(asked)
            counts = Counter(record._state_label() for record in records)
            doubt = records.filtered("is_unsettled")
            silent = any(
                env["viva.connection"]._store(account).is_silent(env)
                for account in doubt.account_id
            )
        lines = [f"{label}: {count}" for label, count in counts.items()]
        if silent:
            lines.append(self.env._("Viva does not answer at the moment. Try again in a minute."))
        if len(due) > len(asked):
            lines.append(
                self.env._(
                    "Not reached in time: %s. Press Check with Viva again.", len(due) - len(asked)
                )
            )
        if len(ids) > len(due):
            lines.append(
                self.env._("Settled already, nothing to ask: %s", len(set(ids)) - len(due))
            )
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "title": self.env._("Checked with Viva: %s", len(asked)),
                "message": "\n".join(lines),
                "type": "warning" if doubt or len(due) > len(asked) else "info",
                "sticky": bool(doubt),
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def action_book_tip_apart(self):
        """A manager has a tip that nobody has decided about booked in the tip account, at closing."""
        self.ensure_one()
        if not self.env.user.has_group(MANAGER):
            raise AccessError(self.env._("Only a Viva manager may do this."))
        self.pos_book_tip(self.attempt, "account")
        self.invalidate_recordset()
        return True

    def action_finish_order(self):
        """Put money that has moved on its draft order, and validate the order when that settles it."""
        self.ensure_one()
        self.check_access("read")
        if not self.env.user.has_group(GIVE_BACK if self.operation == "refund" else MANAGER):
            raise AccessError(self.env._("You may not finish this order. Call a manager."))
        order = self.env["pos.order"].search([("uuid", "=", self.order_uuid)], limit=1)
        if not self.can_finish or not order:
            raise UserError(self.env._("There is no open order that waits for this money."))
        order._viva_attach()
        return {
            "type": "ir.actions.act_window",
            "res_model": "pos.order",
            "res_id": order.id,
            "views": [(False, "form")],
        }

    def action_view_order(self):
        """The order that this money is for."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "pos.order",
            "res_id": self.pos_order_id.id,
            "views": [(False, "form")],
        }
