from odoo import fields, models


class VivaGatewayPair(models.TransientModel):
    """Shows a pairing code. Never saved: the code exists on the screen only."""

    _name = "viva.gateway.pair"
    _description = "Pair a Viva Gateway"

    gateway_id = fields.Many2one("viva.gateway", required=True, readonly=True)
    code = fields.Char("Pairing code", readonly=True, store=False)
    command = fields.Char(readonly=True, store=False)
    valid = fields.Char(readonly=True, store=False)
