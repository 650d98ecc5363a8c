"""What is on hold for a customer or a document: one set of fields and buttons for all of them."""

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain


class VivaHeld(models.AbstractModel):
    """For documents and customers: what is on hold for them."""

    _name = "viva.held"
    _description = "What is on hold"

    viva_hold_count = fields.Integer("Holds", compute="_compute_viva_holds")
    viva_held = fields.Char("On hold", compute="_compute_viva_holds")
    viva_held_until = fields.Date("On hold until", compute="_compute_viva_holds")
    viva_holds_expire = fields.Boolean("A hold lapses soon", compute="_compute_viva_holds")
    viva_to_capture = fields.Integer("Holds to capture", compute="_compute_viva_holds")

    @api.depends_context("uid", "allowed_company_ids")
    def _compute_viva_holds(self):
        holds = self.env["viva.hold"]
        may = holds.has_access("read")
        for record in self:
            own = holds.search(record._viva_hold_listed()) if may and record.ids else holds
            opened = own.filtered(lambda hold: hold.state == "open")
            record.viva_hold_count = len(own)
            record.viva_held = opened._words_of_held() or False
            record.viva_held_until = min(opened.mapped("expires_on"), default=False)
            record.viva_holds_expire = any(opened.mapped("is_expiring"))
            record.viva_to_capture = len(record._viva_holds_to_capture()) if may else 0

    def _viva_hold_domain(self):
        """The holds of this record, whatever became of them."""
        raise NotImplementedError

    def _viva_hold_listed(self):
        """Without those for which no card was ever accepted."""
        return Domain(self._viva_hold_domain()) & Domain("state", "!=", "failed")

    def _viva_capture_domain(self):
        """The open holds that may be captured for it."""
        return self._viva_hold_domain()

    def _viva_holds_to_capture(self):
        self.ensure_one()
        if not self.ids:
            return self.env["viva.hold"]
        domain = Domain(self._viva_capture_domain()) & Domain("state", "=", "open")
        return self.env["viva.hold"].search(domain, order="expires_on, id").filtered("can_book")

    @api.model
    def _viva_in_office(self, company):
        """Whether a Viva account of this company is booked by the back office."""
        accounts = self.env["viva.account"].sudo()
        booked = [("company_id", "parent_of", company.ids), ("journal_id", "!=", False)]
        return bool(accounts.search_count(booked, limit=1))

    def _viva_hold_defaults(self):
        """What the dialog *Hold by card* proposes for it, as `default_…` of the context."""
        raise NotImplementedError

    def action_viva_view_holds(self):
        self.ensure_one()
        return self.env["viva.hold"]._action_list(self._viva_hold_listed())

    def action_viva_hold(self):
        """Ask how much is to be held on which terminal."""
        self.ensure_one()
        self.check_access("read")
        self.env["viva.booking"]._require("preauth")
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Hold by card"),
            "res_model": "viva.hold.wizard",
            "views": [(False, "form")],
            "target": "new",
            "context": {
                f"default_{name}": value for name, value in self._viva_hold_defaults().items()
            },
        }

    def action_viva_capture(self):
        """Take what is on hold, for this record."""
        self.ensure_one()
        self.check_access("read")
        self.env["viva.booking"]._require("capture")
        holds = self._viva_holds_to_capture()
        if not holds:
            raise UserError(self.env._("Nothing is on hold that can be captured here."))
        own = holds & holds.search(self._viva_hold_listed())
        action = (own or holds)[:1].action_capture()
        action["context"] |= {"default_hold_ids": holds.ids, **self._viva_capture_defaults()}
        return action

    def _viva_capture_defaults(self):
        """What the dialog of the capture proposes for it, as `default_…` of the context."""
        return {}
