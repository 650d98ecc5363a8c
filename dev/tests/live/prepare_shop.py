"""The shop of the live tests. Runs inside ``odoo shell``; arguments by environment, facts into a file.

``LIVE_SIMULATOR`` is the simulator's address, ``LIVE_FACTS`` the JSON file that tells the tests what
exists. A second company holds the account of a second merchant and sells nothing.
"""

import json
import os
from pathlib import Path

from odoo import Command

SIMULATOR = os.environ["LIVE_SIMULATOR"]
TERMINALS = [str(17000001 + number) for number in range(20)]
# Beside the tills: they ring in the office.
OFFICE_TERMINALS = [str(17000301 + number) for number in range(5)]
# Who bills and charges, and who also gives money back and keeps the books.
BILLING = ["base.group_user", "account.group_account_invoice"]
ACCOUNTING = ["base.group_user", "account.group_account_user", "account.group_account_manager"]
OFFICE = {
    "biller": BILLING,
    "other_biller": BILLING,
    "accountant": ACCOUNTING,
    "other_accountant": ACCOUNTING,
}
TILLS = 10
TILLS_WITH_CASH = 2


def make_company(env, name):
    company = env["res.company"].create({"name": name})
    env["account.chart.template"].try_loading("generic_coa", company, install_demo=False)
    euro = env.ref("base.EUR")
    euro.active = True
    company.currency_id = euro
    env.ref("base.user_admin").company_ids |= company
    return company


def make_account(env, company, merchant, prefix):
    return env["viva.account"].create(
        {
            "name": f"Viva of {company.name}",
            "company_id": company.id,
            "environment": "custom",
            **dict.fromkeys(("accounts_url", "api_url", "www_url"), SIMULATOR),
            "client_id": f"{prefix}-client.apps.vivapayments.com",
            "client_secret": f"{prefix}-secret",
            "merchant_id": merchant,
            "api_key": f"{prefix}-api-key",
        }
    )


def make_terminals(env, account, viva_ids, name="Terminal"):
    model = env.ref("viva_payments.terminal_model_a920_pro")
    return env["viva.terminal"].create(
        [
            {
                "name": f"{name} {number}",
                "viva_id": viva_id,
                "account_id": account.id,
                "model_id": model.id,
            }
            for number, viva_id in enumerate(viva_ids, 1)
        ]
    )


def make_user(env, company, login, *groups):
    return (
        env["res.users"]
        .with_context(no_reset_password=True)
        .create(
            {
                "name": login.title(),
                "login": login,
                "password": login,
                "company_id": company.id,
                "company_ids": [Command.set(company.ids)],
                "group_ids": [Command.set([env.ref(group).id for group in groups])],
            }
        )
    )


def make_methods(env, company, terminals):
    """One by card for all tills, and one in cash for each of the first tills: cash is not shared."""
    journals, methods = env["account.journal"], env["pos.payment.method"]
    bank = journals.create(
        {"name": "Card", "type": "bank", "code": "CARD", "company_id": company.id}
    )
    by_card = methods.create(
        {
            "name": "Viva",
            "company_id": company.id,
            "journal_id": bank.id,
            "payment_method_type": "terminal",
            "use_payment_terminal": "viva",
            "viva_terminal_ids": [Command.set(terminals.ids)],
        }
    )
    in_cash = methods
    for number in range(TILLS_WITH_CASH):
        journal = journals.create(
            {
                "name": f"Cash {number}",
                "type": "cash",
                "code": f"CSL{number}",
                "company_id": company.id,
            }
        )
        in_cash |= methods.create(
            {"name": f"Cash {number}", "company_id": company.id, "journal_id": journal.id}
        )
    return by_card, in_cash


