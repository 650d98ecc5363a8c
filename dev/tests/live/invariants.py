"""What has to be true after every test, whatever happened in it."""

import contextlib
import re
from collections import Counter
from typing import Any

from books import Books
from control import until
from shop import LEDGER, OPEN, Shop

from lib.rpc import RpcError

# Odoo's database layer calls a lost race an error although the caller goes on; nobody else may.
LOST_RACE = re.compile(r" ERROR \S+ odoo\.sql_db: bad query")
# Which way money goes; holds and their release move none.
SIGN = {"sale": 1, "capture": 1, "refund": -1, "void": -1}
BACK = ("refund", "void", "release")


def _payment(sign: int, parent: str | None, own: str) -> str:
    """Viva's id of the payment that a row adds to or takes from."""
    return parent if sign < 0 and parent else own


def _is_by_reference(row: dict[str, Any]) -> bool:
    """Viva knows it by our merchant reference only."""
    return row["via"] == "api" or row["protocol"] not in (None, "cloud")


def _is_child(row: dict[str, Any], entry: dict[str, Any]) -> bool:
    """The app carries no reference of ours when it captures or gives back: only the original tells whose it is."""
    known = row["viva_transaction_id"] or entry["transactionId"]
    return (
        row["protocol"] == "app_to_app"
        and bool(entry["parentId"])
        and (row["parent_viva_id"], known) == (entry["parentId"], entry["transactionId"])
        and row["asked_minor"] == entry["amount"]
    )


def _is_hearsay(row: dict[str, Any]) -> bool:
    """The gateway has said that it is approved; Viva has not confirmed it."""
    return row["state"] == "approved" and row["word"] != "viva" and not row["is_forced"]


