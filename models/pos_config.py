from odoo import api, fields, models

from ..drivers import CurrencyNotSupported, exponent


class PosConfig(models.Model):
    _inherit = "pos.config"

    viva_digits = fields.Integer(
        compute="_compute_viva_digits",
        help="Decimals of the till's currency on the wire (ISO 4217). Odoo may round a currency more coarsely.",
    )

    @api.depends("currency_id")
    def _compute_viva_digits(self):
        for config in self:
            try:
                config.viva_digits = exponent(config.currency_id.name)
            except CurrencyNotSupported:
                config.viva_digits = config.currency_id.decimal_places