def make_office(env, company, account):
    """A bank journal in which invoices are charged, people with exactly the needed rights, customers."""
    bank = env["account.journal"].create(
        {"name": "Office", "type": "bank", "code": "OFFI", "company_id": company.id}
    )
    account.journal_id = bank
    terminals = make_terminals(env, account, OFFICE_TERMINALS, "Office")
    for login, groups in OFFICE.items():
        make_user(env, company, login, *groups)
    customers = env["res.partner"].create(
        [{"name": f"Customer {number}", "company_id": company.id} for number in (1, 2)]
    )
    (income,) = env["account.account"].search(
        [("company_ids", "in", company.ids), ("account_type", "=", "income")], limit=1
    )
    other_ways = [line.id for line in bank.inbound_payment_method_line_ids if line.code == "manual"]
    return {
        "journal": bank.id,
        "line_in": _line(bank.inbound_payment_method_line_ids),
        "line_out": _line(bank.outbound_payment_method_line_ids),
        "by_hand": other_ways[0],
        "terminals": {terminal.viva_id: terminal.id for terminal in terminals},
        "customers": customers.ids,
        "income": income.id,
    }


def _line(lines):
    """The method line of Viva's terminals."""
    (line,) = (line for line in lines if line.code == "viva")
    return line.id


def make_tills(env, company, by_card, in_cash):
    cash = [*in_cash, *[env["pos.payment.method"]] * (TILLS - len(in_cash))]
    return env["pos.config"].create(
        [
            {
                "name": f"Till {number}",
                "company_id": company.id,
                "payment_method_ids": [Command.set((by_card | own).ids)],
            }
            for number, own in enumerate(cash, 1)
        ]
    )


def main(env):
    company = make_company(env, "Live Shop")
    other_company = make_company(env, "Other Live Shop")
    env = env["res.company"].with_company(company).env
    env["ir.config_parameter"].set_param("web.base.url", "http://127.0.0.1")
    account = make_account(env, company, "11111111-2222-3333-4444-555555555555", "sim")
    other_account = make_account(env, other_company, "22222222-2222-3333-4444-555555555555", "sim2")
    terminals = make_terminals(env, account, TERMINALS)
    make_user(env, company, "cashier", "base.group_user", "point_of_sale.group_pos_user")
    make_user(env, company, "refunder", "base.group_user", "viva_payments.group_viva_refund")
    unreferenced = "viva_payments.group_viva_unreferenced_refund"
    make_user(env, company, "trusted", "base.group_user", unreferenced)
    manager = make_user(
        env,
        company,
        "manager",
        "point_of_sale.group_pos_manager",
        "viva_payments.group_viva_manager",
    )
    account.responsible_id = manager
    by_card, in_cash = make_methods(env, company, terminals)
    tills = make_tills(env, company, by_card, in_cash)
    office = make_office(env, company, account)
    product = env["product.product"].create(
        {
            "name": "Coffee",
            "list_price": 19.99,
            "available_in_pos": True,
            "taxes_id": [Command.clear()],
        }
    )
    # Only our own job, and only when a test or a webhook wants it.
    cron = env.ref("viva_payments.cron_settle")
    env["ir.cron"].search([("id", "!=", cron.id)]).active = False
    cron.write({"interval_type": "months", "nextcall": "2100-01-01 00:00:00"})
    env.cr.commit()
    administrator = env.ref("base.user_admin")
    for checked in (account, other_account):
        checked.with_user(administrator).with_company(checked.company_id).action_check()
    env.cr.commit()
    facts = {
        "company": company.id,
        "company_name": company.name,
        "accounts": [account.id, other_account.id],
        "paths": [account.webhook_path, other_account.webhook_path],
        "terminals": {terminal.viva_id: terminal.id for terminal in terminals},
        "card_method": by_card.id,
        "cash_methods": in_cash.ids,
        "tills": tills.ids,
        "product": product.id,
        "cron": cron.id,
        "office": office,
    }
    Path(os.environ["LIVE_FACTS"]).write_text(json.dumps(facts))


main(env)  # noqa: F821 (given by odoo shell)
