from odoo import api, fields, models

PROTOCOLS = [
    ("cloud", "Cloud Terminal API"),
    ("local", "Local Terminal API"),
    ("app_to_app", "App-to-App"),
    ("tcp", "TCP/IP"),
]


class VivaTerminalModel(models.Model):
    """A kind of device and the protocols it speaks (Viva's compatibility matrix, as data)."""

    _name = "viva.terminal.model"
    _description = "Viva Terminal Model"
    _order = "sequence, name"

    name = fields.Char(required=True)
    code = fields.Char(required=True)
    sequence = fields.Integer(default=100)
    maker = fields.Char()
    family = fields.Selection(
        [
            ("paydroid", "PAX Paydroid"),
            ("softpos", "SoftPOS"),
            ("prolin", "PAX Prolin"),
            ("other", "Other"),
        ],
        required=True,
        default="other",
    )
    os = fields.Selection(
        [("android", "Android"), ("ios", "iOS"), ("prolin", "Prolin"), ("other", "Other")],
        string="Operating System",
        required=True,
        default="other",
    )
    note = fields.Char()
    app_to_app = fields.Boolean("App-to-App")
    cloud = fields.Boolean("Cloud Terminal API")
    local = fields.Boolean("Local Terminal API")
    tcp = fields.Boolean("TCP/IP")

    _code_unique = models.Constraint(
        "unique (code)", "There is already a terminal model with this code."
    )

    @api.model
    def _search_display_name(self, operator, value):
        """By what is shown, maker and name: "PAX S8"."""
        if operator not in ("ilike", "=ilike", "like", "=like") or not value:
            return super()._search_display_name(operator, value)
        words = str(value).split()
        return [
            condition
            for word in words
            for condition in ("|", ("name", operator, word), ("maker", operator, word))
        ]

    @api.depends("name", "maker")
    def _compute_display_name(self):
        for record in self:
            maker = record.maker if record.maker and record.maker != "any" else ""
            record.display_name = " ".join(filter(None, [maker, record.name]))

    def _protocols(self):
        """The protocols of this model as `[(code, label)]`."""
        self.ensure_one()
        return [(code, label) for code, label in PROTOCOLS if self[code]]
