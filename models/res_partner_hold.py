"""Customers: what they have on hold."""

from odoo import models

from . import viva_held  # noqa: F401 - defined before it is inherited


class ResPartner(models.Model):
    _name = "res.partner"
    _inherit = ["res.partner", "viva.held"]

    def _viva_hold_domain(self):
        # One customer, whichever of its contacts was named.
        return [("partner_id", "child_of", self.commercial_partner_id.ids)]

    def _viva_hold_defaults(self):
        return {"partner_id": self.id}
