"""What a tab may ask, and what it is told when it asks nonsense. Nothing wrong is ever recorded or sent."""

import uuid
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from ..drivers import to_minor
from ..models.ledger import MACHINE
from .common import VivaCase

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
NONSENSE = (
    None, True, False, 0, 1, -1, 1.5, 19.99, float("nan"), 2**31, 10**30, "", "1", "x" * 5000, "\0", "\ud800",
    "a b", "%", "' OR 1=1 --", [], [1], {}, {"a": 1}, b"bytes",
)  # fmt: skip


class RpcCase(VivaCase):
    def setUp(self):
        super().setUp()
        self.count = self.env["viva.transaction"].search_count([])

    def assertNothingHappened(self):
        self.assertEqual(self.env["viva.transaction"].search_count([]), self.count)
        self.assertEqual(self.simulator.control("GET", "sessions"), [])
        self.assertEqual(self.violations(), [])

    def assertRefused(self, request, reason=None, ledger=None):
        """Refused in words, and nothing was recorded or sent; the Status."""
        status = (self.ledger if ledger is None else ledger).pos_start(request)
        self.assertEqual(status["state"], "refused", status)
        if reason:
            self.assertEqual(status["reason"], reason, status["message"])
        self.assertTrue(status["message"])
        self.assertTrue(status["final"])
        self.assertFalse(status["charged"])
        self.assertNothingHappened()
        return status


