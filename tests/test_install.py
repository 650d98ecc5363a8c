from odoo.modules.module import Manifest
from odoo.tests import TransactionCase, tagged
from odoo.tools import file_path


@tagged("post_install", "-at_install")
class TestInstall(TransactionCase):
    """The addon is there as its manifest says."""

    def test_is_installed(self):
        module = self.env["ir.module.module"].search([("name", "=", "viva_payments")])
        self.assertEqual(module.state, "installed")

    def test_files_of_the_manifest_exist(self):
        manifest = Manifest.for_addon("viva_payments")
        for name in [*manifest["data"], *manifest["demo"]]:
            self.assertTrue(file_path(f"viva_payments/{name}"), name)
