"""Where card payments are shown: on invoices, payments, customers, journals and the dashboard; once, and added up rightly."""

import json
from datetime import timedelta

from odoo import Command, fields
from odoo.exceptions import AccessError
from odoo.tests import Form, new_test_user

from .test_booking import BookingCase


class ViewsCase(BookingCase):
    def shown(self, record, by=None):
        """The ledger's records behind the smart button of a record, as a user sees them."""
        record = record.with_user(by or self.biller)
        action = record.action_view_viva_transactions()
        ledger = self.env["viva.transaction"].with_user(by or self.biller)
        if action.get("res_id"):
            self.assertEqual(action["views"], [(False, "form")])
            found = ledger.browse(action["res_id"])
        else:
            found = ledger.search(action["domain"])
        self.assertEqual(len(found), record.viva_transaction_count)
        return found.sudo()

    def figures(self, journal=None, by=None):
        journal = (journal or self.journal).with_user(by or self.accountant)
        journal.invalidate_recordset(["kanban_dashboard"])
        return json.loads(journal.kanban_dashboard).get("viva")


class TestSmartButtons(ViewsCase):
    def test_invoice_payment_and_customer(self):
        invoice = self.make_invoice(100)
        self.assertEqual(invoice.with_user(self.biller).viva_transaction_count, 0)
        booking, _status = self.charge_invoices(invoice)
        self.env.invalidate_all()
        for record in (invoice, booking.payment_id, self.customer):
            with self.subTest(record=record):
                self.assertEqual(self.shown(record), booking.transaction_id)
        other = self.env["res.partner"].create({"name": "Somebody else"})
        self.assertFalse(self.shown(other))

    def test_contact_counts_for_its_company(self):
        company = self.env["res.partner"].create({"name": "Bicycles Ltd", "is_company": True})
        contact = self.env["res.partner"].create({"name": "Nikos", "parent_id": company.id})
        invoice = self.make_invoice(100, partner=contact)
        booking, _status = self.charge_invoices(invoice, partner=contact)
        self.assertEqual(self.shown(company), booking.transaction_id)
        found = self.env["viva.transaction"].search([("partner_id", "ilike", "Nikos")])
        self.assertEqual(found, booking.transaction_id)
        self.assertEqual(booking.transaction_id.partner_id, contact)

    def test_several_invoices_and_attempts(self):
        first, second = self.make_invoice(60), self.make_invoice(40)
        declined, _status = self.charge_invoices(first | second, action="decline")
        booking, _status = self.charge_invoices(first | second)
        both = declined.transaction_id | booking.transaction_id
        for invoice in first | second:
            self.assertEqual(self.shown(invoice), both)
        action = first.with_user(self.biller).action_view_viva_transactions()
        self.assertEqual(action["res_model"], "viva.transaction")
        self.assertEqual(set(action["domain"][0][2]), set(both.ids))
        self.assertEqual(booking.with_user(self.biller).move_count, 2)
        action = booking.with_user(self.biller).action_view_invoices()
        self.assertEqual(action["domain"], [("id", "in", (first | second).ids)])

    def test_claimed_invoice_says_so(self):
        invoice = self.make_invoice(100)
        booking = self.prepare(invoices=invoice)
        self.assertFalse(invoice.with_user(self.biller_2).viva_notice)
        self.start_booking(booking)
        seen = invoice.with_user(self.biller_2)
        self.assertIn(self.biller.name, seen.viva_notice)
        self.assertEqual(seen.action_view_viva_booking()["params"], {"attempt": booking.attempt})
        self.simulator.act("tap")
        self.check_booking(booking, "approved")
        self.env.invalidate_all()
        self.assertFalse(seen.viva_notice)
        self.assertEqual(seen.action_view_viva_booking()["tag"], "soft_reload")

    def test_screens_open_for_who_bills(self):
        """The forms with our buttons and notices, with the rights of a billing user only."""
        invoice = self.make_invoice(100)
        booking, _status = self.charge_invoices(invoice)
        for record in (invoice, booking.payment_id, self.customer, self.journal):
            with self.subTest(model=record._name):
                Form(record.with_user(self.biller))
        for model, view in (
            ("viva.booking", "form"),
            ("viva.booking", "list"),
            ("viva.booking", "kanban"),
            ("viva.booking", "search"),
            ("viva.transaction", "pivot"),
            ("viva.transaction", "graph"),
            ("viva.transaction", "list"),
            ("viva.transaction", "form"),
            ("viva.transaction", "search"),
            ("viva.hold", "list"),
        ):
            for user in (self.biller, self.accountant):
                self.env[model].with_user(user).get_view(view_type=view)


