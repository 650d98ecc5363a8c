"""A step as the back office tells it: a picture, what happened, in which words."""

from markupsafe import Markup

from odoo import api, fields, models

# Kind of step: icon (Font Awesome), Bootstrap's colour.
LOOKS = {
    "asked": ("fa-hand-pointer-o", "info"),
    "sent": ("fa-paper-plane-o", "info"),
    "accepted": ("fa-check", "info"),
    "read": ("fa-comment-o", "success"),
    "event": ("fa-bell-o", "success"),
    "app": ("fa-mobile", "info"),
    "abort": ("fa-ban", "warning"),
    "error": ("fa-exclamation-triangle", "warning"),
    "person": ("fa-user", "warning"),
    "alarm": ("fa-bolt", "danger"),
}


class VivaTransactionStep(models.Model):
    _inherit = "viva.transaction.step"

    what = fields.Html(
        compute="_compute_what", sanitize=False, help="The step in one line, with its picture."
    )

    @api.depends("kind", "note")
    @api.depends_context("lang")
    def _compute_what(self):
        labels = dict(self._fields["kind"]._description_selection(self.env))
        for step in self:
            icon, colour = LOOKS.get(step.kind, ("fa-circle-o", "muted"))
            step.what = Markup(
                '<i class="fa fa-fw %s text-%s me-2" role="img" aria-hidden="true"></i>'
                '<span class="fw-bold text-%s">%s</span>'
            ) % (icon, colour, colour, labels.get(step.kind, ""))
            note = step.note or (step._asked_words() if step.kind == "asked" else "")
            if note:
                step.what += Markup('<span class="ms-2">%s</span>') % note

    def _asked_words(self):
        """What was asked for; the step itself keeps no words about it."""
        transaction = self.transaction_id
        labels = dict(transaction._fields["operation"]._description_selection(self.env))
        parts = [
            labels.get(transaction.operation, ""),
            transaction.currency_id.format(transaction.amount),
            transaction.via == "terminal" and transaction.sudo().terminal_id.display_name,
        ]
        return " · ".join(filter(None, parts))
