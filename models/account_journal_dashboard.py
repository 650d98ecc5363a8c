"""What the accountant sees of cards on the dashboard, and on the journal itself."""

from collections import defaultdict

from odoo import fields, models
from odoo.fields import Domain

from .pos_payment_method import CODE

OPEN = ("draft", "sent", "pending")
# Each figure, and the list that is behind it: model, domain.
FIGURES = {
    "open": ("viva.transaction", [("state", "in", OPEN)]),
    "unknown": ("viva.transaction", [("state", "=", "unknown")]),
    "today": ("viva.transaction", [("state", "=", "approved"), ("sent_at", ">=", "today")]),
    "to_post": ("viva.booking", [("state", "=", "to_post")]),
    "holds": ("viva.hold", [("is_expiring", "=", True)]),
}
ACTIONS = {
    "viva.transaction": "viva_payments.action_viva_transaction_account",
    "viva.booking": "viva_payments.action_viva_booking",
    "viva.hold": "viva_payments.action_viva_hold",
}


class AccountJournal(models.Model):
    _inherit = "account.journal"

    viva_transaction_count = fields.Integer(
        "Card payments",
        compute="_compute_viva_transaction_count",
        groups="account.group_account_invoice,account.group_account_readonly",
    )

    def _compute_viva_transaction_count(self):
        counts = self.env["viva.transaction"]._read_group(
            [("journal_id", "in", self.ids)], ["journal_id"], ["__count"]
        )
        by_journal = {journal.id: count for journal, count in counts}
        for journal in self:
            journal.viva_transaction_count = by_journal.get(journal.id, 0)

    # -- dashboard -------------------------------------------------------------------------------

    def _fill_bank_cash_dashboard_data(self, dashboard_data):
        result = super()._fill_bank_cash_dashboard_data(dashboard_data)
        journals = self.filtered(lambda journal: journal.type in ("bank", "credit"))
        for journal_id, figures in journals._viva_figures().items():
            dashboard_data[journal_id]["viva"] = figures
        return result

    def _viva_used(self):
        """Of these journals those into which card money goes: of a Viva account's back office, or of a till."""
        if not self:
            return self
        accounts = self.env["viva.account"].sudo().search([("journal_id", "in", self.ids)])
        methods = (
            self.env["pos.payment.method"]
            .sudo()
            .with_context(active_test=False)
            .search([("journal_id", "in", self.ids), ("use_payment_terminal", "=", CODE)])
        )
        return self & self.browse((accounts.journal_id | methods.journal_id).ids)

    def _viva_figures(self):
        """{journal id: figures}, one query for each kind of figure; nothing for who may not read card payments.

        Companies and rights are those of the user, by the rules of the models that are counted.
        """
        ledger = self.env["viva.transaction"]
        if not ledger.has_access("read"):
            return {}
        journals = self._viva_used()
        if not journals:
            return {}
        figures = {journal.id: dict.fromkeys(FIGURES, 0) for journal in journals}
        for name in ("open", "unknown"):
            for journal, count in ledger._read_group(
                journals._viva_domain(name), ["journal_id"], ["__count"]
            ):
                figures[journal.id][name] = count
        for journal, count in self.env["viva.booking"]._read_group(
            journals._viva_domain("to_post"), ["journal_id"], ["__count"]
        ):
            figures[journal.id]["to_post"] = count
        for journal, count in ledger._read_group(
            [
                ("journal_id", "in", journals.ids),
                ("operation", "=", "preauth"),
                ("hold_id", "any", FIGURES["holds"][1]),
            ],
            ["journal_id"],
            ["hold_id:count_distinct"],
        ):
            figures[journal.id]["holds"] = count
        totals = defaultdict(list)
        for journal, currency, total in ledger._read_group(
            journals._viva_domain("today"), ["journal_id", "currency_id"], ["signed_amount:sum"]
        ):
            totals[journal.id].append(currency.format(total))
        for journal in journals:
            # The company may be out of the user's reach, its currency is not.
            currency = journal.currency_id or journal.company_id.sudo().currency_id.sudo(False)
            figures[journal.id]["today"] = " + ".join(totals[journal.id]) or currency.format(0)
        return figures

    def _viva_domain(self, figure):
        """What is behind a figure, for these journals."""
        model, domain = FIGURES[figure]
        of_journal = "transaction_ids.journal_id" if model == "viva.hold" else "journal_id"
        return list(Domain(of_journal, "in", self.ids) & Domain(domain))

    def action_viva_figure(self):
        """The list behind the figure that was pressed (`viva_figure` of the context)."""
        self.check_access("read")
        figure = self.env.context.get("viva_figure")
        model = FIGURES[figure][0] if figure in FIGURES else "viva.transaction"
        action = self.env["ir.actions.act_window"]._for_xml_id(ACTIONS[model])
        domain = (
            self._viva_domain(figure) if figure in FIGURES else [("journal_id", "in", self.ids)]
        )
        return {**action, "domain": domain, "context": {}}
