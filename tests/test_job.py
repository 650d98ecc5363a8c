"""The scheduled job: it settles what nobody is waiting for any more, and starts nothing."""

from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tools import mute_logger

from ..models.viva_transaction_record import TERMINAL_FREE_AFTER_ABORT
from ..models.viva_transaction_settle import AFTER_ABORT, DEADLINE, MISSING_AFTER
from .common import VivaCase


class TestJob(VivaCase):
    def ago(self, **span):
        return fields.Datetime.now() - timedelta(**span)

    def faults(self, **faults):
        self.simulator.control("POST", "faults", faults)

    def sales(self):
        """Requests that would start something at a terminal."""
        return len(self.simulator.control("GET", "requests?path=/ecr/v1/transactions"))

    def job_until(self, attempt, *states):
        self.wait_for(lambda: self.run_job() or self.transaction(attempt).state in states)
        return self.transaction(attempt)

    # -- settling ----------------------------------------------------------------------------------

    def test_by_the_session(self):
        self.faults(drop_sale_response=1)
        request, status = self.charge()
        self.assertEqual(status["state"], "unknown")
        self.simulator.act("tap")
        self.wait_for(self.simulator.charges)
        sales = self.sales()
        transaction = self.job_until(request["attempt"], "approved")
        self.assertEqual(transaction.approved_amount, 19.99)
        self.assertFalse(transaction.holds_terminal)
        self.assertEqual(self.sales(), sales, "the job starts nothing")
        self.assertEqual(len(self.simulator.charges()), 1)
        self.assertEqual(self.violations(), [])

    def test_by_the_list_of_the_day(self):
        """Viva has forgotten the session, its list has not."""
        request, _status = self.charge()
        self.simulator.act("tap")
        self.wait_for(self.simulator.charges)
        self.faults(session_status=[404] * 20)
        self.assertEqual(self.check(request["attempt"])["state"], "pending", "the till asks short")
        transaction = self.job_until(request["attempt"], "approved")
        self.assertEqual(
            transaction.viva_transaction_id, self.simulator.charges()[0]["transactionId"]
        )

    def _at_midnight(self, offset_s):
        """Charge when it is midnight + `offset_s` at Viva, while Odoo's clock differs by some minutes."""
        now = fields.Datetime.now()
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0)
        self.simulator.control(
            "POST", "clock", {"advance_s": (midnight - now).total_seconds() + offset_s}
        )
        request, _status = self.charge()
        self.simulator.act("tap")
        self.wait_for(self.simulator.charges)
        self.faults(session_status=[404] * 20)
        return request["attempt"], midnight

    def test_neighbouring_days(self):
        """The lists of the UTC days around the sending, on both sides of midnight."""
        for offset, apart in ((-60, 300), (60, -300)):
            with self.subTest(offset=offset):
                self.simulator.reset()
                attempt, midnight = self._at_midnight(offset)
                self.amend(attempt, sent_at=midnight + timedelta(seconds=offset + apart))
                self.assertEqual(
                    self.transaction(attempt).sent_at.date() == midnight.date(), apart > 0
                )
                with self._no_age():
                    self.assertEqual(self.job_until(attempt, "approved").state, "approved")

    def test_day_of_the_sending_not_of_the_job(self):
        """Settled two days later, it is still the sending's own day that is read."""
        request, _status = self.charge()
        self.simulator.act("tap")
        self.wait_for(self.simulator.charges)
        self.simulator.control("POST", "clock", {"advance_s": 2 * 24 * 3600})
        self.faults(session_status=[404] * 20)
        self.assertEqual(self.job_until(request["attempt"], "approved").state, "approved")

    def _no_age(self):
        """The simulator's clock runs ahead of Odoo's: ages are not what is tested."""
        return patch.object(type(self.env["viva.transaction"]), "_age", lambda record: 1)

    def test_retried_card_is_found_in_the_list(self):
        """No answer to the sale, "cancelled" in the session, paid on the second try."""
        self.faults(drop_sale_response=1)
        request, status = self.charge()
        self.assertEqual(status["state"], "unknown")
        self.simulator.act("retry_paid", delay_ms=10)
        self.wait_for(self.simulator.charges)
        self.assertEqual(self.job_until(request["attempt"], "approved").state, "approved")

    # -- no end ------------------------------------------------------------------------------------

    def test_never_arrived(self):
        self.faults(drop_sale_request=1)
        request, status = self.charge()
        self.assertEqual((status["state"], status["reason"]), ("unknown", "no_answer"))
        self.run_job()
        self.assertEqual(self.transaction(request["attempt"]).state, "unknown", "not that soon")
        self.amend(request["attempt"], sent_at=self.ago(seconds=MISSING_AFTER + 1))
        self.run_job()
        transaction = self.transaction(request["attempt"])
        self.assertEqual((transaction.state, transaction.reason), ("failed", "never_arrived"))
        self.assertFalse(transaction.holds_terminal)
        self.assertIn("Nothing was charged", transaction.message)

    def test_odoo_died_between_recording_and_sending(self):
        with patch.object(type(self.env["viva.transaction"]), "_send", return_value=None):
            request, status = self.charge()
        self.assertEqual(status["state"], "sent")
        self.run_job()
        self.assertEqual(self.transaction(request["attempt"]).state, "sent")
        self.amend(request["attempt"], sent_at=self.ago(seconds=MISSING_AFTER + 1))
        self.run_job()
        self.assertEqual(self.transaction(request["attempt"]).reason, "never_arrived")
        self.assertEqual(self.sales(), 0)

    def test_lost_session(self):
        """Viva had accepted it and does not know it any more: that is no answer."""
        request, _status = self.charge()
        self.faults(session_status=[404] * 20)
        self.run_job()
        self.assertEqual(self.transaction(request["attempt"]).state, "pending")
        self.amend(request["attempt"], sent_at=self.ago(seconds=MISSING_AFTER + 1))
        self.run_job()
        transaction = self.transaction(request["attempt"])
        self.assertEqual((transaction.state, transaction.reason), ("unknown", "session_lost"))
        self.assertIn("Do not charge the card again", transaction.message)

    def test_request_without_end(self):
        """202 for ever: asked to cancel, then unknown; the terminal comes free, the order does not."""
        self.simulator.act("unplug")
        order = self.make_order()
        request, _status = self.charge(order)
        attempt = request["attempt"]
        self.run_job()
        self.assertFalse(self.transaction(attempt).abort_asked_at)
        self.amend(attempt, sent_at=self.ago(seconds=DEADLINE + 1))
        self.run_job()
        transaction = self.transaction(attempt)
        self.assertTrue(transaction.abort_asked_at)
        self.assertEqual(transaction.state, "pending", "the abort is only a hope")
        self.amend(attempt, abort_asked_at=self.ago(seconds=AFTER_ABORT + 1))
        self.run_job()
        transaction = self.transaction(attempt)
        self.assertEqual((transaction.state, transaction.reason), ("unknown", "no_end"))
        self.assertTrue(transaction.holds_terminal)
        _request, status = self.charge()
        self.assertEqual(status["reason"], "terminal_busy")
        self.amend(attempt, abort_asked_at=self.ago(seconds=TERMINAL_FREE_AFTER_ABORT + 1))
        self.run_job()
        self.assertFalse(self.transaction(attempt).holds_terminal)
        self.assertEqual(self.transaction(attempt).state, "unknown")
        _request, status = self.charge(order, terminal_id=self.terminal_2.id)
        self.assertEqual(status["reason"], "order_open", "the order stays blocked")
        self.simulator.act("plug")
        _request, status = self.charge()
        self.assertIn(status["state"], ("pending", "failed"), status["message"])

    def test_unknown_is_asked_to_end(self):
        """What became unknown without an abort holds its terminal: the job asks to cancel it."""
        self.faults(drop_sale_response=1)
        request, _status = self.charge()
        self.faults(session_status=[500] * 50)
        self.amend(request["attempt"], sent_at=self.ago(seconds=DEADLINE + 1))
        self.run_job()
        self.assertTrue(self.transaction(request["attempt"]).abort_asked_at)
        aborts = self.transaction(request["attempt"]).step_ids.filtered(
            lambda step: step.kind == "abort"
        )
        self.run_job()
        again = self.transaction(request["attempt"]).step_ids.filtered(
            lambda step: step.kind == "abort"
        )
        self.assertEqual(again, aborts, "asked once")

    # -- telling people ----------------------------------------------------------------------------

    def test_alarm_after_a_quarter_of_an_hour(self):
        self.faults(drop_sale_response=1)
        request, _status = self.charge()
        self.faults(session_status=[500] * 50, list_status=[500] * 50)
        attempt = request["attempt"]
        self.account.responsible_id = self.manager
        self.amend(attempt, sent_at=self.ago(minutes=14))
        self.run_job()
        self.assertFalse(self.transaction(attempt).activity_ids)
        self.amend(attempt, sent_at=self.ago(minutes=16))
        self.run_job()
        activity = self.transaction(attempt).activity_ids
        self.assertEqual(len(activity), 1)
        self.assertEqual(activity.user_id, self.manager)
        self.assertEqual(activity.summary, "Card payment unknown")
        self.assertIn(self.transaction(attempt).merchant_reference, activity.note)
        self.run_job()
        self.assertEqual(self.transaction(attempt).activity_ids, activity, "once")
        activity.with_user(self.manager).action_feedback(feedback="seen")
        self.run_job()
        self.assertFalse(self.transaction(attempt).activity_ids, "and not again when it was done")

    # -- nothing stops it --------------------------------------------------------------------------

    def test_one_failure_does_not_stop_the_others(self):
        self.charge()
        self.charge(terminal_id=self.terminal_2.id)
        self.simulator.act("tap")
        self.simulator.act("tap", "16000011")
        self.wait_for(lambda: len(self.simulator.charges()) == 2)
        transactions = type(self.env["viva.transaction"])
        check_one, due = transactions._check_one, self.env["viva.transaction"]._due_ids()
        broken, other = self.env["viva.transaction"].browse(due)

        def fail_for_one(record, transaction_id, thorough):
            if transaction_id == broken.id:
                record.env.cr.execute("SELECT 1 / 0")
            return check_one(record, transaction_id, thorough)

        with (
            patch.object(transactions, "_check_one", fail_for_one),
            mute_logger("odoo.sql_db", "odoo.addons.viva_payments.models.viva_transaction_job"),
        ):
            self.job_until(other.attempt, "approved")
        self.assertEqual(self.transaction(broken.attempt).state, "pending")
        self.assertEqual(self.job_until(broken.attempt, "approved").state, "approved")

    def test_one_bad_event_does_not_stop_the_others(self):
        request, _status = self.charge()
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        sale = self.transaction(request["attempt"])
        for number in range(3):
            self.env["viva.event"]._receive(
                self.account,
                {
                    "MessageId": f"m{number}",
                    "EventTypeId": 1797,
                    "RecipientId": self.account.merchant_id,
                    "EventData": {
                        "ParentId": sale.viva_transaction_id,
                        "TransactionId": f"r{number}",
                        "Amount": -1.0,
                    },
                },
            )
        events = type(self.env["viva.event"])
        reversed_minor = events._reversed_minor

        def fail_for_one(data, parent):
            if data["TransactionId"] == "r1":
                parent.env.cr.execute("SELECT 1 / 0")
            return reversed_minor(data, parent)

        with (
            patch.object(events, "_reversed_minor", staticmethod(fail_for_one)),
            mute_logger("odoo.sql_db", "odoo.addons.viva_payments.models.viva_event"),
        ):
            self.run_job()
        self.assertEqual(sorted(sale.child_ids.mapped("viva_transaction_id")), ["r0", "r2"])
        self.run_job()
        self.assertEqual(len(sale.child_ids), 3)

    def test_silent_viva_is_left_alone(self):
        request, _status = self.charge()
        connection = self.env["viva.connection"]._store(self.account)
        for _call in range(3):
            connection.unheard()
        before = self.requests_to_viva()
        self.run_job()
        self.assertEqual(self.requests_to_viva(), before)
        self.assertTrue(self.check(request["attempt"])["silent"])
        _request, status = self.charge(terminal_id=self.terminal_2.id)
        self.assertEqual((status["state"], status["reason"]), ("refused", "silent"))
        connection.heard()
        self.simulator.act("tap")
        self.assertEqual(self.job_until(request["attempt"], "approved").state, "approved")

    # -- a copied database -------------------------------------------------------------------------

    def test_copied_database(self):
        """In a copy nothing is charged and Viva is not even asked, until an administrator confirms."""
        request, _status = self.charge()
        order = self.make_order()
        self.env["ir.config_parameter"].set_param("database.uuid", "a-copy")
        self.env.invalidate_all()
        before = self.requests_to_viva()
        self.run_job()
        self.assertEqual(self.check(request["attempt"])["state"], "pending")
        _request, status = self.charge(order, terminal_id=self.terminal_2.id)
        self.assertEqual((status["state"], status["reason"]), ("refused", "terminal"))
        self.assertIn("copy of the database", status["message"])
        self.ledger.pos_abort(request["attempt"])
        self.assertEqual(self.requests_to_viva(), before, "Viva has not heard from the copy")
        self.account.action_confirm_database()
        self.env.invalidate_all()
        _request, status = self.charge(order, terminal_id=self.terminal_2.id)
        self.assertEqual(status["state"], "pending", status["message"])
        self.assertGreater(self.requests_to_viva(), before)
