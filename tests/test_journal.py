"""The daily journal: what the ledger sums up, and where Viva tells otherwise."""

from datetime import date, datetime, timedelta

from odoo import Command, fields
from odoo.exceptions import AccessError
from odoo.tests import Form

from ..drivers import SaleRequest
from .common import TERMINAL_2
from .test_back_office import BackOfficeCase


class JournalCase(BackOfficeCase):
    def journal(self, by=None, **values):
        journals = self.env["viva.journal"].with_user(by or self.accountant)
        journal = journals.browse(journals.action_open()["res_id"])
        if values:
            journal.write(values)
            journal.action_show()
        return journal

    def compared(self, by=None, **values):
        journal = self.journal(by, **values)
        journal.action_compare()
        return journal

    def kinds(self, journal):
        return journal.difference_ids.mapped("kind")

    def rows(self, lines):
        return [(line.operation, line.count, line.amount) for line in lines]


class TestSums(JournalCase):
    def test_by_operation_brand_and_terminal(self):
        _order, sale = self.paid()
        self.paid(500)
        request, _status = self.charge(amount_minor=1000, terminal_id=self.terminal_2.id)
        self.simulator.act("tip", TERMINAL_2, minor=200)
        self.simulator.act("tap", TERMINAL_2)
        self.check_until(request["attempt"], "approved")
        request, _status = self.charge(amount_minor=700)
        self.simulator.act("decline")
        self.check_until(request["attempt"], "declined")
        self.hold()
        wizard = self.dialog(sale, self.refunder)
        self.run_dialog(wizard)
        self.check_wizard(wizard)
        journal = self.journal()
        bar, counter = (terminal.display_name for terminal in (self.terminal_2, self.terminal))
        self.assertEqual(
            [
                (line.terminal, line.operation, line.count, line.amount, line.tip)
                for line in journal.line_ids
            ],
            [
                (bar, "sale", 1, 12, 2),
                (counter, "sale", 2, 24.99, 0),
                (counter, "void", 1, -19.99, 0),
            ],
        )
        self.assertEqual(set(journal.line_ids.mapped("session")), {self.session.name})
        self.assertTrue(all(brand != "-" for brand in journal.line_ids.mapped("brand")))
        self.assertEqual(
            [(line.terminal, line.count, line.amount) for line in journal.total_ids],
            [(bar, 1, 12), (counter, 3, 5)],
        )
        self.assertEqual(self.rows(journal.hold_line_ids), [("preauth", 1, 50)])
        self.assertEqual(journal.comparison, "not_compared")
        self.assertFalse(journal.difference_ids)
        self.assertTrue(journal.is_demo)
        domain = journal.total_ids[0].action_open()["domain"]
        self.assertEqual(self.env["viva.transaction"].search(domain).amount, 10)

    def test_chosen_terminals_only(self):
        self.paid()
        journal = self.journal(terminal_ids=[Command.set(self.terminal_2.ids)])
        self.assertFalse(journal.line_ids)
        journal = self.journal(terminal_ids=[Command.set(self.terminal.ids)])
        self.assertEqual(self.rows(journal.line_ids), [("sale", 1, 19.99)])
        journal.terminal_ids = self.terminal_2
        self.assertTrue(journal.is_stale)
        journal.action_show()
        self.assertFalse(journal.is_stale or journal.line_ids)

    def test_day_of_the_shop(self):
        """A payment at 23:30 in Athens belongs to that day."""
        self.accountant.tz = "Europe/Athens"
        _order, sale = self.paid()
        self.amend(sale.attempt, sent_at=datetime(2024, 6, 1, 20, 30))
        for day, lines in ((date(2024, 6, 1), 1), (date(2024, 6, 2), 0)):
            with self.subTest(day=day):
                self.assertEqual(len(self.journal(day=day).line_ids), lines)
        self.amend(sale.attempt, sent_at=datetime(2024, 6, 1, 21, 30))
        journal = self.journal(day=date(2024, 6, 1))
        self.assertFalse(journal.line_ids)
        journal.action_next()
        self.assertEqual((journal.day, len(journal.line_ids)), (date(2024, 6, 2), 1))
        journal.action_previous()
        self.assertFalse(journal.line_ids)

    def test_day_on_which_the_clock_changes(self):
        self.accountant.tz = False
        self.company.partner_id.tz = "Europe/Athens"
        journal = self.journal(day=date(2024, 10, 27))
        begin, end = journal._bounds()
        self.assertEqual(end - begin, timedelta(hours=25))

    def test_unknown_is_listed(self):
        request, _status = self.charge()
        self.amend(request["attempt"], state="unknown", reason="no_end")
        journal = self.journal()
        self.assertEqual(self.kinds(journal), ["unknown"])
        self.assertEqual((journal.doubt_count, journal.difference_count), (1, 0))
        finding = journal.difference_ids
        self.assertEqual(finding.action_open()["res_id"], self.transaction(request["attempt"]).id)
        self.assertIn("decide", finding.words)
        self.assertFalse(journal.line_ids)


