"""``python po_merge.py FOLDER …``: bring the .po files of each folder in line with its .pot."""

import sys
from pathlib import Path

import polib

# The bridges lie within the addon's folder, but have translations of their own.
FOREIGN = "addons/viva_payments/bridges/"


def tidy(template: Path) -> polib.POFile:
    """The template without what belongs to the bridges and without the hour of its making."""
    pot = polib.pofile(str(template), wrapwidth=78)
    for entry in list(pot):
        entry.occurrences = [place for place in entry.occurrences if FOREIGN not in place[0]]
        if not entry.occurrences:
            pot.remove(entry)
    for date in ("POT-Creation-Date", "PO-Revision-Date"):
        pot.metadata.pop(date, None)
    pot.save()
    return pot


def merge(template: Path) -> bool:
    """Whether every translation beside ``template`` is complete."""
    complete = True
    pot = tidy(template)
    for path in sorted(template.parent.glob("*.po")):
        po = polib.pofile(str(path), wrapwidth=78)
        po.merge(pot)
        for entry in po.obsolete_entries():
            po.remove(entry)
        po.sort(key=lambda entry: entry.msgid)
        po.save()
        left = len(po.untranslated_entries())
        complete = complete and not left
        print(f"{path}: {len(po)} texts, {left} left to translate")
    return complete


if __name__ == "__main__":
    results = [merge(pot) for folder in sys.argv[1:] for pot in Path(folder).glob("*.pot")]
    sys.exit(not all(results))
