from odoo.tests import HttpCase, no_retry, tagged


@tagged("post_install", "-at_install")
class TestPosHoot(HttpCase):
    """The JavaScript unit tests of the till, in a real browser."""

    @no_retry
    def test_viva_payments(self):
        self._run_suite("@viva_payments")

    @no_retry
    def test_point_of_sale(self):
        """Odoo's own tests of the till pass with this addon installed."""
        self._run_suite("@point_of_sale")

    def _run_suite(self, suite):
        # Hoot names a suite in its address by a hash of its path.
        number = 0
        for character in suite:
            number = ((number << 5) - number + ord(character)) & 0xFFFFFFFF
        self.browser_js(
            f"/web/tests?headless&loglevel=2&preset=desktop&timeout=15000&id={number:08x}",
            "",
            "",
            login="admin",
            timeout=600,
            success_signal="[HOOT] Test suite succeeded",
            error_checker=lambda message: "[HOOT]" not in message,
        )
