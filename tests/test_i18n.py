"""Every text of the product is in the template, and every translation of it is complete."""

import io
import re
from collections import Counter
from pathlib import Path

import polib

from odoo.modules import get_module_path
from odoo.tests import TransactionCase, tagged
from odoo.tools.translate import code_translations, trans_export

# What a translation has to keep: %s and %(name)s, the names of records, tags.
KEPT = re.compile(r"%\(\w+\)[a-z]|%[sd%]|\{\{.*?\}\}|</?\w+")
# The bridges lie within the addon's folder, but have translations of their own.
BRIDGES = "addons/viva_payments/bridges/"


def _translations(addon):
    return sorted(Path(get_module_path(addon), "i18n").glob("*.po"))


@tagged("post_install", "-at_install")
class TestI18n(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        ours = [("name", "=like", "viva_payments%"), ("state", "=", "installed")]
        cls.addons = cls.env["ir.module.module"].search(ours).mapped("name")

    def test_the_template_has_every_text(self):
        for addon in self.addons:
            exported = io.BytesIO()
            trans_export(None, [addon], exported, "po", self.env)
            texts = {
                entry.msgid
                for entry in polib.pofile(exported.getvalue().decode())
                if not all(BRIDGES in place for place, _line in entry.occurrences)
            }
            template = polib.pofile(str(Path(get_module_path(addon), "i18n", f"{addon}.pot")))
            with self.subTest(addon):
                self.assertEqual(
                    texts,
                    {entry.msgid for entry in template},
                    "Run ./dev/i18n and translate what is new.",
                )

    def test_translations_are_complete(self):
        for addon in self.addons:
            template = polib.pofile(str(Path(get_module_path(addon), "i18n", f"{addon}.pot")))
            self.assertIn("el.po", [path.name for path in _translations(addon)])
            for path in _translations(addon):
                with self.subTest(f"{addon}/{path.name}"):
                    translated = {
                        entry.msgid for entry in polib.pofile(str(path)) if entry.translated()
                    }
                    self.assertFalse({entry.msgid for entry in template} - translated)

    def test_translations_keep_what_is_filled_in(self):
        for addon in self.addons:
            for path in _translations(addon):
                for entry in polib.pofile(str(path)):
                    with self.subTest(f"{addon}/{path.name}: {entry.msgid}"):
                        self.assertEqual(
                            Counter(KEPT.findall(entry.msgstr)), Counter(KEPT.findall(entry.msgid))
                        )

    def test_a_greek_cashier_reads_greek(self):
        self.env["res.lang"]._activate_lang("el_GR")
        self.env["ir.module.module"].search([("name", "=", "viva_payments")])._update_translations(
            ["el_GR"]
        )
        transactions = self.env["viva.transaction"].with_context(lang="el_GR")
        labels = dict(transactions._fields["state"]._description_selection(transactions.env))
        self.assertEqual(labels["approved"], "Εγκρίθηκε")
        self.assertIn("Μη χρεώσετε ξανά", transactions.new({"state": "unknown"})._words())
        till = code_translations.get_web_translations("viva_payments", "el_GR")["messages"]
        self.assertIn({"id": "Check again", "string": "Νέος έλεγχος"}, till)