class TestRpc(RpcCase):
    # -- nonsense ----------------------------------------------------------------------------------

    def test_requests_of_any_type(self):
        for request in NONSENSE:
            with self.subTest(request=str(request)[:20]), self.assertRaises(UserError):
                self.ledger.pos_start(request)
        self.assertNothingHappened()

    def test_fields_of_any_type(self):
        """Each field with each wrong value: an error in words, or refused – never recorded."""
        sound = self.request(self.make_order())
        names = (
            "attempt",
            "payment_uuid",
            "order_uuid",
            "pos_session_id",
            "payment_method_id",
            "amount_minor",
        )
        for name in names:
            for value in NONSENSE:
                with self.subTest(name=name, value=str(value)[:20]):
                    if name == "amount_minor" and value == 1 and value is not True:
                        continue  # one cent is an amount
                    try:
                        status = self.ledger.pos_start({**sound, name: value})
                    except UserError as error:
                        self.assertIn("unreadable", str(error))
                    else:
                        self.assertEqual(status["state"], "refused", status)
            without = {key: value for key, value in sound.items() if key != name}
            with self.assertRaises(UserError):
                self.ledger.pos_start(without)
        self.assertNothingHappened()

    def test_terminals_of_any_type(self):
        sound = self.request(self.make_order())
        for value in NONSENSE:
            with self.subTest(value=str(value)[:20]):
                if value == self.terminal.id:
                    continue
                try:
                    status = self.ledger.pos_start({**sound, "terminal_id": value})
                except UserError:
                    continue
                self.assertEqual((status["state"], status["reason"]), ("refused", "terminal"))
        self.assertNothingHappened()

    @settings(
        max_examples=80,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    )
    @given(
        st.dictionaries(
            st.sampled_from(
                [
                    "attempt",
                    "payment_uuid",
                    "order_uuid",
                    "pos_session_id",
                    "payment_method_id",
                    "amount_minor",
                    "order_reference",
                    "terminal_id",
                    "state",
                    "operation",
                ]
            ),
            ANYTHING,
            min_size=1,
        )
    )
    def test_anything(self, values):
        request = {**self.request(self.env["pos.order"].new({"uuid": str(uuid.uuid4())})), **values}
        try:
            status = self.ledger.pos_start(request)
        except UserError:
            return
        self.assertEqual(status["state"], "refused")

    def test_lists_of_attempts(self):
        for method in (self.ledger.pos_check, self.ledger.pos_find):
            for values in (*NONSENSE, ["x" * 40] * 201):
                with self.subTest(method=method.__name__, values=str(values)[:20]):
                    try:
                        self.assertEqual(method(values), [])
                    except UserError as error:
                        self.assertIn("unreadable", str(error))
            self.assertEqual(
                method([None, 5, ["a"], {"a": 1}, "\0", "\ud800", str(uuid.uuid4())]), []
            )
        self.assertNothingHappened()

    def test_single_attempts(self):
        managers = self.env["viva.transaction"].with_user(self.manager)
        for value in (*NONSENSE, str(uuid.uuid4())):
            with self.subTest(value=str(value)[:20]):
                with self.assertRaises(UserError):
                    self.ledger.pos_abort(value)
                with self.assertRaises(UserError):
                    managers.pos_force(value, "the slip says so")
        self.assertNothingHappened()

    def test_what_the_tab_says_beyond_that_is_ignored(self):
        """State, reference, currency and account are the server's business."""
        order = self.make_order()
        request = self.request(
            order,
            state="approved",
            currency="GBP",
            merchant_reference="mine",
            account_id=99,
            cash_register_id="mine",
            session_id="mine",
            order_reference="\0 nonsense",
            approved_amount=1,
        )
        status = self.ledger.pos_start(request)
        self.assertEqual(status["state"], "pending", status["message"])
        transaction = self.transaction(request["attempt"])
        self.assertEqual((transaction.operation, transaction.currency_id.name), ("sale", "EUR"))
        self.assertEqual(transaction.order_reference, order.pos_reference)
        for name in ("merchant_reference", "cash_register_id", "session_id"):
            self.assertNotEqual(transaction[name], "mine")
        self.assertFalse(transaction.approved_amount)

    # -- what is refused ---------------------------------------------------------------------------

    def test_more_than_the_order(self):
        order = self.make_order(19.99)
        for amount in (2000, 199900, 2**31 - 1):
            self.assertRefused(self.request(order, amount), "amount")

    def test_more_than_is_left(self):
        order = self.make_order(30)
        first, _status = self.charge(order, 2000)
        self.simulator.act("tap")
        self.assertEqual(self.check_until(first["attempt"], "approved")["state"], "approved")
        _request, status = self.charge(order, 1001)
        self.assertEqual((status["state"], status["reason"]), ("refused", "already_paid"))
        self.assertEqual(status["blocking"]["attempt"], first["attempt"])
        second, status = self.charge(order, 1000)
        self.assertEqual(status["state"], "pending", status["message"])
        self.simulator.act("tap")
        self.assertEqual(self.check_until(second["attempt"], "approved")["state"], "approved")
        self.assertEqual([charge["amount"] for charge in self.simulator.charges()], [2000, 1000])

    def test_order_that_is_not_saved(self):
        request = self.request(self.make_order(), order_uuid=str(uuid.uuid4()))
        self.assertIn("not saved", self.assertRefused(request, "order")["message"])

    def test_order_that_is_paid_or_cancelled(self):
        for state in ("paid", "done", "cancel"):
            order = self.make_order()
            self.env.cr.execute("UPDATE pos_order SET state = %s WHERE id = %s", (state, order.id))
            self.env.invalidate_all()
            self.assertRefused(self.request(order), "order")

    def test_negative_order(self):
        order = self.make_order(-19.99)
        self.assertRefused(self.request(order, 1999), "amount")

    def test_session_that_is_not_open(self):
        for state in ("opening_control", "closing_control", "closed"):
            self.session.state = "opened"
            request = self.request(self.make_order())
            self.session.state = state
            self.assertRefused(request, "session")
        self.session.state = "opened"
        self.assertRefused(self.request(self.make_order(), pos_session_id=2**31 - 1), "session")

    def other_method(self, **values):
        return self.env["pos.payment.method"].create(
            {
                "name": "Other",
                "company_id": self.company.id,
                "journal_id": self.method.journal_id.copy({"code": "OTH"}).id,
                "payment_method_type": "terminal",
                "use_payment_terminal": "viva",
                **values,
            }
        )

    def test_method_of_another_till(self):
        other = self.other_method(viva_terminal_ids=[Command.set(self.terminal.ids)])
        self.assertRefused(self.request(self.make_order(), payment_method_id=other.id), "method")
        self.assertRefused(
            self.request(self.make_order(), payment_method_id=self.cash.id), "method"
        )

    def test_terminal_of_another_method(self):
        self.method.viva_terminal_ids = self.terminal
        self.assertRefused(
            self.request(self.make_order(), terminal_id=self.terminal_2.id), "terminal"
        )

    def test_terminal_has_to_be_chosen(self):
        for nothing in (0, None, False):
            self.assertRefused(self.request(self.make_order(), terminal_id=nothing), "terminal")
        self.method.viva_terminal_ids = False
        self.assertRefused(self.request(self.make_order(), terminal_id=0), "terminal")
        self.method.viva_terminal_ids = self.terminal_2
        _request, status = self.charge(terminal_id=0)
        self.assertEqual(status["terminal"]["id"], self.terminal_2.id)

    def test_archived_terminal(self):
        self.terminal.active = False
        self.assertRefused(self.request(self.make_order()), "terminal")

    def test_archived_account(self):
        self.account.active = False
        status = self.assertRefused(self.request(self.make_order()), "terminal")
        self.assertIn("archived", status["message"])

    def test_terminal_that_viva_calls_broken(self):
        for state in ("0", "2", "3", "4", "5", "6", "7"):
            self.terminal.status = state
            status = self.assertRefused(self.request(self.make_order()), "terminal")
            self.assertIn(self.terminal.display_name, status["message"])
        self.terminal.status = "1"
        _request, status = self.charge()
        self.assertEqual(status["state"], "pending")

    def test_account_without_credentials(self):
        self.account.client_secret = False
        status = self.assertRefused(self.request(self.make_order()), "terminal")
        self.assertIn("credentials", status["message"])

    def test_terminal_of_another_company(self):
        """Put there behind the ORM's back: the ledger looks for itself."""
        other = self.env["res.company"].create({"name": "Other"})
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE viva_terminal SET company_id = %s WHERE id = %s", (other.id, self.terminal.id)
        )
        self.env.invalidate_all()
        self.assertRefused(self.request(self.make_order()), "terminal")
        self.cashier.company_ids |= other
        both = self.ledger.with_context(allowed_company_ids=(self.company | other).ids)
        self.assertRefused(self.request(self.make_order()), "terminal", both)

    def test_silence_is_no_reason_to_forget_a_charge(self):
        """Asked again while Viva is silent, an attempt answers with what is known of it."""
        request, _status = self.charge()
        for _call in range(3):
            self.env["viva.connection"]._store(self.account).unheard()
        status = self.ledger.pos_start(request)
        self.assertEqual((status["state"], status["silent"]), ("pending", True))

    # -- who may -----------------------------------------------------------------------------------

    def other_users(self):
        for groups in (
            "base.group_public",
            "base.group_portal",
            "base.group_user",
            "stock.group_stock_manager",
        ):
            login = groups.replace(".", "_")
            yield login, new_test_user(
                self.env, login, groups=groups, company_id=self.company.id,
                company_ids=[Command.set(self.company.ids)],
            )  # fmt: skip

    def test_only_cashiers(self):
        order = self.make_order()
        request = self.request(order)
        known, _status = self.charge()
        count = self.env["viva.transaction"].search_count([])
        for login, user in self.other_users():
            ledger = self.env["viva.transaction"].with_user(user)
            for call in (
                lambda ledger=ledger: ledger.pos_start(request),
                lambda ledger=ledger: ledger.pos_check([known["attempt"]]),
                lambda ledger=ledger: ledger.pos_find([known["order_uuid"]]),
                lambda ledger=ledger: ledger.pos_abort(known["attempt"]),
                lambda ledger=ledger: ledger.pos_force(known["attempt"], "seen the slip"),
            ):
                with self.subTest(user=login), self.assertRaises(AccessError):
                    call()
        self.assertEqual(self.env["viva.transaction"].search_count([]), count)
        self.assertFalse(self.transaction(known["attempt"]).abort_asked_at)

    def test_cashier_of_another_company(self):
        known, _status = self.charge()
        other = self.env["res.company"].create({"name": "Other"})
        stranger = new_test_user(
            self.env, "stranger", groups="base.group_user,point_of_sale.group_pos_user",
            company_id=other.id, company_ids=[Command.set(other.ids)],
        )  # fmt: skip
        ledger = self.env["viva.transaction"].with_user(stranger)
        status = ledger.pos_start(self.request(self.make_order()))
        self.assertEqual((status["state"], status["reason"]), ("refused", "session"))
        self.assertEqual(ledger.pos_check([known["attempt"]]), [])
        self.assertEqual(ledger.pos_find([known["order_uuid"]]), [])
        with self.assertRaises(UserError):
            ledger.pos_abort(known["attempt"])
        # An attempt is told to nobody but its own company, not even when it is asked for again.
        status = ledger.pos_start(known)
        self.assertEqual(status["state"], "refused")
        self.assertFalse(self.transaction(known["attempt"]).abort_asked_at)

    def test_cashier_reads_no_secret(self):
        account = self.account.with_user(self.cashier)
        self.assertFalse(account.has_access("read"))
        for user in (self.cashier, self.manager):
            for name in ("client_secret", "api_key", "webhook_path", "webhook_key", "merchant_id"):
                with self.subTest(user=user.login, name=name), self.assertRaises(AccessError):
                    self.account.with_user(user).read([name])
            self.assertFalse(self.env["viva.connection"].with_user(user).has_access("read"))
        request, _status = self.charge()
        with self.assertRaises(AccessError):
            self.transaction(request["attempt"]).with_user(self.cashier).step_ids.read(["raw"])

    def test_whole_way_with_the_cashiers_rights(self):
        """Renewing the token included: nothing of it needs a right on anything of ours."""
        self.simulator.control("POST", "faults", {"expire_tokens": True})
        request, _status = self.charge()
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        transaction = self.transaction(request["attempt"])
        self.assertEqual(transaction.user_id, self.cashier)
        for record in (transaction, transaction.step_ids, self.terminal):
            for operation in ("write", "create", "unlink"):
                self.assertFalse(record.with_user(self.cashier).has_access(operation))

    def test_nobody_writes_the_ledger(self):
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"])
        step = transaction.step_ids[0]
        administrator = new_test_user(
            self.env, "viva_root", groups="base.group_system", company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )  # fmt: skip
        for env in (self.env(user=administrator), self.env(su=True)):
            for forged in (True, "MACHINE", {"viva": 1}, str(MACHINE), None):
                env = env(context={**env.context, "viva_machine": forged})
                record = transaction.with_env(env)
                for change in (
                    lambda record=record: record.write({"state": "approved"}),
                    lambda record=record: record.write({"approved_amount": 5, "message_ids": []}),
                    record.unlink,
                    record.copy,
                    lambda env=env: step.with_env(env).write({"note": "x"}),
                    lambda env=env: step.with_env(env).unlink(),
                    lambda record=record: record.step_ids.create(
                        {"transaction_id": record.id, "kind": "read"}
                    ),
                ):
                    with self.assertRaises(UserError), self.env.cr.savepoint():
                        change()
        self.assertEqual(self.transaction(request["attempt"]).state, "pending")


