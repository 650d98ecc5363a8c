from odoo import api, fields, models
from odoo.fields import Domain

from ..drivers import CurrencyNotSupported, exponent
from .pos_order import NOT_PARKED
from .viva_transaction_pos import MANAGER
from .viva_transaction_start import GIVE_BACK, UNREFERENCED


class PosConfig(models.Model):
    _inherit = "pos.config"

    viva_digits = fields.Integer(
        compute="_compute_viva_digits",
        help="Decimals of the till's currency on the wire (ISO 4217). Odoo may round a currency more coarsely.",
    )

    viva_may_give_back = fields.Boolean(
        compute="_compute_viva_rights", help="The user may give money back by card here."
    )
    viva_may_unreferenced = fields.Boolean(
        compute="_compute_viva_rights", help="… also without the original payment."
    )
    viva_may_manage = fields.Boolean(
        compute="_compute_viva_rights", help="… also without card and terminal."
    )

    @api.depends_context("uid")
    def _compute_viva_rights(self):
        transactions = self.env["viva.transaction"]
        for config in self:
            decides = not transactions._needs_credentials(config)
            user = self.env.user
            config.viva_may_give_back = decides and user.has_group(GIVE_BACK)
            config.viva_may_unreferenced = decides and user.has_group(UNREFERENCED)
            config.viva_may_manage = decides and user.has_group(MANAGER)

    @api.depends("currency_id")
    def _compute_viva_digits(self):
        for config in self:
            try:
                config.viva_digits = exponent(config.currency_id.name)
            except CurrencyNotSupported:
                config.viva_digits = config.currency_id.decimal_places

    def read_config_open_orders(self, domain, record_ids=None):
        """As Odoo's; an order that was parked meanwhile leaves every till."""
        record_ids = record_ids or {}
        if "pos.order" in domain:
            shown = Domain(domain["pos.order"]) & NOT_PARKED
            domain = {**domain, "pos.order": list(shown)}
        result = super().read_config_open_orders(domain, record_ids)
        parked = self.env["pos.order"].search(
            Domain("id", "in", record_ids.get("pos.order", [])) & ~NOT_PARKED
        )
        if parked:
            result["deleted_record_ids"]["pos.order"] += parked.ids
        return result