class TestPosInvoice(ViewsCase):
    def invoiced(self, **values):
        order, sale = self.sell()
        self.validate(order, sale)
        order.partner_id = self.customer
        order.action_pos_order_invoice()
        self.env.invalidate_all()
        return order, sale, order.account_move

    def test_payment_of_the_till_is_shown_once(self):
        order, sale, invoice = self.invoiced()
        transaction = self.transaction(sale["attempt"])
        self.assertEqual(self.shown(invoice), transaction)
        self.assertEqual(self.shown(self.customer), transaction)
        self.assertEqual(order.viva_transaction_ids, transaction)
        self.assertEqual(invoice.amount_residual, 0)
        widget = invoice.with_user(self.biller).invoice_payments_widget["content"]
        self.assertEqual([line["amount"] for line in widget], [19.99])
        self.assertFalse(invoice.with_user(self.biller).payment_count)
        self.assertFalse(transaction.booking_id)

    def test_rest_of_the_invoice_is_charged_in_the_office(self):
        """Two card payments of one invoice, one of the till and one of the office: each once."""
        _order, sale, invoice = self.invoiced()
        till = self.transaction(sale["attempt"])
        other = self.make_invoice(50)
        booking, _status = self.charge_invoices(other)
        # The same booking pays for the POS invoice, too: e.g. after it was matched otherwise.
        self.env.cr.execute(
            "INSERT INTO viva_booking_line (booking_id, move_id) VALUES (%s, %s)",
            [booking.id, invoice.id],
        )
        self.env.invalidate_all()
        self.assertEqual(self.shown(invoice), till | booking.transaction_id)
        self.assertEqual(self.shown(self.customer), till | booking.transaction_id)

    def test_refund_of_the_till_belongs_to_its_own_credit_note(self):
        order, sale, invoice = self.invoiced()
        self.clear(sale)
        refund = self.refund_order(order)
        values = {"parent_attempt": sale["attempt"], "by": self.manager}
        back, _status = self.start("refund", refund, 1999, **values)
        self.check_until(back["attempt"], "approved")
        self.env.invalidate_all()
        both = self.transaction(sale["attempt"]) | self.transaction(back["attempt"])
        self.assertEqual(order.viva_transaction_ids, self.transaction(sale["attempt"]))
        self.assertEqual(refund.viva_transaction_ids, self.transaction(back["attempt"]))
        # On the invoice it is seen that the money went back.
        self.assertEqual(self.shown(invoice), both)
        self.assertEqual(sum(both.mapped("signed_amount")), 0)

    def test_order_shows_what_the_office_gave_back(self):
        order, sale, _invoice = self.invoiced()
        self.clear(sale)
        parent = self.transaction(sale["attempt"])
        credit = self.make_invoice(19.99, move_type="out_refund")
        booking = self.prepare("refund", invoices=credit, parent=parent)
        self.start_booking(booking)
        status = self.check_booking(booking, "approved")
        self.assertEqual(status["booking"]["state"], "booked", status)
        self.env.invalidate_all()
        self.assertEqual(order.viva_transaction_ids, parent | booking.transaction_id)
        action = order.with_user(self.manager).action_view_viva_transactions()
        found = self.env["viva.transaction"].search(action["domain"])
        self.assertEqual(found, parent | booking.transaction_id)
        self.assertEqual(self.shown(credit), booking.transaction_id)

    def test_payment_of_a_closed_session(self):
        order, sale = self.sell()
        self.validate(order, sale)
        self.session.action_pos_session_closing_control()
        payment = self.env["account.payment"].search([("pos_session_id", "=", self.session.id)])
        self.assertEqual(self.shown(payment), self.transaction(sale["attempt"]))


