"""What has to be true of the books after every test: they carry what the cards were charged, once, to the cent."""

from typing import Any

from shop import Shop

SIGN = {
    "sale": 1,
    "capture": 1,
    "refund": -1,
}  # operations with a payment, and which way its money goes
CLAIMING = ("running", "to_post")


class Books:
    """From one test's beginning to its end."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self._first = {
            table: shop.database.run(f"SELECT coalesce(max(id), 0) AS id FROM {table}")[0]["id"]
            for table in ("viva_booking", "account_payment", "account_move")
        }

    def check(self) -> None:
        bookings = self._bookings()
        for booking in bookings:
            self._check_booking(booking)
        self._check_payments(bookings)
        self._check_entries()

    def undecided(self) -> list[dict[str, Any]]:
        """Bookings whose card operation has an end, and the books have not."""
        return [
            row
            for row in self._bookings()
            if row["state"] == "running" and row["ledger_state"] not in (None, "unknown")
        ]

    def _bookings(self) -> list[dict[str, Any]]:
        return self.shop.database.run(
            """SELECT booking.*, t.state AS ledger_state, t.is_forced,
                      round(t.approved_amount * 100)::int AS approved_minor,
                      round(coalesce(t.surcharge_amount, 0) * 100)::int AS surcharge_minor,
                      round(payment.amount * 100)::int AS paid_minor,
                      payment.state AS payment_state, payment.payment_type, move.state AS move_state,
                      (SELECT count(*) FROM viva_booking_line line
                        WHERE line.booking_id = booking.id AND line.is_claim) AS claims
                 FROM viva_booking booking
                 LEFT JOIN viva_transaction t ON t.attempt = booking.attempt
                 LEFT JOIN account_payment payment ON payment.id = booking.payment_id
                       -- tried again, the same payment is the later one's
                       AND NOT EXISTS (SELECT FROM viva_booking later
                                        WHERE later.payment_id = booking.payment_id AND later.id > booking.id)
                 LEFT JOIN account_move move ON move.id = payment.move_id
                WHERE booking.id > %s ORDER BY booking.id""",
            self._first["viva_booking"],
        )

    def _check_booking(self, booking: dict[str, Any]) -> None:
        name = f"booking {booking['id']} ({booking['operation']}, {booking['state']})"
        done, ledger = booking["state"], booking["ledger_state"]
        is_posted = booking["move_state"] == "posted"
        if ledger == "approved":
            assert done in ("booked", "to_post"), f"{name}: carried out, and not in the books"
        else:
            assert done != "booked", f"{name}: in the books, and the card says {ledger}"
            assert not is_posted, f"{name}: posted, and the card says {ledger}"
        if done == "booked" and booking["operation"] in SIGN:
            assert is_posted and booking["payment_state"] in ("in_process", "paid"), name
            net = booking["approved_minor"] - booking["surcharge_minor"]
            assert booking["paid_minor"] == net, f"{name}: {booking['paid_minor']} of {net}"
            wanted = "inbound" if SIGN[booking["operation"]] > 0 else "outbound"
            assert booking["payment_type"] == wanted, name
        elif done == "to_post":
            assert not is_posted, f"{name}: it is posted"
            assert booking["reason"], f"{name}: nobody is told why"
        elif done == "not_done":
            assert booking["payment_state"] in (None, "canceled"), name
        if done not in CLAIMING:
            assert not booking["claims"], f"{name}: its invoices are not free"

    def _check_payments(self, bookings: list[dict[str, Any]]) -> None:
        """Every payment of the method is a booking's own."""
        own = [
            row["payment_id"] for row in bookings if row["state"] == "booked" and row["payment_id"]
        ]
        assert len(own) == len(set(own)), f"one payment for two bookings: {own}"
        posted = self.shop.database.run(
            """SELECT payment.id FROM account_payment payment
                 JOIN account_payment_method_line line ON line.id = payment.payment_method_line_id
                 JOIN account_payment_method method ON method.id = line.payment_method_id
                WHERE method.code = 'viva' AND payment.id > %s
                  AND payment.state IN ('in_process', 'paid')""",
            self._first["account_payment"],
        )
        strange = {row["id"] for row in posted} - set(own)
        assert not strange, f"posted, and no card was charged: {strange}"

    def _check_entries(self) -> None:
        crooked = self.shop.database.run(
            """SELECT move.name, sum(line.balance) AS balance
                 FROM account_move move JOIN account_move_line line ON line.move_id = move.id
                WHERE move.id > %s AND move.state = 'posted'
                GROUP BY move.id HAVING round(sum(line.balance), 2) != 0""",
            self._first["account_move"],
        )
        assert not crooked, f"not balanced: {crooked}"