class TestCompare(JournalCase):
    def test_equal(self):
        _order, sale = self.paid()
        self.paid(500)
        self.hold()
        captured = self.hold(5000, self.make_order(30))
        for parent, user, intent in (
            (sale, self.refunder, "give_back"),
            (captured, self.manager, "capture"),
            (self.hold(), self.manager, "release"),
        ):
            wizard = self.dialog(parent, user, intent)
            self.run_dialog(wizard)
            self.check_wizard(wizard)
        journal = self.compared()
        self.assertEqual((journal.comparison, self.kinds(journal)), ("compared", []), journal.notes)
        self.assertTrue(journal.compared_at)
        self.assertFalse(journal.notes)
        self.assertEqual(
            self.rows(journal.line_ids),
            [("sale", 2, 24.99), ("capture", 1, 30), ("void", 1, -19.99)],
        )
        self.assertEqual(
            self.rows(journal.hold_line_ids), [("preauth", 3, 150), ("release", 1, 50)]
        )
        journal.action_show()
        self.assertEqual(journal.comparison, "not_compared")

    def test_nothing_at_all(self):
        journal = self.compared()
        self.assertEqual((journal.comparison, self.kinds(journal)), ("compared", []))

    def at_viva_only(self, terminal=None):
        """A sale that another program has started with the merchant's credentials; Viva's session."""
        request = SaleRequest(
            session_id="foreign-1",
            terminal_id=terminal or TERMINAL_2,
            cash_register_id="other-till",
            amount=4200,
            currency="EUR",
            merchant_reference="other program",
        )
        self.account._driver().start(request)
        self.simulator.act("tap", request.terminal_id)
        self.wait_for(lambda: 4200 in [row["amount"] for row in self.simulator.charges()])
        return request

    def test_only_at_viva(self):
        self.at_viva_only()
        journal = self.compared(self.manager)
        finding = journal.difference_ids
        self.assertEqual((finding.kind, finding.session), ("only_viva", "foreign-1"))
        self.assertEqual(
            (finding.odoo_amount, finding.viva_amount, finding.difference), (0, 42, 42)
        )
        self.assertEqual(finding.reference, "other program")
        self.assertEqual(finding.terminal, self.terminal_2.display_name)
        self.assertIn("Not started by this Odoo", finding.words)
        self.assertFalse(finding.transaction_id)
        self.assertFalse(finding.action_open())
        self.assertEqual(journal.difference_count, 1)
        # Of a terminal that was not chosen only the number is told.
        journal = self.compared(terminal_ids=[Command.set(self.terminal.ids)])
        self.assertFalse(journal.difference_ids)
        self.assertIn("1 successes", journal.notes)

    def test_charged_what_odoo_calls_declined(self):
        _order, sale = self.paid()
        self.amend(sale.attempt, state="declined", approved_amount=0)
        finding = self.compared().difference_ids
        self.assertEqual((finding.kind, finding.transaction_id), ("only_viva", sale))
        self.assertEqual((finding.odoo_amount, finding.viva_amount), (0, 19.99))
        self.assertIn("did not succeed", finding.words)

    def test_only_in_odoo(self):
        _order, sale = self.paid()
        self.simulator.reset()
        journal = self.compared()
        finding = journal.difference_ids
        self.assertEqual((finding.kind, finding.transaction_id), ("only_odoo", sale))
        self.assertEqual((finding.odoo_amount, finding.difference), (19.99, -19.99))
        self.assertEqual(finding.session, sale.session_id)
        self.assertIn(sale.merchant_reference, finding.reference)

    def test_amount_differs(self):
        _order, sale = self.paid()
        self.amend(sale.attempt, approved_amount=18.99)
        finding = self.compared().difference_ids
        self.assertEqual((finding.kind, finding.transaction_id), ("amount", sale))
        self.assertEqual((finding.odoo_amount, finding.viva_amount), (18.99, 19.99))
        self.assertEqual(finding.difference, 1)

    def test_differences_before_doubts(self):
        request, _status = self.charge()
        self.amend(request["attempt"], state="unknown", reason="no_end", holds_terminal=False)
        self.simulator.act("tap")
        self.wait_for(self.simulator.charges)
        self.at_viva_only()
        journal = self.compared()
        self.assertEqual(self.kinds(journal), ["only_viva", "unknown"])
        self.assertEqual(journal.difference_ids[1].viva_amount, 19.99)

    def test_sessions_of_other_days_are_theirs(self):
        _order, sale = self.paid()
        self.amend(sale.attempt, sent_at=fields.Datetime.now() - timedelta(days=40))
        self.assertFalse(self.compared().difference_ids)

    def test_operations_without_a_terminal_are_named(self):
        _order, sale = self.paid()
        wizard = self.dialog(sale, self.manager, via="api")
        self.run_dialog(wizard)
        journal = self.compared()
        self.assertFalse(journal.difference_ids)
        self.assertIn("without a terminal", journal.notes)

    def test_viva_is_silent(self):
        self.paid()
        self.simulator.control("POST", "faults", {"list_status": [503] * 5})
        journal = self.compared()
        self.assertEqual(journal.comparison, "not_compared")
        self.assertIn("does not answer", journal.notes)
        self.assertIn(self.account.name, journal.notes)
        self.assertEqual(self.rows(journal.line_ids), [("sale", 1, 19.99)])
        self.assertIn("NOT compared", self.html(journal))

    def test_why_it_is_not_compared(self):
        self.paid()
        for faults, word in (
            ({"list_status": [403]}, "does not allow"),
            ({"list_status": [{"status": 200, "body": {"odd": 1}}]}, "not understood"),
        ):
            with self.subTest(word=word):
                self.simulator.control("POST", "faults", faults)
                journal = self.compared()
                self.assertEqual(journal.comparison, "not_compared")
                self.assertIn(word, journal.notes)
        self.account.client_secret = False
        self.assertIn("no credentials", self.compared().notes)
        self.account.database_uuid = "another"
        self.assertIn("copy", self.compared().notes)

    def html(self, journal):
        reports = self.env["ir.actions.report"].with_user(journal.env.user)
        content, _kind = reports._render_qweb_html("viva_payments.report_viva_journal", journal.ids)
        return content.decode()

    def test_print(self):
        self.paid()
        self.at_viva_only()
        for user in (self.accountant, self.manager):
            with self.subTest(user=user.login):
                journal = self.compared(user)
                action = journal.action_print()
                self.assertEqual(action["report_name"], "viva_payments.report_viva_journal")
                html = self.html(journal)
                for text in ("Only at Viva", "foreign-1", "42.00", "19.99", "DEMO"):
                    self.assertIn(text, html)
                self.assertLess(html.index("Only at Viva"), html.index("By terminal"))


