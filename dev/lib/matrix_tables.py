"""The tables of docs/terminals.md: which model speaks which protocol, which protocol carries out which operation."""

import csv
import re
from pathlib import Path

from drivers import CAPABILITIES_OF, Capabilities, Operation

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "terminals.md"
MODELS = ROOT / "data" / "viva.terminal.model.csv"
BEGIN, END = "<!-- made by ./dev/matrix -->", "<!-- end -->"

PROTOCOLS = {
    "cloud": "Cloud Terminal API",
    "local": "Local Terminal API",
    "app_to_app": "App-to-App",
    "tcp": "TCP/IP",
}
# What Viva's transactions API does without card and terminal, once it has listed the payment.
WITHOUT_TERMINAL = {Operation.CAPTURE, Operation.REFUND, Operation.VOID, Operation.RELEASE}
MORE = {
    "abort": "Cancel from the till",
    "partial_refund": "Refund of a part",
    "unreferenced_refund": "Credit without a sale",
    "installments": "Installments",
    "tip": "Tip from the till",
    "recalls": "A lost answer is asked for again",
    "fiscal": "Carries fiscal data",
}


def tables() -> str:
    return f"{_models()}\n\n{_operations()}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _models() -> str:
    with open(MODELS, newline="") as file:
        models = [row for row in csv.DictReader(file) if row["code"] != "other"]
    lines = [_row("Model", *PROTOCOLS.values(), "Note"), _row(*["---"] * (len(PROTOCOLS) + 2))]
    for model in models:
        maker = "" if model["maker"] == "any" else model["maker"]
        name = f"{maker} {model['name']}".strip().replace("|", r"\|")
        marks = ["yes" if model[code] == "1" else "–" for code in PROTOCOLS]
        lines.append(_row(name, *marks, model["note"]))
    return "\n".join(lines)


def _operations() -> str:
    lines = [_row("", *PROTOCOLS.values()), _row(*["---"] * (len(PROTOCOLS) + 1))]
    for operation in Operation:
        cells = [_operation(CAPABILITIES_OF[code], operation) for code in PROTOCOLS]
        lines.append(_row(operation.value.capitalize(), *cells))
    for field, words in MORE.items():
        cells = ["yes" if getattr(CAPABILITIES_OF[code], field) else "–" for code in PROTOCOLS]
        lines.append(_row(words, *cells))
    return "\n".join(lines)


def _operation(capabilities: Capabilities, operation: Operation) -> str:
    if operation in capabilities.operations:
        return "yes"
    return "without terminal" if operation in WITHOUT_TERMINAL else "–"


def page() -> str:
    """The whole page with its tables as they should be."""
    block = re.compile(f"{BEGIN}.*?{END}", re.DOTALL)
    return block.sub(f"{BEGIN}\n{tables()}\n{END}", PAGE.read_text())


if __name__ == "__main__":
    PAGE.write_text(page())
