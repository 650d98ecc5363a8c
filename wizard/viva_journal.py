"""The daily journal: what the terminals did on one day, by the ledger, for the accountant."""

from collections import defaultdict
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from odoo import Command, api, fields, models
from odoo.tools import format_date

from ..models.viva_transaction import GIVES_BACK, UNSETTLED

UTC = ZoneInfo("UTC")


class VivaJournal(models.TransientModel):
    """One local day of a company's terminals. A screen and a print; nothing of it is kept."""

    _name = "viva.journal"
    _description = "Daily Journal of the Terminals"

    company_id = fields.Many2one(
        "res.company", required=True, readonly=True, default=lambda self: self.env.company
    )
    day = fields.Date(required=True, default=lambda self: self._today())
    timezone = fields.Char(compute="_compute_timezone", help="In which the day begins and ends.")
    terminal_ids = fields.Many2many(
        "viva.terminal",
        string="Terminals",
        domain="[('company_id', '=', company_id)]",
        context={"active_test": False},
        help="None chosen: all of the company.",
    )
    shown = fields.Char(readonly=True, help="The day and terminals of which the lines tell.")
    is_stale = fields.Boolean(compute="_compute_is_stale")
    is_demo = fields.Boolean(readonly=True)
    line_ids = fields.One2many(
        "viva.journal.line",
        "journal_id",
        readonly=True,
        domain=[("is_total", "=", False), ("is_hold", "=", False)],
    )
    total_ids = fields.One2many(
        "viva.journal.line", "journal_id", readonly=True, domain=[("is_total", "=", True)]
    )
    hold_line_ids = fields.One2many(
        "viva.journal.line", "journal_id", readonly=True, domain=[("is_hold", "=", True)]
    )
    difference_ids = fields.One2many("viva.journal.difference", "journal_id", readonly=True)
    difference_count = fields.Integer(compute="_compute_counts")
    doubt_count = fields.Integer(compute="_compute_counts")

    @api.depends("day")
    @api.depends_context("lang")
    def _compute_display_name(self):
        for journal in self:
            journal.display_name = self.env._(
                "Daily journal, %s", format_date(self.env, journal.day)
            )

    # -- which day -------------------------------------------------------------------------------

    @api.model
    def _zone(self, company=None):
        """In which a day begins and ends: the user's, as everywhere on his screen, else the company's."""
        names = [self.env.user.tz, (company or self.env.company).partner_id.tz]
        for name in filter(None, names):
            try:
                return ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError):
                continue
        return UTC

    @api.model
    def _today(self):
        return datetime.now(self._zone()).date()

    @api.depends("company_id")
    def _compute_timezone(self):
        for journal in self:
            journal.timezone = str(journal._zone(journal.company_id))

    def _bounds(self):
        """Begin and end of the local day, in UTC without a zone, as the ledger keeps its times."""
        self.ensure_one()
        zone = self._zone(self.company_id)
        begin, end = (
            datetime.combine(day, time.min, zone).astimezone(UTC).replace(tzinfo=None)
            for day in (self.day, self.day + timedelta(days=1))
        )
        return begin, end

    def _selection(self):
        return f"{self.day} {sorted(self.terminal_ids._origin.ids)}"

    @api.depends("day", "terminal_ids", "shown")
    def _compute_is_stale(self):
        for journal in self:
            journal.is_stale = journal.shown != journal._selection()

    @api.depends("difference_ids")
    def _compute_counts(self):
        for journal in self:
            doubt = journal.difference_ids.filtered("is_doubt")
            journal.doubt_count = len(doubt)
            journal.difference_count = len(journal.difference_ids - doubt)

    # -- what is in it ---------------------------------------------------------------------------

    def _transactions(self):
        """The operations that were asked for on that day."""
        self.ensure_one()
        begin, end = self._bounds()
        domain = [
            ("company_id", "=", self.company_id.id),
            ("sent_at", ">=", begin),
            ("sent_at", "<", end),
        ]
        if self.terminal_ids:
            domain.append(("terminal_id", "in", self.terminal_ids.ids))
        return self.env["viva.transaction"].search(domain, order="terminal_id, id")

    def _fill(self, findings=()):
        """Write the lines anew.

        :param findings: values of differences, see `viva_journal_compare.py`
        """
        self.ensure_one()
        transactions = self._transactions()
        doubtful = {values.get("transaction_id") for values in findings}
        rows = list(findings)
        rows += [
            self.env["viva.journal.difference"]._doubt(transaction)
            for transaction in transactions
            if (transaction.state in UNSETTLED or transaction._is_late_word())
            and transaction.id not in doubtful
        ]
        order = [
            kind for kind, _label in self.env["viva.journal.difference"]._fields["kind"].selection
        ]
        rows.sort(key=lambda values: order.index(values["kind"]))
        lines = self._line_values(transactions)
        self.env["viva.journal.line"].search([("journal_id", "=", self.id)]).unlink()
        self.difference_ids.unlink()
        self.env["viva.journal.line"].create(
            [{**values, "journal_id": self.id} for values in lines]
        )
        self.write(
            {
                "shown": self._selection(),
                "is_demo": any(transactions.mapped("is_demo")),
                "difference_ids": [Command.create(values) for values in rows],
            }
        )
        self.invalidate_recordset()

    @api.model
    def _line_values(self, transactions):
        """Count and sum of what was carried out, by terminal, POS session, operation and brand; and by terminal."""
        sums, of_sum = defaultdict(lambda: defaultdict(float)), defaultdict(list)
        for transaction in transactions.filtered(lambda record: record.state == "approved"):
            # The names of sessions and terminals are for accountants without rights in the Point of Sale too.
            names = transaction.sudo()
            sign = -1 if transaction.operation in GIVES_BACK else 1
            is_hold = transaction.operation in ("preauth", "release")
            common = {
                "terminal": names.terminal_id.display_name
                if names.via == "terminal"
                else self.env._("Without terminal"),
                "currency_id": transaction.currency_id.id,
            }
            keys = [
                {
                    **common,
                    "session": names.pos_session_id.name or "-",
                    "operation": transaction.executed or transaction.operation,
                    "by_viva": transaction.origin == "viva",
                    "brand": transaction.card_brand or "-",
                    "is_hold": is_hold,
                }
            ]
            if not is_hold:
                keys.append({**common, "is_total": True})
            for key in keys:
                of_sum[tuple(key.items())].append(transaction.id)
                total = sums[tuple(key.items())]
                total["amount"] += sign * transaction.approved_amount
                total["tip"] += sign * transaction.tip_amount
                total["surcharge"] += sign * transaction.surcharge_amount
        rows = [
            {**dict(key), **total, "count": len(of_sum[key]), "transactions": of_sum[key]}
            for key, total in sums.items()
        ]
        kinds = [
            kind for kind, _label in self.env["viva.journal.line"]._fields["operation"].selection
        ]
        return sorted(
            rows,
            key=lambda row: (
                row["terminal"],
                row.get("session", ""),
                kinds.index(row.get("operation", "sale")),
                row.get("by_viva", False),
                row.get("brand", ""),
            ),
        )

    # -- buttons ---------------------------------------------------------------------------------

    @api.model
    def action_open(self):
        """A journal of today, for the menu."""
        journal = self.create({})
        journal._fill()
        return journal._screen()

    def _screen(self):
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Daily Journal"),
            "res_model": self._name,
            "res_id": self.id,
            "views": [(False, "form")],
            "target": "current",
        }

    def action_show(self):
        """Show the chosen day and terminals."""
        self.ensure_one()
        self._forget_comparison()
        self._fill()
        return True

    def action_previous(self):
        self.ensure_one()
        self.day -= timedelta(days=1)
        return self.action_show()

    def action_next(self):
        self.ensure_one()
        self.day += timedelta(days=1)
        return self.action_show()

    def action_print(self):
        self.ensure_one()
        if self.is_stale:
            self.action_show()
        return self.env.ref("viva_payments.action_report_viva_journal").report_action(self)
