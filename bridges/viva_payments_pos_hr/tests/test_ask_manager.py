from odoo.tests import HttpCase, no_retry, tagged

# How hoot names the suite "@viva_payments_pos_hr" in its address.
SUITE = "@viva_payments_pos_hr"


def suite_id(name):
    number = 0
    for character in name:
        number = ((number << 5) - number + ord(character)) & 0xFFFFFFFF
    return f"{number:08x}"


@tagged("post_install", "-at_install")
class TestAskManager(HttpCase):
    """The JavaScript unit tests of this addon, in a real browser."""

    @no_retry
    def test_unit(self):
        self.browser_js(
            f"/web/tests?headless&loglevel=2&preset=desktop&timeout=15000&id={suite_id(SUITE)}",
            "",
            "",
            login="admin",
            timeout=300,
            success_signal="[HOOT] Test suite succeeded",
            error_checker=lambda message: "[HOOT]" not in message,
        )
