"""The documentation speaks of what is there: messages that the product shows, pictures and pages that exist."""

import re
from pathlib import Path

import polib

from odoo.tests import BaseCase

ROOT = Path(__file__).resolve().parents[1]


class TestDocumentation(BaseCase):
    def test_messages_of_the_troubleshooting_table(self):
        text = (ROOT / "README.md").read_text()
        table = text.partition("## Troubleshooting")[2].partition("\n## ")[0]
        messages = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
        self.assertTrue(messages)
        pots = [*ROOT.glob("i18n/*.pot"), *ROOT.glob("bridges/*/i18n/*.pot")]
        shown = [entry.msgid for pot in pots for entry in polib.pofile(str(pot))]
        for message in messages:
            words = ".*".join(map(re.escape, message.split("…")))
            with self.subTest(message):
                self.assertTrue(any(re.search(words, text, re.DOTALL) for text in shown))

    def test_links_lead_somewhere(self):
        for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/*.md")]:
            for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
                with self.subTest(f"{page.name}: {target}"):
                    self.assertTrue("://" in target or (page.parent / target).exists())

    def test_every_picture_is_used(self):
        pages = "".join(page.read_text() for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")])
        pictures = [f"img/{picture.name}" for picture in ROOT.glob("docs/img/*.png")]
        self.assertFalse([picture for picture in pictures if picture not in pages])
