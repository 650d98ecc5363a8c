"""A shop with two Viva terminals, a cashier with POS rights only, and a real simulator process."""

import subprocess
import sys
import time
import uuid
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import requests

from odoo import Command, fields
from odoo.addons.account.tests.common import AccountTestInvoicingCommon
from odoo.tests import new_test_user, tagged
from odoo.tests.common import _super_send

from ..models.ledger import in_ledger

ROOT = Path(__file__).resolve().parents[1]
MERCHANT_ID = "11111111-2222-3333-4444-555555555555"
TERMINAL, TERMINAL_2 = "16000010", "16000011"


class Simulator:
    """`python -m simulator` on a free port; see its control API."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "simulator", "--port", "0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        if " on http://" not in line:
            raise RuntimeError(f"The simulator did not start: {line!r}")
        self.url = line.rsplit(" ", 1)[1].strip()
        self.session = requests.Session()
        self.session.trust_env = False

    def control(self, method, path, json=None):
        response = self.session.request(method, f"{self.url}/control/{path}", json=json, timeout=20)
        response.raise_for_status()
        return response.json()

    def act(self, action, terminal_id=TERMINAL, **options):
        """What a person does at a terminal; waits until the request is shown there."""
        if action not in ("plug", "unplug"):
            options.setdefault("wait_s", 5)
        return self.control("POST", f"terminals/{terminal_id}/{action}", options)

    def reset(self):
        """Forget everything; the issuer answers fast, so that tests do not wait for it."""
        self.control("POST", "reset")
        self.control("POST", "settings", {"authorising_ms": 50, "pin_ms": 50})

    def charges(self):
        return self.control("GET", "charges")

    def stop(self):
        self.session.close()
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()


class VivaShop:
    """Mixed into a test case with accounting data: `cls.env`, `cls.company_data`."""

    @classmethod
    def _request_handler(cls, session, request, /, **options):
        # Odoo's own handler stretches time-outs; ours are part of what is tested.
        if urlsplit(request.url).hostname == "127.0.0.1":
            return _super_send(session, request, **options)
        return super()._request_handler(session, request, **options)

    @classmethod
    def make_shop(cls):
        cls.env.user.group_ids |= cls.env.ref("point_of_sale.group_pos_manager") | cls.env.ref(
            "viva_payments.group_viva_admin"
        )
        cls.simulator = Simulator()
        cls.addClassCleanup(cls.simulator.stop)
        company = cls.company_data["company"]
        company.currency_id = cls.env.ref("base.EUR")
        cls.company = company
        cls.account = cls.env["viva.account"].create(
            {
                "name": "Simulated Viva",
                "company_id": company.id,
                "environment": "custom",
                "accounts_url": cls.simulator.url,
                "api_url": cls.simulator.url,
                "www_url": cls.simulator.url,
                "client_id": "sim-client.apps.vivapayments.com",
                "client_secret": "sim-secret",
                "merchant_id": MERCHANT_ID,
                "api_key": "sim-api-key",
            }
        )
        model = cls.env.ref("viva_payments.terminal_model_a920_pro")
        cls.terminal, cls.terminal_2 = cls.env["viva.terminal"].create(
            [
                {
                    "account_id": cls.account.id,
                    "name": name,
                    "viva_id": viva_id,
                    "model_id": model.id,
                }
                for name, viva_id in (("Counter", TERMINAL), ("Bar", TERMINAL_2))
            ]
        )
        cls.method = cls.env["pos.payment.method"].create(
            {
                "name": "Viva",
                "company_id": company.id,
                "journal_id": cls.company_data["default_journal_bank"].id,
                "payment_method_type": "terminal",
                "use_payment_terminal": "viva",
                "viva_terminal_ids": [Command.set((cls.terminal | cls.terminal_2).ids)],
            }
        )
        cls.cash = cls.env["pos.payment.method"].create(
            {
                "name": "Cash",
                "company_id": company.id,
                "journal_id": cls.company_data["default_journal_cash"].id,
            }
        )
        cls.config = cls.env["pos.config"].create(
            {
                "name": "Till",
                "company_id": company.id,
                "journal_id": cls.company_data["default_journal_sale"].id,
                "invoice_journal_id": cls.company_data["default_journal_sale"].id,
                "payment_method_ids": [Command.set((cls.method | cls.cash).ids)],
            }
        )
        cls.product = cls.env["product.product"].create(
            {
                "name": "Coffee",
                "list_price": 19.99,
                "available_in_pos": True,
                "taxes_id": [Command.clear()],
            }
        )
        cls.cashier = new_test_user(
            cls.env,
            "viva_cashier",
            groups="base.group_user,point_of_sale.group_pos_user",
            company_id=company.id,
            company_ids=[Command.set(company.ids)],
        )
        cls.manager = new_test_user(
            cls.env,
            "viva_manager",
            groups="base.group_user,viva_payments.group_viva_manager",
            company_id=company.id,
            company_ids=[Command.set(company.ids)],
        )


@tagged("post_install", "-at_install")
class VivaCase(VivaShop, AccountTestInvoicingCommon):
    """For what needs no browser and no second process. Cursors of our own join the test's transaction."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_shop()

    def setUp(self):
        super().setUp()
        if not type(self)._registry_patched:  # HttpCase has done it for the whole class
            self.registry_enter_test_mode()
        self.simulator.reset()
        self.ledger = self.env["viva.transaction"].with_user(self.cashier)
        self.config.with_user(self.cashier).open_ui()
        self.session = self.config.current_session_id
        self.session.set_opening_control(0, "")

    def make_order(self, price=19.99):
        """A draft order, as the till saves it before it asks for a card."""
        return (
            self.env["pos.order"]
            .with_user(self.cashier)
            .create(
                {
                    "uuid": str(uuid.uuid4()),
                    "session_id": self.session.id,
                    "amount_total": price,
                    "amount_tax": 0,
                    "amount_paid": 0,
                    "amount_return": 0,
                    "date_order": fields.Datetime.now(),
                    "lines": [
                        Command.create(
                            {
                                "product_id": self.product.id,
                                "qty": 1,
                                "price_unit": price,
                                "price_subtotal": price,
                                "price_subtotal_incl": price,
                            }
                        )
                    ],
                }
            )
        )

    def request(self, order, amount_minor=1999, **values):
        return {
            "attempt": str(uuid.uuid4()),
            "payment_uuid": str(uuid.uuid4()),
            "order_uuid": order.uuid,
            "order_reference": order.pos_reference or "",
            "pos_session_id": self.session.id,
            "payment_method_id": self.method.id,
            "amount_minor": amount_minor,
            "terminal_id": self.terminal.id,
            **values,
        }

    def charge(self, order=None, amount_minor=1999, **values):
        """Ask for a card; returns (request, Status)."""
        request = self.request(order or self.make_order(amount_minor / 100), amount_minor, **values)
        return request, self.ledger.pos_start(request)

    def start(self, operation, order=None, amount_minor=1999, *, by=None, **values):
        """Start any operation; returns (request, Status). `by` is the user, the cashier by default."""
        request = self.request(order or self.env["pos.order"], amount_minor, operation=operation)
        request |= {"order_uuid": order.uuid if order else "", **values}
        if operation not in ("sale", "capture", "refund"):
            request["payment_uuid"] = ""
        return request, self.ledger.with_user(by or self.cashier).pos_start(request)

    def sell(self, amount_minor=1999, *, action="tap", **options):
        """A sale on a draft order, approved; returns (order, request)."""
        order = self.make_order(amount_minor / 100)
        request, _status = self.charge(order, amount_minor, **options.pop("values", {}))
        self.simulator.act(action, **options)
        self.check_until(request["attempt"], "approved")
        return order, request

    def validate(self, order, *requests):
        """The till has the order paid by these card payments."""
        order = order.with_user(self.cashier)
        sign = -1 if order.amount_total < 0 else 1
        for request in requests:
            order.add_payment(
                {
                    "pos_order_id": order.id,
                    "payment_method_id": request["payment_method_id"],
                    "uuid": request["payment_uuid"],
                    "amount": sign * self.transaction(request["attempt"])._booked_amount(),
                    "payment_status": "done",
                }
            )
        order.action_pos_order_paid()
        self.env.flush_all()
        return order

    def refund_order(self, order):
        """The draft refund of a paid order, as the till makes it."""
        refund = order.with_user(self.cashier)._refund()
        refund.write({"uuid": str(uuid.uuid4())})
        return refund

    def clear(self, *requests):
        """A night has passed, here and at Viva: these payments are cleared."""
        for request in requests:
            self.amend(request["attempt"], settled_at=fields.Datetime.now() - timedelta(days=2))
        self.simulator.control("POST", "clock", {"advance_s": 2 * 24 * 3600})

    def given_back(self):
        """Minor units that Viva gave back, by session or transaction."""
        return [charge for charge in self.simulator.charges() if charge.get("parentId")]

    def check(self, attempt):
        return self.ledger.pos_check([attempt])[0]

    def check_until(self, attempt, *states, seconds=5):
        """Ask again until one of `states` is reached; the last Status."""
        deadline = time.monotonic() + seconds
        while (status := self.check(attempt))[
            "state"
        ] not in states and time.monotonic() < deadline:
            time.sleep(0.05)
        return status

    def wait_for(self, condition, seconds=5):
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            self.assertLess(time.monotonic(), deadline, "waited in vain")
            time.sleep(0.02)
        return value

    def transaction(self, attempt):
        transaction = self.env["viva.transaction"].search([("attempt", "=", attempt)])
        transaction.invalidate_recordset()
        return transaction

    def amend(self, attempt, **values):
        """Change what the ledger remembers, e.g. to let time pass; the transaction."""
        transaction = self.transaction(attempt)
        in_ledger(
            self.env, lambda env: env["viva.transaction"].browse(transaction.id).write(values)
        )
        return self.transaction(attempt)

    def run_job(self):
        """The scheduled job, as the scheduler runs it."""
        self.env.ref("viva_payments.cron_settle").method_direct_trigger()
        self.env.invalidate_all()

    def requests_to_viva(self):
        """How many requests Viva has received since the test began."""
        return len(self.simulator.control("GET", "requests"))

    def violations(self):
        return self.simulator.control("GET", "violations")
