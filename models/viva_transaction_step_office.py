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
            if step.note:
                step.what += Markup('<span class="ms-2">%s</span>') % step.note
