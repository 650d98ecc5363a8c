"""Holds of the back office: for which invoice money is held, and what may be done with it here.

A hold of the till that still waits for its open order is captured there; every other one in the office, too.
"""

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import clean_context, format_date

from .viva_booking import ACCOUNTANT


class VivaHold(models.Model):
    _inherit = "viva.hold"

    move_id = fields.Many2one(
        "account.move",
        "Invoice",
        readonly=True,
        ondelete="set null",
        index="btree_not_null",
        help="The invoice for which the money is held.",
    )
    payment_ids = fields.Many2many(
        "account.payment", string="Payments", compute="_compute_payment_ids", compute_sudo=True
    )
    waits_at_till = fields.Boolean(
        compute="_compute_can_book", help="An open order at the till waits for this money."
    )
    can_book = fields.Boolean(
        compute="_compute_can_book", help="The user may capture or release it in the back office."
    )

    @api.depends("name", "reference", "amount")
    @api.depends_context("viva_with_amount")
    def _compute_display_name(self):
        """Where one of several is chosen: what it is for and how much it is."""
        result = super()._compute_display_name()
        for hold in self if self.env.context.get("viva_with_amount") else ():
            amount = hold.currency_id.format(hold.amount)
            hold.display_name = " · ".join(filter(None, (hold.name, hold.reference, amount)))
        return result

    @api.depends("transaction_ids.operation")
    def _compute_payment_ids(self):
        for hold in self:
            captures = hold.transaction_ids.filtered(lambda child: child.operation == "capture")
            hold.payment_ids = captures.booking_id.payment_id

    @api.depends("state")
    @api.depends_context("uid")
    def _compute_can_book(self):
        may = self.env.user.has_group(ACCOUNTANT)
        for hold in self:
            hold.waits_at_till = hold.sudo().pos_order_id.state == "draft"
            hold.can_book = may and hold.state == "open" and not hold.waits_at_till

    def _obstacle_in_office(self):
        """Why it is not captured or released in the back office, or an empty string."""
        self.ensure_one()
        preauth = self.sudo().preauth_id
        if not preauth or preauth.state != "approved":
            return self.env._("Nothing is on hold: %s", self.name)
        obstacle = preauth._obstacle_of_hold()
        if not obstacle and self.waits_at_till:
            obstacle = self.env._(
                "Order %s is still open at the till: capture or release the hold there.",
                self.sudo().pos_order_id.pos_reference or self.sudo().pos_order_id.name,
            )
        return obstacle

    # -- for what it is --------------------------------------------------------------------------

    def _own_invoices(self):
        """The invoices for which it is, drafts too (see bridges); those that are paid as well."""
        return self.move_id

    def _values_for_booking(self):
        """What a booking keeps of it (see bridges)."""
        return {"reference": self.reference or self.name, "move_id": self.move_id.id}

    def _words_of_held(self):
        """How much these hold in all, e.g. "€ 50.00"; one sum for each currency."""
        return " + ".join(
            currency.format(sum(holds.mapped("amount")))
            for currency, holds in self.grouped("currency_id").items()
        )

    def _action_list(self, domain, **context):
        """These holds as a list."""
        action = self.env["ir.actions.act_window"]._for_xml_id("viva_payments.action_viva_hold")
        return {
            **action,
            "domain": list(domain),
            "context": context,
        }

    # -- buttons ---------------------------------------------------------------------------------

    def action_capture(self):
        """Ask how much of it is taken, and for which invoice."""
        self._require_office()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Capture a hold"),
            "res_model": "viva.capture.wizard",
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_hold_id": self.id},
        }

    def action_release(self):
        """Give the money free; the dialog starts it."""
        self._require_office()
        preauth = self.preauth_id
        bookings = self.env["viva.booking"].with_context(clean_context(self.env.context))
        booking = bookings._prepare(
            "release",
            terminal=preauth.terminal_id,
            currency=self.currency_id,
            amount=self.amount,
            via=preauth.sudo().account_id.release_by,
            partner=self.partner_id,
            parent=preauth,
            hold=self._values_for_booking(),
        )
        return booking._open_dialog()

    def _require_office(self):
        """:raise UserError: it is not captured or released here"""
        self.ensure_one()
        self.check_access("read")
        self.env["viva.booking"]._require("capture")
        obstacle = self._obstacle_in_office()
        if obstacle:
            raise UserError(obstacle)

    def action_view_invoice(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "account.move",
            "res_id": self.move_id.id,
            "views": [(False, "form")],
        }

    def action_view_payments(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Payments"),
            "res_model": "account.payment",
            "domain": [("id", "in", self.payment_ids.ids)],
            "views": [(False, "list"), (False, "form")],
        }


class VivaBooking(models.Model):
    _inherit = "viva.booking"

    @api.model
    def _prepare(self, operation, *, parent=None, **options):
        if operation in ("capture", "release"):
            self._require(operation)
            if not parent or not parent.hold_id:
                raise UserError(self.env._("Only a hold can be captured or released."))
            obstacle = parent.hold_id._obstacle_in_office()
            if obstacle:
                raise UserError(obstacle)
        return super()._prepare(operation, parent=parent, **options)

    def _after_booked(self):
        """The document for which money is held says so."""
        super()._after_booked()
        hold = self.sudo().transaction_id.hold_id
        if self.operation not in ("preauth", "capture", "release") or not hold:
            return
        for document in self._documents_of_hold(hold):
            document.message_post(body=self._words_of_hold(hold))

    def _documents_of_hold(self, hold):
        """What the money is held for (see bridges)."""
        return [hold.move_id] if hold.move_id else []

    def _words_of_hold(self, hold):
        amount = hold.currency_id.format(self.amount)
        if self.operation == "capture":
            return self.env._(
                "%(amount)s captured of hold %(hold)s.", amount=amount, hold=hold.name
            )
        if self.operation == "release":
            return self.env._("Hold %s released: nothing of it was taken.", hold.name)
        return self.env._(
            "%(amount)s put on hold by card (%(hold)s). The hold lapses on %(day)s: capture it before.",
            amount=amount,
            hold=hold.name,
            day=format_date(self.env, hold.expires_on),
        )