class Watch:
    """From one test's beginning to its end."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.books = Books(shop)
        self._first_id = (
            shop.database.run("SELECT max(id) AS id FROM viva_transaction")[0]["id"] or 0
        )

    def rows(self, origin: str = "odoo") -> list[dict[str, Any]]:
        """The transactions of this test that Odoo started, or those that Viva has reported."""
        return self.shop.database.run(
            """SELECT t.*, round(t.amount * 100)::int AS asked_minor,
                      round(t.approved_amount * 100)::int AS approved_minor,
                      round((coalesce(t.tip_amount, 0) + coalesce(t.surcharge_amount, 0)) * 100)::int
                          AS extra_minor,
                      parent.viva_transaction_id AS parent_viva_id
                 FROM viva_transaction t LEFT JOIN viva_transaction parent ON parent.id = t.parent_id
                WHERE t.id > %s AND t.origin = %s ORDER BY t.id""",
            self._first_id,
            origin,
        )

    def finish(self) -> None:
        self._go_home()
        self.check_money()
        assert self.shop.viva.violations() == []
        self.books.check()
        if self._decide_the_rest() and self.books.undecided():
            self.shop.run_job()
        self.books.check()
        self._check_log()

    # -- a way out of every state ----------------------------------------------------------------

    def _go_home(self) -> None:
        """Viva is well again, nobody stands at a terminal, time passes: what was open gets an end."""
        viva = self.shop.viva
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
                if row["state"] in (*OPEN, "unknown") or row["recheck_at"] or _is_hearsay(row)
            ]
            if not unsettled and not self.books.undecided():
                break
            self.shop.forget_silence()
            self.shop.let_pass(300, *[row["id"] for row in unsettled])
            self.shop.run_job()
        lost = [row for row in self.rows() if row["state"] in OPEN]
        assert not lost, f"no way out: {[(row['name'], row['state']) for row in lost]}"
        held = [
            row["name"]
            for row in self.rows()
            if row["holds_terminal"] and row["state"] != "unknown"
        ]
        assert not held, f"settled, but the terminal is not free: {held}"
        hearsay = [row["name"] for row in self.rows() if _is_hearsay(row)]
        assert not hearsay, f"approved, and Viva's list has not confirmed it: {hearsay}"

    def _decide_the_rest(self) -> bool:
        """What stays unknown is left by a manager's decision; then order and terminal are free.

        :return: whether anything was left
        """
        unknown = [row for row in self.rows() if row["state"] == "unknown"]
        for row in unknown:
            manager = self.shop.manager
            (status,) = manager.call(LEDGER, "pos_check", [row["attempt"]])
            assert status["can_force"], f"{row['name']}: a manager cannot decide"
            status = manager.call(
                LEDGER, "pos_force", row["attempt"], "Seen on the terminal's slip"
            )
            assert status["final"] and status["forced"], status
        for row in self.rows("viva"):
            if row["state"] == "unknown":
                self._confirm(row)
        ids = [row["id"] for row in self.rows()]
        in_doubt = self.shop.database.run(
            """SELECT hold.name, hold.state FROM viva_hold hold JOIN viva_transaction t ON t.hold_id = hold.id
                WHERE t.id = ANY(%s) AND hold.state IN ('asked', 'unknown')""",
            ids,
        )
        assert not in_doubt, f"everything is decided, these holds are not: {in_doubt}"
        self.shop.database.run(
            "UPDATE viva_transaction SET is_forced = false, recheck_at = NULL WHERE id = ANY(%s)",
            ids,
        )
        held = [row["name"] for row in self.rows() if row["holds_terminal"]]
        assert not held, f"decided, but the terminal is not free: {held}"
        return bool(unknown)

    def _confirm(self, row: dict[str, Any]) -> None:
        """A manager confirms a reversal that Viva has reported, unless Viva's list was quicker."""
        values = {
            "transaction_id": row["id"],
            "decision": "approved",
            "reason": "Seen in the portal",
        }
        manager = self.shop.manager
        wizard = manager.call("viva.decide.wizard", "create", values)
        with contextlib.suppress(RpcError):
            manager.call("viva.decide.wizard", "action_decide", [wizard])
        (after,) = [other for other in self.rows("viva") if other["id"] == row["id"]]
        assert after["state"] == "approved"

    # -- money -----------------------------------------------------------------------------------

    def check_money(self) -> None:
        """What Viva moved is what Odoo shows as approved plus what it shows as unknown, for each payment."""
        at_viva: Counter[str] = Counter()
        in_odoo: Counter[str] = Counter()
        done: dict[int, dict[str, Any]] = {}
        for entry in self.shop.viva.book():
            left = entry["amount"] - entry["refunded"] - entry["captured"]
            assert left >= 0, f"more than there was: {entry}"
            sign = SIGN.get(entry["operation"], 0)
            payment = _payment(sign, entry["parentId"], entry["transactionId"])
            at_viva[payment] += sign * entry["amount"]
            row = self._row_of(entry)
            assert row["id"] not in done, f"done twice: {row['name']}"
            done[row["id"]] = entry
            assert row["state"] in ("approved", "unknown"), (
                f"{row['name']} ({row['operation']}) was carried out and Odoo says {row['state']}"
            )
            if row["state"] == "unknown":
                in_odoo[payment] += sign * entry["amount"]
        rows = self.rows()
        for row in rows:
            if row["state"] != "approved" or row["is_forced"]:
                continue
            assert row["id"] in done, f"{row['name']} is approved and not at Viva"
            assert row["viva_transaction_id"] == done[row["id"]]["transactionId"]
            sign = SIGN.get(row["operation"], 0)
            payment = _payment(sign, row["parent_viva_id"], row["viva_transaction_id"])
            in_odoo[payment] += sign * row["approved_minor"]
        for row in self.rows("viva"):
            if row["state"] == "approved":
                sign = SIGN.get(row["operation"], 0)
                in_odoo[row["parent_viva_id"]] += sign * row["approved_minor"]
        assert +at_viva == +in_odoo and -at_viva == -in_odoo, f"Viva {at_viva}, Odoo {in_odoo}"
        lines = Counter(row["payment_uuid"] for row in rows if row["id"] in done)
        assert set(lines.values()) <= {1}, f"twice for one payment line: {lines}"
        self._check_orders([row for row in rows if row["id"] in done])

    def _row_of(self, entry: dict[str, Any]) -> dict[str, Any]:
        """The transaction that a row of Viva's book belongs to."""
        gives_back = entry["operation"] in BACK
        rows = [row for row in self.rows() if (row["operation"] in BACK) == gives_back]
        for row in rows:
            if row["session_id"] == entry["sessionId"]:
                return row
        for row in rows:
            if not gives_back and row["operation"] != entry["operation"]:
                continue  # the app's capture carries the reference of its hold
            if (
                _is_by_reference(row) and row["merchant_reference"] == entry["merchantReference"]
            ) or _is_child(row, entry):
                return row
        for row in self.rows("viva"):
            if row["viva_transaction_id"] == entry["transactionId"]:
                return row
        raise AssertionError(f"not in the ledger: {entry}")

    def _check_orders(self, carried_out: list[dict[str, Any]]) -> None:
        """No order brings in (or gives back) more than it costs, unless Viva had denied it and a person has been told."""
        moved: Counter[str] = Counter()
        told = self.shop.database.run(
            "SELECT res_id FROM mail_activity WHERE res_model = %s AND summary LIKE '%%after all'",
            LEDGER,
        )
        late = {row["res_id"] for row in told}
        for row in carried_out:
            if row["id"] not in late and row["order_uuid"]:
                amount = row["asked_minor"] - (
                    row["extra_minor"] if row["operation"] in BACK else 0
                )
                moved[row["order_uuid"]] += SIGN.get(row["operation"], 0) * amount
        costs = self.shop.database.run(
            "SELECT uuid, round(amount_total * 100)::int AS minor FROM pos_order WHERE uuid = ANY(%s)",
            list(moved),
        )
        for order in costs:
            net, total = moved[order["uuid"]], order["minor"]
            assert min(total, 0) <= net <= max(total, 0), f"{net} moved for an order of {total}"

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
