"""What Viva (or anybody who found the address) posts to us, through the real route."""

import contextlib
import http.client
import json
import logging
import uuid
from contextlib import contextmanager
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odoo import fields
from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from ..controllers.webhook import MAX_BYTES
from ..models.viva_event import FAILURE, PAYMENT, REVERSAL, SESSION, SESSION_FAILURE
from .common import MERCHANT_ID, VivaCase

FOREIGN_MERCHANT = "22222222-2222-3333-4444-555555555555"

# Anything that JSON can say, and what Python's reader takes for JSON.
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


class WebhookCase(VivaCase, HttpCase):
    """Messages of Viva, posted to the account's address."""

    def setUp(self):
        super().setUp()
        self.account.action_check()

    @contextmanager
    def open_to_viva(self):
        """Let the simulator reach Odoo, and see afterwards what it has brought."""
        self.env.flush_all()
        self.env.cr.clear()
        with self.allow_requests(all_requests=True):
            yield
        self.http_request_allow_all = False
        self.env.invalidate_all()

    def path(self, account=None):
        return f"/viva/webhook/{(account or self.account).webhook_path}"

    def message(self, event_type=PAYMENT, data=None, **envelope):
        """An envelope as in webhooks.md, section 3; `envelope` changes or (None) empties its fields."""
        return {
            "Url": "https://shop.example/viva/webhook/x",
            "EventData": data if data is not None else {},
            "Created": "2026-06-10T06:55:08.3492636Z",
            "CorrelationId": "26-161-AEF1BDA5",
            "EventTypeId": event_type,
            "Delay": None,
            "MessageId": str(uuid.uuid4()),
            "RecipientId": MERCHANT_ID,
            "MessageTypeId": 512,
            **envelope,
        }

    def about(self, transaction, **data):
        """`EventData` (section 5.1) about one of our transactions."""
        return {
            "Email": "maria.invented@example.com",
            "Phone": "6900000000",
            "FullName": "Maria Invented",
            "CardToken": "0123456789012345678901234567890123456789",
            "CardUniqueReference": "0123456789012345678901234567890123456789",
            "CardNumber": "414746XXXXXX0133",
            "CardExpirationDate": "2028-11-30T00:00:00",
            "Amount": transaction.amount,
            "CurrencyCode": "978",
            "MerchantId": MERCHANT_ID,
            "MerchantTrns": transaction.merchant_reference,
            "TerminalId": int(transaction.terminal_viva_id),
            "TransactionId": str(uuid.uuid4()),
            "TransactionTypeId": 5,
            **data,
        }

    def post(self, message, account=None):
        """Post a message; lone surrogates and NaN go out as Python writes them."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        response = self.url_open(
            self.path(account), data=body or b" ", headers={"Content-Type": "application/json"}
        )
        self.env.invalidate_all()
        return response

    def stored(self, message):
        return self.env["viva.event"].search([("message_id", "=", message["MessageId"])])

    def assertStored(self, message, *, foreign):
        """Posted, acknowledged, and in the inbox once."""
        response = self.post(message)
        self.assertEqual(response.status_code, 200, response.text)
        event = self.stored(message)
        self.assertEqual(len(event), 1)
        self.assertEqual(event.is_foreign, foreign)
        self.assertEqual(event.company_id, self.company)
        if foreign:
            self.assertFalse(event.transaction_id)
            self.assertFalse(event.payload)
        return event

    def pings(self):
        """Attempts of which the till was told over the bus."""
        rows = self.env["bus.bus"].sudo().search([("channel", "ilike", self.config.access_token)])
        messages = [json.loads(row.message) for row in rows]
        return [
            message["payload"]["attempt"]
            for message in messages
            if message["type"].endswith("-VIVA_PAYMENT")
        ]

    def approved(self, amount_minor=1999):
        """An approved sale; (request, transaction)."""
        request, _status = self.charge(amount_minor=amount_minor)
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        return request, self.transaction(request["attempt"])


@tagged("post_install", "-at_install")
class TestWebhook(WebhookCase):
    # -- the handshake -----------------------------------------------------------------------------

    def test_handshake(self):
        merchant = self.simulator.control("GET", "merchants")[0]
        url = self.base_url() + self.path()
        with self.open_to_viva():
            answer = self.simulator.control("POST", "webhooks", {"url": url, "events": [PAYMENT]})
        self.assertTrue(answer["verified"], answer["detail"])
        self.assertTrue(self.account.webhook_verified_at)
        response = self.url_open(self.path() + "?key=whatever")
        self.assertEqual(response.json(), {"Key": merchant["webhook_key"]})
        self.assertTrue(response.headers["Content-Type"].startswith("application/json"))

    def test_head_is_no_message(self):
        response = self.url_open(self.path(), method="HEAD")
        self.assertEqual(response.status_code, 200)

    def test_handshake_before_the_account_was_checked(self):
        self.account.webhook_key = False
        self.assertEqual(self.url_open(self.path()).status_code, 404)
        self.env.invalidate_all()
        self.assertFalse(self.account.webhook_verified_at)

    def test_wrong_address(self):
        path = self.account.webhook_path
        wrong = (
            path[:-1],
            path + "x",
            path.swapcase(),
            "x" * 65,
            "%00",
            "%ED%A0%80",
            "False",
            "%25",
        )
        for other in wrong:
            with self.subTest(other):
                self.assertEqual(self.url_open(f"/viva/webhook/{other}").status_code, 404)
                response = self.url_open(f"/viva/webhook/{other}", json=self.message())
                self.assertEqual(response.status_code, 404)
        self.assertFalse(self.env["viva.event"].search([("account_id", "=", self.account.id)]))

    def test_account_without_a_path_has_no_address(self):
        self.account.write({"webhook_path": False})
        for other in ("False", "None", "%20"):
            self.assertEqual(self.url_open(f"/viva/webhook/{other}").status_code, 404)

    def test_rotated_address(self):
        old = self.path()
        self.account.action_rotate_webhook()
        self.assertFalse(self.account.webhook_verified_at)
        until = self.account.webhook_path_previous_until
        self.assertAlmostEqual(
            until, fields.Datetime.now() + timedelta(hours=48), delta=timedelta(minutes=1)
        )
        for path in (old, self.path()):
            self.assertEqual(self.url_open(path).status_code, 200)
            self.assertEqual(self.url_open(path, json=self.message()).status_code, 200)
        self.account.webhook_path_previous_until = fields.Datetime.now() - timedelta(seconds=1)
        self.assertEqual(self.url_open(old).status_code, 404)
        self.assertEqual(self.url_open(old, json=self.message()).status_code, 404)
        self.assertEqual(self.url_open(self.path()).status_code, 200)

    def test_other_methods(self):
        for method in ("PUT", "DELETE", "PATCH"):
            with mute_logger("odoo.http"):
                self.assertEqual(self.url_open(self.path(), method=method).status_code, 405)

    # -- the inbox ---------------------------------------------------------------------------------

    def test_delivered_by_viva(self):
        """The real thing: the simulator's own message about a card that was really tapped."""
        url = self.base_url() + self.path()
        with self.open_to_viva():
            self.simulator.control("POST", "webhooks", {"url": url, "events": [PAYMENT, SESSION]})
        request, _status = self.charge()
        before = self.pings().count(request["attempt"])
        with self.open_to_viva():
            self.simulator.act("tap")
            self.wait_for(lambda: len(self.simulator.control("GET", "deliveries")) == 2)
        deliveries = self.simulator.control("GET", "deliveries")
        self.assertEqual([delivery["status"] for delivery in deliveries], [200, 200])
        events = self.transaction(request["attempt"]).event_ids
        self.assertEqual(sorted(events.mapped("event_type_id")), [PAYMENT, SESSION])
        self.assertFalse(any(events.mapped("is_foreign")))
        self.assertEqual(
            self.pings().count(request["attempt"]), before + 1, "they come together: one ping"
        )
        # The message itself decides nothing: the answer to our question does.
        self.assertEqual(self.transaction(request["attempt"]).state, "pending")
        self.assertEqual(self.check(request["attempt"])["state"], "approved")
        self.assertEqual(self.violations(), [])

    def test_later_events_ping_again(self):
        request, _status = self.charge()
        about = self.about(self.transaction(request["attempt"]))
        before = self.pings().count(request["attempt"])
        self.assertStored(self.message(FAILURE, about), foreign=False)
        self.assertStored(self.message(PAYMENT, about), foreign=False)
        self.assertEqual(self.pings().count(request["attempt"]), before + 1)
        self.env.cr.execute("UPDATE viva_event SET received_at = received_at - interval '1 second'")
        self.assertStored(self.message(SESSION, about), foreign=False)
        self.assertEqual(self.pings().count(request["attempt"]), before + 2)

    def test_no_outgoing_call(self):
        request, transaction = self.approved()
        before = self.requests_to_viva()
        for event_type in (PAYMENT, REVERSAL, FAILURE, SESSION, SESSION_FAILURE, 1799, 2054):
            self.assertStored(self.message(event_type, self.about(transaction)), foreign=False)
        self.assertEqual(self.requests_to_viva(), before)
        self.assertEqual(self.transaction(request["attempt"]).state, "approved")

    def test_duplicate(self):
        request, _status = self.charge()
        message = self.message(data=self.about(self.transaction(request["attempt"])))
        event = self.assertStored(message, foreign=False)
        told = len(self.pings())
        # Viva repeats an accepted message an hour later, with another counter.
        in_an_hour = {**message, "RetryCount": 1, "Created": "2026-06-10T07:55:08.3492636Z"}
        for repeated in (message, in_an_hour):
            self.assertEqual(self.post(repeated).status_code, 200)
            self.assertEqual(self.stored(message), event)
        self.assertEqual(len(self.pings()), told, "A repeated message pings nobody")

    def test_same_content_without_an_id_is_one_message(self):
        for message_id in (None, "", 7, ["a"], "x" * 65, "a\0b", "\ud800"):
            with self.subTest(message_id=message_id):
                message = self.message(1799, {"n": repr(message_id)}, MessageId=message_id)
                count = self.env["viva.event"].search_count([])
                for _copy in range(2):
                    self.assertEqual(self.post(message).status_code, 200)
                self.assertEqual(self.env["viva.event"].search_count([]), count + 1)

    def test_other_merchant(self):
        request, _status = self.charge()
        data = self.about(self.transaction(request["attempt"]))
        for recipient in (FOREIGN_MERCHANT, None, "", 5, [MERCHANT_ID], {"a": 1}, "11111111"):
            with self.subTest(recipient=recipient):
                self.assertStored(self.message(data=data, RecipientId=recipient), foreign=True)
        self.assertStored(self.message(data=data, RecipientId=MERCHANT_ID.upper()), foreign=False)

    def test_account_without_merchant_takes_nothing_in(self):
        self.account.merchant_id = False
        for recipient in (None, "", MERCHANT_ID):
            self.assertStored(self.message(RecipientId=recipient), foreign=True)

    def test_foreign_content(self):
        """Another shop, terminal or system of the same merchant: only id, type and time are kept."""
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"])
        foreign = (
            self.about(transaction, MerchantTrns="S00042/other"),
            self.about(transaction, MerchantTrns=None),
            self.about(transaction, MerchantTrns="", TerminalId=16999999),
            {"OrderCode": 1, "Amount": 10.0},
            {},
        )
        for data in foreign:
            event = self.assertStored(self.message(data=data), foreign=True)
            self.assertEqual(event.event_type_id, PAYMENT)
            self.assertTrue(event.received_at)
        self.assertFalse(self.transaction(request["attempt"]).event_ids)

    def test_unknown_event_type(self):
        for event_type in (1799, 2054, 4865, 424242, -5, 0):
            event = self.assertStored(self.message(event_type), foreign=True)
            self.assertEqual(event.event_type_id, event_type)
            self.assertTrue(event.event_name)

    def test_wrong_types_everywhere(self):
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"])
        nonsense = (
            None, True, 0, -1, 10**30, 10**4000, 1e308, float("nan"), float("-inf"), "", "\0", "a\0b",
            "\ud800", "é\U0001f600", "x" * 3000, [], [[]], {}, {"a": {"b": [None]}}, [1, "a"],
        )  # fmt: skip
        for value in nonsense:
            with self.subTest(value=str(value)[:20]):
                for field in ("EventTypeId", "EventData", "RecipientId"):
                    message = self.message(data=self.about(transaction), **{field: value})
                    self.assertEqual(self.post(message).status_code, 200, field)
                    self.assertEqual(len(self.stored(message)), 1, field)
                for field in ("MerchantTrns", "MerchantReference", "SessionId", "ParentId"):
                    data = self.about(transaction, **{"MerchantTrns": None, field: value})
                    self.assertStored(self.message(data=data), foreign=True)
                rest = (
                    "Amount",
                    "TransactionId",
                    "TransactionTypeId",
                    "TerminalId",
                    "Email",
                    "CardNumber",
                )
                data = self.about(transaction, **dict.fromkeys((*rest, "Anything"), value))
                envelope = dict.fromkeys(("Created", "Url", "CorrelationId", "Anything"), value)
                self.assertStored(self.message(data=data, **envelope), foreign=False)
        self.assertEqual(self.transaction(request["attempt"]).state, "pending")

    def test_odd_keys(self):
        request, _status = self.charge()
        data = self.about(self.transaction(request["attempt"]))
        for key in ("\0", "a\0b", "\ud800", "", "x" * 5000):
            message = self.message(data={**data, key: key})
            self.assertStored({**message, key: {key: key}}, foreign=False)

    def test_deep_nesting(self):
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"])
        for depth in (10, 100, 300, *range(850, 1000, 10), 20000):
            deep = "[" * depth + "]" * depth
            for field in ("Tags", "MessageId", "RecipientId", "MerchantTrns"):
                with self.subTest(depth=depth, field=field):
                    message = self.message(data=self.about(transaction))
                    place = message["EventData"] if field in ("Tags", "MerchantTrns") else message
                    place[field] = "HERE"
                    body = json.dumps(message).replace('"HERE"', deep).encode()
                    status = self.post(body).status_code
                    # What Python cannot read is not JSON to us; what it can read is stored.
                    self.assertIn(status, (200, 400))
                    if depth <= 300:
                        self.assertEqual(status, 200)

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    )
    @given(
        st.dictionaries(
            st.sampled_from(["EventTypeId", "MessageId", "RecipientId", "Created"]), ANYTHING
        ),
        st.dictionaries(
            st.sampled_from(
                ["MerchantTrns", "SessionId", "ParentId", "Amount", "TransactionId", "x"]
            ),
            ANYTHING,
        )
        | ANYTHING,
    )
    def test_anything(self, envelope, data):
        """Whatever JSON says: acknowledged and stored, never an error."""
        message = {**self.message(MessageId=str(uuid.uuid4())), "EventData": data, **envelope}
        count = self.env["viva.event"].search_count([])
        self.assertEqual(self.post(message).status_code, 200)
        self.assertLessEqual(self.env["viva.event"].search_count([]) - count, 1)
        self.assertEqual(self.post(message).status_code, 200)
        self.assertLessEqual(self.env["viva.event"].search_count([]) - count, 1)

    def test_not_json(self):
        for body in (
            b"",
            b"{",
            b"hello",
            b"\xff\xfe\x00",
            b"[]",
            b"7",
            b"null",
            b'"x"',
            b"{'a': 1}",
        ):
            with self.subTest(body=body):
                self.assertEqual(self.post(body).status_code, 400)
        self.assertFalse(self.env["viva.event"].search([("account_id", "=", self.account.id)]))

    def test_content_type_does_not_matter(self):
        for content_type in ("text/plain", "application/octet-stream", None):
            message = self.message()
            response = self.url_open(
                self.path(),
                data=json.dumps(message).encode(),
                headers={"Content-Type": content_type},
            )
            self.assertEqual(response.status_code, 200, content_type)

    def _post_raw(self, headers, chunks):
        """Post with a hand-made body; (status, how many bytes were taken)."""
        with self.open_to_viva():
            connection = http.client.HTTPConnection("127.0.0.1", self.http_port(), timeout=10)
            self.addCleanup(connection.close)
            connection.putrequest("POST", self.path())
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            with contextlib.suppress(OSError):  # refused before everything was sent
                for chunk in chunks:
                    connection.send(chunk)
            return connection.getresponse().status

    @staticmethod
    def _chunked(body, size=32768):
        for start in range(0, len(body), size):
            part = body[start : start + size]
            yield b"%x\r\n%s\r\n" % (len(part), part)
        yield b"0\r\n\r\n"

    def test_too_large(self):
        fits = self.message(1799)
        padding = MAX_BYTES - len(json.dumps({**fits, "Pad": ""}))
        fits["Pad"] = "x" * padding
        self.assertEqual(len(json.dumps(fits)), MAX_BYTES)
        self.assertEqual(self.post(fits).status_code, 200)
        self.assertEqual(len(self.stored(fits)), 1)
        large = {**self.message(1799), "Pad": "x" * (padding + 1)}
        self.assertEqual(self.post(large).status_code, 413)
        self.assertFalse(self.stored(large))

    def test_without_content_length(self):
        json_type = {"Content-Type": "application/json"}
        message = self.message(1799)
        body = json.dumps(message).encode()
        chunked = {**json_type, "Transfer-Encoding": "chunked"}
        self.assertEqual(self._post_raw(chunked, self._chunked(body)), 200)
        self.assertEqual(len(self.stored(message)), 1)
        large = {**self.message(1799), "Pad": "x" * MAX_BYTES}
        self.assertEqual(self._post_raw(chunked, self._chunked(json.dumps(large).encode())), 413)
        self.assertFalse(self.stored(large))
        self.assertEqual(self._post_raw(json_type, []), 400)
        announced = {**json_type, "Content-Length": str(10**9)}
        self.assertEqual(self._post_raw(announced, []), 413, "refused by what it announces")

    # -- whose message -----------------------------------------------------------------------------

    def test_two_companies(self):
        other = self.env["res.company"].create({"name": "Other shop"})
        other_account = self.account.copy(
            {
                "name": "Other Viva",
                "company_id": other.id,
                "client_id": "sim2-client.apps.vivapayments.com",
                "client_secret": "sim2-secret",
                "merchant_id": FOREIGN_MERCHANT,
                "api_key": "sim2-api-key",
            }
        )
        self.assertTrue(other_account.webhook_path)
        self.assertNotEqual(other_account.webhook_path, self.account.webhook_path)
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"])
        told = len(self.pings())
        # The other company's address cannot touch our payment, whatever merchant it names.
        for recipient in (MERCHANT_ID, FOREIGN_MERCHANT):
            message = self.message(REVERSAL, self.about(transaction), RecipientId=recipient)
            self.assertEqual(self.post(message, other_account).status_code, 200)
            event = self.stored(message)
            self.assertTrue(event.is_foreign)
            self.assertEqual(event.company_id, other)
        self.assertFalse(self.transaction(request["attempt"]).event_ids)
        self.assertEqual(len(self.pings()), told)
        # The same id at both addresses is two messages.
        message = self.message(data=self.about(transaction))
        self.assertEqual(self.post(message).status_code, 200)
        self.assertEqual(self.post(message, other_account).status_code, 200)
        self.assertEqual(self.stored(message).company_id, self.company | other)
        # And a manager of one company sees the events of this one only.
        events = self.env["viva.event"].with_user(self.manager).search([])
        self.assertEqual(events.company_id, self.company)

    def test_only_managers_read_events(self):
        self.post(self.message())
        self.assertFalse(self.env["viva.event"].with_user(self.cashier).has_access("read"))
        self.assertTrue(self.env["viva.event"].with_user(self.manager).search([]))

    def test_payload_is_redacted(self):
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"])
        data = self.about(
            transaction,
            CardNumber="4147460000000133",
            CustomerTrns="call 4147463011110133 or maria.invented@example.com",
            Latitude=37.9838,
            Nested={"email": "nested@example.com", "list": [{"phone": "6911111111"}]},
        )
        event = self.assertStored(self.message(data=data), foreign=False)
        kept = json.dumps(event.payload)
        personal = (
            "maria.invented", "example.com", "6900000000", "6911111111", "Maria", "01234567890123456789",
            "4147460000000133", "4147463011110133", "2028-11", "37.98",
        )  # fmt: skip
        for secret in personal:
            self.assertNotIn(secret, kept)
        self.assertEqual(event.payload["EventData"]["MerchantTrns"], transaction.merchant_reference)

    def test_events_are_kept_as_they_came(self):
        self.post(self.message())
        event = self.env["viva.event"].search([], limit=1)
        with self.assertRaisesRegex(Exception, "kept as they came"):
            event.payload = {}

    def test_log_hides_the_address(self):
        secret = self.account.webhook_path
        with self.assertLogs("werkzeug", logging.INFO) as log:
            self.post(self.message())
            self.url_open(self.path() + "?key=1")
        lines = "\n".join(log.output)
        self.assertIn("/viva/webhook/***", lines)
        self.assertNotIn(secret, lines)

    def test_error_log_hides_the_address(self):
        secret = self.account.webhook_path
        with self.assertLogs("odoo.http", logging.INFO) as log:
            self.url_open(self.path(), method="PUT")
            logging.getLogger("odoo.http").warning("asked for %s twice", self.path())
            logging.getLogger("odoo.http").warning(self.path())
        self.assertNotIn(secret, "\n".join(log.output))

    # -- what an event sets in motion --------------------------------------------------------------

    def test_session_event_is_found_by_its_session(self):
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"])
        for event_type in (SESSION, SESSION_FAILURE):
            data = {"SessionId": transaction.session_id, "TerminalId": 16000010, "Success": True}
            event = self.assertStored(self.message(event_type, data), foreign=False)
            self.assertEqual(event.transaction_id, transaction)
        data = {"MerchantReference": transaction.merchant_reference, "SessionId": None}
        self.assertStored(self.message(SESSION, data), foreign=False)

    def _reversal(self, transaction, **data):
        return self.message(
            REVERSAL,
            self.about(
                transaction,
                **{
                    "ParentId": transaction.viva_transaction_id,
                    "TransactionTypeId": 7,
                    "Amount": -19.99,
                    **data,
                },
            ),
        )

    def test_reversal_of_viva(self):
        request, sale = self.approved()
        reversal = self._reversal(sale, MerchantTrns=None)
        self.assertStored(reversal, foreign=False)
        trigger = self.env["ir.cron.trigger"].search(
            [("cron_id", "=", self.env.ref("viva_payments.cron_settle").id)]
        )
        self.assertTrue(trigger, "the job is called at once")
        self.run_job()
        child = sale.child_ids
        self.assertEqual(len(child), 1)
        self.assertEqual((child.operation, child.origin, child.state), ("void", "viva", "unknown"))
        self.assertEqual((child.amount, child.approved_amount), (19.99, 0))
        self.assertEqual(child.viva_transaction_id, reversal["EventData"]["TransactionId"])
        self.assertEqual(child.company_id, sale.company_id)
        self.assertFalse(child.holds_terminal)
        self.assertEqual(sale.reversed_amount, 0, "an event alone books nothing")
        self.assertIn(
            "Viva reports that this payment was reversed", sale.activity_ids.mapped("summary")
        )
        self.assertEqual(sale.activity_ids.user_id, self.account.responsible_id)
        status = self.check(request["attempt"])
        self.assertEqual(status["state"], "approved")
        self.assertTrue(status["charged"])
        self.assertIn("gave this payment back", status["message"])
        # The same reversal again, as another message and as a copy of the first: once.
        again = {**reversal, "MessageId": str(uuid.uuid4())}
        self.assertStored(again, foreign=False)
        self.post(reversal)
        self.run_job()
        self.assertEqual(self.transaction(request["attempt"]).child_ids, child)
        self.assertTrue(all(sale.event_ids.mapped("is_processed")))
        # The order cannot be charged again on the strength of a message …
        order = self.env["pos.order"].search([("uuid", "=", request["order_uuid"])])
        _request, status = self.charge(order)
        self.assertEqual(status["reason"], "already_paid")
        # … but when a manager has confirmed it.
        self.env["viva.decide.wizard"].with_user(self.manager).create(
            {"transaction_id": child.id, "decision": "approved", "reason": "seen in the portal"}
        ).action_decide()
        self.env.invalidate_all()
        self.assertEqual((child.state, sale.reversed_amount), ("approved", 19.99))
        self.assertFalse(self.check(request["attempt"])["charged"])
        _request, status = self.charge(order)
        self.assertEqual(status["state"], "pending")

    def test_reversal_of_viva_is_confirmed_by_its_list(self):
        """What an event reports counts when Viva's own list says the same; a forged one never does."""
        _request, sale = self.approved()
        forged = self._reversal(sale, Amount=-1, TransactionTypeId=4)
        self.assertStored(forged, foreign=False)
        path = f"transactions/{sale.viva_transaction_id}/reverse"
        answer = self.simulator.control("POST", path, {"amount": 500})
        real = self._reversal(
            sale, Amount=-5, TransactionTypeId=4, TransactionId=answer["transactionId"]
        )
        self.assertStored(real, foreign=False)
        self.run_job()
        states = {child.viva_transaction_id: child.state for child in sale.child_ids}
        self.assertEqual(states[forged["EventData"]["TransactionId"]], "unknown")
        self.assertEqual(states[answer["transactionId"]], "approved")
        self.assertEqual((sale.reversed_amount, sale.left_amount), (5.0, 13.99))
        self.assertTrue(sale.activity_ids)

    def test_failed_reversal_changes_nothing(self):
        _request, sale = self.approved()
        self.assertStored(self._reversal(sale, StatusId="E"), foreign=False)
        self.env["viva.event"]._process()
        self.env.invalidate_all()
        self.assertFalse(sale.child_ids)
        self.assertFalse(sale.activity_ids)

    def test_reversal_before_the_sale_is_known(self):
        request, _status = self.charge()
        self.simulator.act("tap")
        sale = self.transaction(request["attempt"])
        viva_id = self.wait_for(self.simulator.charges)[0]["transactionId"]
        event = self.assertStored(self._reversal(sale, ParentId=viva_id), foreign=False)
        self.env["viva.event"]._process()
        self.env.invalidate_all()
        self.assertFalse(event.is_processed)
        self.assertFalse(sale.child_ids)
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        self.check(request["attempt"])
        self.env.invalidate_all()
        self.assertTrue(event.is_processed)
        self.assertEqual(sale.child_ids.amount, 19.99)
        # Of a sale that never came, the reversal is dropped in the end.
        request, _status = self.charge()
        event = self.assertStored(
            self._reversal(self.transaction(request["attempt"])), foreign=False
        )
        self._set_received(event, days=8)
        self.env["viva.event"]._process()
        self.env.invalidate_all()
        self.assertTrue(event.is_processed)

    def test_reversed_amounts(self):
        """Major units, negative; whole numbers that fit only as minor units are read as such."""
        _request, sale = self.approved(3000)
        cases = (
            (
                -1000,
                10.00,
            ),  # "-1000" of the documentation's sample: more than 30 euros, hence cents
            (-5.5, 5.50),
            (4, 4.00),  # a sign is no proof
            (-10.49, 10.49),
            (-0.02, 0),  # more than the 0.01 that is left
        )
        for number, (amount, expected) in enumerate(cases):
            with self.subTest(amount=amount):
                before = sum(sale.child_ids.mapped("amount"))
                self.assertStored(self._reversal(sale, Amount=amount), foreign=False)
                self.env["viva.event"]._process()
                self.env.invalidate_all()
                reported = sum(sale.child_ids.mapped("amount"))
                self.assertAlmostEqual(reported - before, expected, 2, number)

    def test_reversal_that_cannot_be_booked_only_alarms(self):
        """Amounts beyond what is left or unreadable, and identifiers that tell nothing from a repetition."""
        _request, sale = self.approved()
        amounts = (-20.00, 2000, "19.99", None, float("nan"), True, 0, 10**30, [19.99], -19.999)
        identifiers = (None, "", 5, ["a"], "\0", "x" * 5000)
        odd = [{"Amount": amount} for amount in amounts]
        odd += [{"TransactionId": viva_id, "Amount": -1.0} for viva_id in identifiers]
        for number, data in enumerate(odd, start=1):
            with self.subTest(data=str(data)[:40]):
                self.assertStored(self._reversal(sale, **data), foreign=False)
                self.env["viva.event"]._process()
                self.env.invalidate_all()
                self.assertFalse(sale.child_ids)
                self.assertTrue(all(sale.event_ids.mapped("is_processed")))
                alarms = sale.step_ids.filtered(lambda step: step.kind == "alarm")
                self.assertEqual(len(alarms), number)
        self.assertEqual(
            sale.activity_ids.mapped("summary"), ["Viva reports that this payment was reversed"]
        )

    def test_partial_reversal_is_a_refund(self):
        _request, sale = self.approved()
        self.assertStored(self._reversal(sale, Amount=-5, TransactionTypeId=4), foreign=False)
        self.env["viva.event"]._process()
        self.env.invalidate_all()
        self.assertEqual(sale.child_ids.operation, "refund")
        self.assertEqual(sale.child_ids.amount, 5)

    def test_success_of_a_cancelled_payment(self):
        """1796 for what Viva had called cancelled: asked again, and a person is told."""
        request, _status = self.charge()
        self.simulator.act("cancel")
        self.assertEqual(self.check_until(request["attempt"], "cancelled")["state"], "cancelled")
        self.amend(request["attempt"], recheck_at=False)
        transaction = self.transaction(request["attempt"])
        event = self.assertStored(self.message(PAYMENT, self.about(transaction)), foreign=False)
        self.assertFalse(event.is_processed)
        before = self.requests_to_viva()
        self.run_job()
        transaction = self.transaction(request["attempt"])
        self.assertGreater(self.requests_to_viva(), before, "Viva was asked again")
        self.assertEqual(transaction.state, "cancelled", "a message alone decides nothing")
        self.assertTrue(event.is_processed)
        self.assertIn("Viva contradicts itself", transaction.activity_ids.mapped("summary"))
        self.assertTrue(transaction.recheck_at, "and it goes on being asked: the list may lag")

    def test_success_event_before_a_final_no(self):
        """1796 and then a session that says cancelled: we do not know, rather than not charged."""
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"])
        self.assertStored(self.message(PAYMENT, self.about(transaction)), foreign=False)
        self.simulator.act("cancel")
        status = self.check_until(request["attempt"], "unknown", "cancelled")
        self.assertEqual((status["state"], status["reason"]), ("unknown", "contradiction"))

    # -- keeping -----------------------------------------------------------------------------------

    def _set_received(self, event, days):
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE viva_event SET received_at = received_at - %s * interval '1 day' WHERE id = %s",
            (days, event.id),
        )
        self.env.invalidate_all()

    def test_pruning(self):
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"])
        events = self.env["viva.event"]
        for days in (1, 8, 89, 91):
            for data in ({}, self.about(transaction)):
                message = self.message(1799, data)
                self.post(message)
                event = self.stored(message)
                self._set_received(event, days)
                if days in (1, 8 if data else 1, 89 if data else 1):
                    events |= event
        self.run_job()
        left = self.env["viva.event"].search([("account_id", "=", self.account.id)])
        self.assertEqual(left, events)