class TestFigures(ViewsCase):
    def test_signs(self):
        order, sale = self.sell()
        self.validate(order, sale)
        declined, _status = self.charge()
        self.simulator.act("decline")
        self.check_until(declined["attempt"], "declined")
        hold, _status = self.start("preauth", None, 5000, reference="Deposit")
        self.simulator.act("tap")
        self.check_until(hold["attempt"], "approved")
        self.clear(sale)
        refund = self.refund_order(order)
        values = {"parent_attempt": sale["attempt"], "by": self.manager}
        back, _status = self.start("refund", refund, 500, **values)
        self.check_until(back["attempt"], "approved")
        self.env.flush_all()
        self.env.invalidate_all()
        expected = ((sale, 19.99), (declined, 0), (hold, 0), (back, -5))
        for request, amount in expected:
            transaction = self.transaction(request["attempt"])
            with self.subTest(operation=transaction.operation, state=transaction.state):
                self.assertEqual(transaction.signed_amount, amount)
                self.assertEqual(transaction.journal_id, self.journal)
        ((total,),) = self.env["viva.transaction"]._read_group(
            [("company_id", "=", self.company.id)], [], ["signed_amount:sum"]
        )
        self.assertEqual(total, 14.99)

    def test_what_does_not_count(self):
        _order, sale = self.sell()
        transaction = self.amend(sale["attempt"], is_contradicted=True, is_forced=False)
        self.assertEqual(transaction.signed_amount, 0)
        transaction = self.amend(
            sale["attempt"], is_forced=True, tip_amount=1, surcharge_amount=0.5
        )
        figures = (transaction.signed_amount, transaction.signed_tip, transaction.signed_surcharge)
        self.assertEqual(figures, (19.99, 1, 0.5))

    def test_hold_that_is_let_go_gives_nothing_back(self):
        hold, _status = self.start("preauth", None, 5000, reference="Deposit")
        self.simulator.act("tap")
        self.check_until(hold["attempt"], "approved")
        release, _status = self.start(
            "release", None, 5000, parent_attempt=hold["attempt"], by=self.manager
        )
        self.check_until(release["attempt"], "approved")
        self.env.invalidate_all()
        for request in (hold, release):
            self.assertEqual(self.transaction(request["attempt"]).signed_amount, 0)

    def test_journal_of_what_is_past_stays(self):
        _order, sale = self.sell()
        other = self.journal.copy()
        self.session.sudo().state = "closed"
        self.method.journal_id = other
        self.env.flush_all()
        self.assertEqual(self.transaction(sale["attempt"]).journal_id, self.journal)

    def test_rows_of_an_older_version_are_computed(self):
        """What an upgrade does with a new stored field, here by hand."""
        _order, sale = self.sell()
        self.env.flush_all()
        names = ("signed_amount", "signed_tip", "signed_surcharge", "journal_id")
        self.env.cr.execute(
            "UPDATE viva_transaction SET signed_amount = NULL, signed_tip = NULL, signed_surcharge = NULL, "
            "journal_id = NULL"
        )
        self.env.invalidate_all()
        ledger = self.env["viva.transaction"]
        for name in names:
            self.env.add_to_compute(ledger._fields[name], ledger.search([]))
        self.env.flush_all()
        self.env.invalidate_all()
        transaction = self.transaction(sale["attempt"])
        self.assertEqual((transaction.signed_amount, transaction.journal_id), (19.99, self.journal))