class TestWho(JournalCase):
    def test_screen_opens_for_those_who_may(self):
        self.paid()
        for user in (self.manager, self.accountant):
            with self.subTest(user=user.login):
                journal = self.compared(user)
                form = Form(journal)
                self.assertEqual(form.comparison, "compared")

    def test_cashier_and_refunder_do_not(self):
        for user in (self.cashier, self.refunder):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self.journal(user)

    def test_another_company_sees_nothing(self):
        self.paid()
        journal = self.journal(self.stranger)
        self.assertEqual(journal.company_id, self.other_company)
        before = self.requests_to_viva()
        journal.action_compare()
        self.assertEqual(self.requests_to_viva(), before)
        self.assertFalse(journal.line_ids or journal.difference_ids)
        with self.assertRaises(AccessError):
            self.journal().with_user(self.stranger).read(["day"])
        # Forging the company or the terminals does not help.
        for forged in (
            {"terminal_ids": [Command.set(self.terminal.ids)]},
            {"company_id": self.company.id},
        ):
            with self.subTest(forged=forged), self.assertRaises(AccessError):
                journal.write(forged)
                journal.action_compare()
        self.assertEqual(self.requests_to_viva(), before)

    def test_one_does_not_read_the_journal_of_another(self):
        journal = self.journal(self.manager)
        with self.assertRaises(AccessError):
            journal.with_user(self.accountant).line_ids.mapped("amount")
        with self.assertRaises(AccessError):
            journal.with_user(self.accountant).action_compare()
