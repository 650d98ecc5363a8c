"""Moving over from Odoo's own pos_viva_com, really installed beside us."""

import json
from pathlib import Path

from lib import databases
from lib.environment import Environment

SCRIPT = Path(__file__).with_name("move_over.py")


def test_credentials_and_terminals_are_copied_once(environment: Environment, tmp_path: Path):
    facts = tmp_path / "facts.json"
    variables = {**environment.variables, "LIVE_FACTS": str(facts)}
    template = databases.template(environment)
    with databases.throw_away(environment, "moveover", template) as name:
        environment.odoo("-d", name, "-i", "pos_viva_com", "--stop-after-init")
        with open(SCRIPT) as script:
            environment.odoo("shell", "-d", name, stdin=script, env=variables)
    first, second = json.loads(facts.read_text())["found"]
    assert first == second
    assert first["offered"]
    assert first["accounts"] == [
        {
            "environment": environment_name,
            "secret": "old-secret",
            "merchant": "33333333-2222-3333-4444-555555555555",
            "terminals": terminals,
        }
        for environment_name, terminals in (
            ("demo", ["17100001"]),
            ("live", ["17100001", "17100002"]),
        )
    ]
    assert json.loads(facts.read_text())["kept"] == ["old-secret"] * 3
