"""What has to be true after every test, whatever happened in it."""

import re
from collections import Counter
from typing import Any

from control import until
from shop import LEDGER, OPEN, Shop

# Odoo's database layer calls a lost race an error although the caller goes on; nobody else may.
LOST_RACE = re.compile(r" ERROR \S+ odoo\.sql_db: bad query")


class Watch:
    """From one test's beginning to its end."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self._first_id = (
            shop.database.run("SELECT max(id) AS id FROM viva_transaction")[0]["id"] or 0
        )

    def rows(self) -> list[dict[str, Any]]:
        """The transactions of this test that Odoo started."""
        return self.shop.database.run(
            """SELECT t.*, round(amount * 100)::int AS asked_minor,
                      round(approved_amount * 100)::int AS approved_minor,
                      (SELECT coalesce(round(sum(c.amount) * 100)::int, 0) FROM viva_transaction c
                        WHERE c.parent_id = t.id AND c.state IN ('approved', 'unknown')) AS reversed_minor
               FROM viva_transaction t WHERE id > %s AND origin = 'odoo' ORDER BY id""",
            self._first_id,
        )

    def finish(self) -> None:
        self._go_home()
        self.check_money()
        assert self.shop.viva.violations() == []
        self._decide_the_rest()
        self._check_log()

    # -- a way out of every state ----------------------------------------------------------------

    def _go_home(self) -> None:
        """Viva is well again, nobody stands at a terminal, time passes: what was open gets an end."""
        viva, database = self.shop.viva, self.shop.database
        viva.heal()
        for terminal in viva.control("GET", "terminals"):
            if not terminal["online"]:
                viva.act("plug", terminal["terminalId"])
            if terminal["state"] in ("shown", "qr"):
                viva.act("cancel", terminal["terminalId"])
        until(lambda: all(t["state"] == "idle" for t in viva.control("GET", "terminals")))
        for _round in range(3):
            unsettled = [
                row
                for row in self.rows()
                if row["state"] in (*OPEN, "unknown") or row["recheck_at"]
            ]
            if not unsettled:
                break
            self.shop.forget_silence()
            database.run(
                """UPDATE viva_transaction SET sent_at = sent_at - interval '200 seconds',
                       abort_asked_at = abort_asked_at - interval '200 seconds',
                       recheck_at = recheck_at - interval '200 seconds'
                   WHERE id = ANY(%s)""",
                [row["id"] for row in unsettled],
            )
            self.shop.run_job()
        lost = [row for row in self.rows() if row["state"] in OPEN]
        assert not lost, f"no way out: {[(row['name'], row['state']) for row in lost]}"
        held = [
            row["name"]
            for row in self.rows()
            if row["holds_terminal"] and row["state"] != "unknown"
        ]
        assert not held, f"settled, but the terminal is not free: {held}"

    def _decide_the_rest(self) -> None:
        """What stays unknown is left by a manager's decision; then order and terminal are free."""
        unknown = [row for row in self.rows() if row["state"] == "unknown"]
        for row in unknown:
            manager = self.shop.manager
            (status,) = manager.call(LEDGER, "pos_check", [row["attempt"]])
            assert status["can_force"], f"{row['name']}: a manager cannot decide"
            status = manager.call(
                LEDGER, "pos_force", row["attempt"], "Seen on the terminal's slip"
            )
            assert status["final"] and status["forced"], status
        ids = [row["id"] for row in self.rows()]
        self.shop.database.run(
            "UPDATE viva_transaction SET is_forced = false, recheck_at = NULL WHERE id = ANY(%s)",
            ids,
        )
        held = [row["name"] for row in self.rows() if row["holds_terminal"]]
        assert not held, f"decided, but the terminal is not free: {held}"

    # -- money -----------------------------------------------------------------------------------

    def check_money(self) -> None:
        """What Viva charged is what Odoo shows as approved plus what it shows as unknown."""
        rows = {row["session_id"]: row for row in self.rows()}
        charges = self.shop.viva.charges()
        charged = Counter(charge["sessionId"] for charge in charges)
        strangers = charged.keys() - rows.keys()
        assert not strangers, f"charged, but not in the ledger: {strangers}"
        times = Counter(rows[session]["payment_uuid"] for session in charged.elements())
        assert set(times.values()) <= {1}, f"charged twice for one payment: {times}"
        self._check_orders([rows[session] for session in charged.elements()])
        at_viva = sum(charge["amount"] - charge["refunded"] for charge in charges)
        approved = sum(
            row["approved_minor"] - row["reversed_minor"]
            for row in rows.values()
            if row["state"] == "approved" and not row["is_forced"]
        )
        unknown = 0
        for charge in charges:
            row = rows[charge["sessionId"]]
            assert row["state"] in ("approved", "unknown"), (
                f"{row['name']} was charged and Odoo says {row['state']}"
            )
            if row["state"] == "approved":
                assert row["viva_transaction_id"] == charge["transactionId"]
            else:
                unknown += charge["amount"] - charge["refunded"]
        assert at_viva == approved + unknown, f"{at_viva} != {approved} + {unknown}"

    def _check_orders(self, charged: list[dict[str, Any]]) -> None:
        """No order is charged more than it costs, unless Viva had denied it and a person has been told."""
        asked: Counter[str] = Counter()
        told = self.shop.database.run(
            "SELECT res_id FROM mail_activity WHERE res_model = %s AND summary = 'Charged after all'",
            LEDGER,
        )
        late = {row["res_id"] for row in told}
        for row in charged:
            if row["id"] in late:
                continue
            asked[row["order_uuid"]] += row["asked_minor"]
        costs = self.shop.database.run(
            "SELECT uuid, round(amount_total * 100)::int AS minor FROM pos_order WHERE uuid = ANY(%s)",
            list(asked),
        )
        for order in costs:
            assert asked[order["uuid"]] <= order["minor"], f"charged too much for {order['uuid']}"

    # -- logs ------------------------------------------------------------------------------------

    def _check_log(self) -> None:
        text = self.shop.log()
        for secret in self.shop.secrets():
            assert secret not in text, "a secret is in the log"
        assert "Traceback" not in text, text[text.index("Traceback") - 500 :][:4000]
        errors = [
            line
            for line in text.splitlines()
            if (" ERROR " in line or " CRITICAL " in line) and not LOST_RACE.search(line)
        ]
        assert not errors, "\n".join(errors)