class TestMoney(RpcCase):
    """Minor units through the models, whatever a company's currency rounds to."""

    def use_currency(self, name, rounding=None):
        currency = (
            self.env["res.currency"].with_context(active_test=False).search([("name", "=", name)])
        )
        if not currency:
            currency = self.env["res.currency"].create({"name": name, "symbol": name})
        currency.active = True
        if rounding:
            currency.rounding = rounding
        self.env.flush_all()
        # A company that began with this currency: its journals, price list and till follow it.
        self.env.cr.execute(
            "UPDATE res_company SET currency_id = %s WHERE id = %s", (currency.id, self.company.id)
        )
        self.env.cr.execute(
            "UPDATE pos_config SET currency_id = %s WHERE id = %s", (currency.id, self.config.id)
        )
        self.env.cr.execute(
            "UPDATE product_pricelist SET currency_id = %s WHERE company_id = %s",
            (currency.id, self.company.id),
        )
        self.env.invalidate_all()
        self.env.registry.clear_all_caches()
        self.simulator.control("POST", "settings", {"currency": None})
        return currency

    def test_19_99(self):
        """Every price that float arithmetic likes to spoil arrives as it was asked."""
        for amount in (1, 30, 1999, 229, 1110, 1915, 10001, 100000, 999999, 1005, 2675):
            self.simulator.reset()
            self.simulator.control("POST", "settings", {"min_amount": 1})
            request, status = self.charge(amount_minor=amount)
            self.assertEqual(status["amount_minor"], amount)
            session = self.simulator.control("GET", "sessions")[0]
            self.assertEqual(session["amount"], amount)
            self.simulator.act("tap")
            status = self.check_until(request["attempt"], "approved")
            self.assertEqual((status["approved_minor"], status["digits"]), (amount, 2))
            self.assertEqual(self.transaction(request["attempt"]).approved_amount, amount / 100)

    def test_currency_that_viva_does_not_take(self):
        for name in ("JPY", "USD", "KWD", "XTS"):
            with self.subTest(name=name):
                self.use_currency(name)
                order = self.make_order(20)
                status = self.assertRefused(self.request(order, 20), "currency")
                self.assertIn(name, status["message"])
                self.assertIn("EUR", status["message"])

    def test_refused_also_with_a_payment_line(self):
        self.use_currency("XTS")
        order = self.make_order(20)
        request = self.request(order, 2000)
        order.write(
            {
                "payment_ids": [
                    Command.create(
                        {
                            "payment_method_id": self.method.id,
                            "amount": 20,
                            "uuid": request["payment_uuid"],
                        }
                    )
                ]
            }
        )
        self.assertRefused(request, "currency")

    def test_forint_without_decimals(self):
        """Odoo rounds forints to whole ones; on the wire they have two decimals like everything of ISO 4217."""
        self.use_currency("HUF", rounding=1)
        order = self.make_order(5990)
        request, status = self.charge(order, 599000)
        self.assertEqual(status["state"], "pending", status["message"])
        self.assertEqual(
            (status["amount_minor"], status["currency"], status["digits"]), (599000, "HUF", 2)
        )
        session = self.simulator.control("GET", "sessions")[0]
        self.assertEqual((session["amount"], session["currencyCode"]), (599000, "348"))
        self.simulator.act("tap")
        status = self.check_until(request["attempt"], "approved")
        self.assertEqual((status["state"], status["approved_minor"]), ("approved", 599000))
        self.assertEqual(self.transaction(request["attempt"]).approved_amount, 5990)

    def test_fraction_that_the_company_does_not_have(self):
        """Half a forint would be rounded by Odoo on the way: refused, rather than charged as something else."""
        self.use_currency("HUF", rounding=1)
        order = self.make_order(5990)
        for amount in (598950, 598949, 1):
            self.assertRefused(self.request(order, amount), "amount")

    def test_cash_rounding_is_allowed_for(self):
        self.config.write(
            {
                "cash_rounding": True,
                "rounding_method": self.env["account.cash.rounding"]
                .create(
                    {
                        "name": "five cents",
                        "rounding": 0.05,
                        "strategy": "add_invoice_line",
                        "rounding_method": "HALF-UP",
                        "profit_account_id": self.company_data["default_account_revenue"].id,
                        "loss_account_id": self.company_data["default_account_expense"].id,
                    }
                )
                .id,
            }
        )
        order = self.make_order(19.99)
        self.assertRefused(self.request(order, 2006), "amount")
        _request, status = self.charge(order, 2000)
        self.assertEqual(status["state"], "pending", status["message"])

    def test_tip_comes_on_top(self):
        request, _status = self.charge()
        self.simulator.act("tip", minor=201)
        self.simulator.act("tap")
        status = self.check_until(request["attempt"], "approved")
        self.assertEqual(status["state"], "approved", status)
        self.assertEqual((status["amount_minor"], status["approved_minor"]), (1999, 2200))
        self.assertEqual(status["result"]["tip_minor"], 201)
        transaction = self.transaction(request["attempt"])
        self.assertEqual((transaction.approved_amount, transaction.tip_amount), (22.0, 2.01))
        self.assertEqual(to_minor(Decimal(str(transaction._net_amount())), "EUR"), 1999)
        # The tip is no part of the order: nothing is left to pay by card.
        _request, status = self.charge(
            self.env["pos.order"].search([("uuid", "=", request["order_uuid"])]), 30
        )
        self.assertEqual(status["reason"], "already_paid")

    def test_below_the_minimum(self):
        request, status = self.charge(amount_minor=29)
        if status["state"] == "pending":
            status = self.check_until(request["attempt"], "failed", "declined", "cancelled")
        self.assertEqual(status["state"], "failed")
        self.assertIn("Nothing was charged", status["message"])
        self.assertEqual(self.simulator.charges(), [])

    def test_times_in_a_status(self):
        _request, status = self.charge()
        asked = fields.Datetime.to_datetime(status["asked_at"])
        self.assertLess(abs((fields.Datetime.now() - asked).total_seconds()), 60)
        self.assertLess(status["age_s"], 60)
        self.assertGreater(status["poll_ms"], 0)
