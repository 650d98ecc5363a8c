"""Runs inside ``odoo shell`` on a database with pos_viva_com: makes its payment methods, moves over twice.

What the accounts hold afterwards goes as JSON into the file ``LIVE_FACTS``.
"""

import json
import os
from pathlib import Path

OLD = {
    "viva_com_client_id": "old.apps.vivapayments.com",
    "viva_com_client_secret": "old-secret",
    "viva_com_merchant_id": "33333333-2222-3333-4444-555555555555",
    "viva_com_api_key": "old-key",
}


def make_methods(env):
    """As they are after years of use. Past the ORM: pos_viva_com would call Viva for each."""
    for name, terminal, test_mode in (
        ("Card 1", "17100001", False),
        ("Card 2", "17100002", False),
        ("Card test", "17100001", True),
    ):
        method = env["pos.payment.method"].create({"name": name, "payment_method_type": "terminal"})
        values = {
            **OLD,
            "viva_com_terminal_id": terminal,
            "viva_com_test_mode": test_mode,
            "use_payment_terminal": "viva_com",
        }
        env.flush_all()
        columns = ", ".join(f"{column} = %s" for column in values)
        env.cr.execute(
            f"UPDATE pos_payment_method SET {columns} WHERE id = %s", (*values.values(), method.id)
        )
    env.invalidate_all()


def facts(env):
    settings = env["res.config.settings"].create({})
    return {
        "offered": settings.viva_can_move_over,
        "action": settings.action_viva_move_over()["res_model"],
        "accounts": [
            {
                "environment": account.environment,
                "secret": account.client_secret,
                "merchant": account.merchant_id,
                "terminals": sorted(account.terminal_ids.mapped("viva_id")),
            }
            for account in env["viva.account"].search([], order="environment")
        ],
    }


def main(env):
    env = env(user=env.ref("base.user_admin"))
    make_methods(env)
    found = [facts(env), facts(env)]
    old = env["pos.payment.method"].search([("use_payment_terminal", "=", "viva_com")])
    kept = [method.viva_com_client_secret for method in old]
    Path(os.environ["LIVE_FACTS"]).write_text(json.dumps({"found": found, "kept": kept}))


main(env)  # noqa: F821 (given by odoo shell)