class TestDashboard(ViewsCase):
    def list_behind(self, figure, by=None):
        journal = self.journal.with_user(by or self.accountant)
        action = journal.with_context(viva_figure=figure).action_viva_figure()
        return (
            self.env[action["res_model"]].with_user(by or self.accountant).search(action["domain"])
        )

    def test_figures_and_their_lists(self):
        self.assertEqual(self.figures()["open"], 0)
        order, sale = self.sell()
        self.validate(order, sale)
        booking, _status = self.charge_invoices(self.make_invoice(100))
        request, _status = self.charge()
        figures = self.figures()
        self.assertEqual((figures["open"], figures["unknown"], figures["to_post"]), (1, 0, 0))
        self.assertIn("119.99", figures["today"])
        self.assertEqual(self.list_behind("open"), self.transaction(request["attempt"]))
        self.assertEqual(
            self.list_behind("today"),
            booking.transaction_id | self.transaction(sale["attempt"]),
        )
        self.amend(request["attempt"], state="unknown", reason="no_end")
        figures = self.figures()
        self.assertEqual((figures["open"], figures["unknown"]), (0, 1))
        self.assertEqual(self.list_behind("unknown"), self.transaction(request["attempt"]))

    def test_yesterday_is_not_today(self):
        _order, sale = self.sell()
        self.amend(sale["attempt"], sent_at=fields.Datetime.now() - timedelta(days=1, hours=1))
        self.assertNotIn("19.99", self.figures()["today"])

    def test_to_post(self):
        invoice = self.make_invoice(100)
        booking = self.prepare(invoices=invoice)
        self.start_booking(booking)
        self.env.cr.execute("DELETE FROM account_payment WHERE id = %s", [booking.payment_id.id])
        self.env.invalidate_all()
        self.simulator.act("tap")
        self.check_booking(booking, "approved")
        self.assertEqual(self.figures()["to_post"], 1)
        self.assertEqual(self.list_behind("to_post"), booking)
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "viva_payments.action_viva_booking_to_post"
        )
        self.assertIn("to_post", str(action["domain"]))
        seen = invoice.with_user(self.biller_2)
        self.assertIn("not in the books", seen.viva_notice)
        self.assertEqual(seen.action_view_viva_booking()["res_id"], booking.id)

    def test_holds_that_lapse(self):
        hold, _status = self.start("preauth", None, 5000, reference="Deposit")
        self.simulator.act("tap")
        self.check_until(hold["attempt"], "approved")
        self.assertEqual(self.figures()["holds"], 0)
        record = self.transaction(hold["attempt"]).hold_id
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE viva_hold SET expires_on = %s WHERE id = %s", [fields.Date.today(), record.id]
        )
        self.env.invalidate_all()
        self.assertEqual(self.figures()["holds"], 1)
        self.assertEqual(self.list_behind("holds"), record)

    def test_hidden_without_viva(self):
        other = self.journal.copy()
        self.assertIsNone(self.figures(other))
        self.assertIsNone(self.figures(self.company_data["default_journal_cash"]))
        self.assertIsNone(self.figures(self.company_data["default_journal_sale"]))
        self.assertTrue(self.figures())

    def test_rights_and_companies(self):
        order, sale = self.sell()
        self.validate(order, sale)
        company = self.env["res.company"].create({"name": "Elsewhere"})
        stranger = new_test_user(
            self.env,
            "viva_elsewhere",
            groups="base.group_user,account.group_account_user",
            company_id=company.id,
            company_ids=[Command.set((company | self.company).ids)],
        )
        # Who works in the other company at the moment sees nothing of this one.
        journal = self.journal.with_user(stranger).with_context(allowed_company_ids=company.ids)
        with self.assertRaises(AccessError):
            journal.mapped("kanban_dashboard")
        action = self.journal.with_context(viva_figure="today").action_viva_figure()
        ledger = self.env["viva.transaction"].with_user(stranger)
        ledger = ledger.with_context(allowed_company_ids=company.ids)
        self.assertFalse(ledger.search(action["domain"]))
        plain = new_test_user(self.env, "viva_plain", groups="base.group_user")
        self.assertEqual(self.journal.with_user(plain)._viva_figures(), {})

    def test_queries_do_not_grow_with_the_journals(self):
        journals = self.journal
        self.method.copy()
        for _number in range(5):
            journal = self.journal.copy()
            journals |= journal
            self.method.copy({"journal_id": journal.id, "use_payment_terminal": "viva"})
        self.env.flush_all()

        def queries(records):
            self.env.invalidate_all()
            records = records.with_user(self.accountant)
            records.mapped("currency_id")
            records.company_id.mapped("name")
            before = self.cr.sql_log_count
            found = records._viva_figures()
            self.assertEqual(len(found), len(records))
            return self.cr.sql_log_count - before

        queries(self.journal)
        one, six = queries(self.journal), queries(journals)
        self.assertLessEqual(six, one + 1)
        self.assertLess(six, 20)
