"""The demo shop: a company in euro, a till with cash and Viva, its people, something dear to sell, open invoices.

Runs inside ``odoo shell`` (lib/databases.py), as often as wanted: what exists is kept. The account is
a *custom* one and leads to the simulator, so no money moves.
"""

from odoo import Command, fields

COMPANY = "Demo Shop"
SIMULATOR = "http://127.0.0.1:8970"

ACCOUNT = {
    "environment": "custom",
    "accounts_url": SIMULATOR,
    "api_url": SIMULATOR,
    "www_url": SIMULATOR,
    "client_id": "sim-client.apps.vivapayments.com",
    "client_secret": "sim-secret",
    "merchant_id": "11111111-2222-3333-4444-555555555555",
    "api_key": "sim-api-key",
}
# Name, model, how it is reached. Tills also run on the first one, in the hand; the last two hang on the
# shop's network, where ./dev/run starts them at these ports.
TERMINALS = {
    "16000010": ("Counter", "a920_pro", {"protocol": "cloud", "allow_app": True}),
    "16000011": ("Bar", "a920_pro", {"protocol": "cloud"}),
    "16000030": ("Terrace", "cs50c", {"protocol": "local", "lan_port": 8971}),
    "16000040": ("Kitchen", "s900", {"protocol": "tcp", "lan_port": 8972}),
}
GATEWAY = "Shop"
# The cashier refunds; the manager also without a terminal, and decides what is in doubt. In the office one person
# bills and charges cards, the other one also gives money back and keeps the books.
USERS = {
    "cashier": (
        "Casey Cashier",
        [
            "base.group_user",
            "point_of_sale.group_pos_user",
            "viva_payments.group_viva_refund",
        ],
    ),
    "manager": (
        "Morgan Manager",
        [
            "base.group_user",
            "point_of_sale.group_pos_manager",
            "viva_payments.group_viva_manager",
        ],
    ),
    "billing": ("Billie Billing", ["base.group_user", "account.group_account_invoice"]),
    "accountant": (
        "Alex Accountant",
        ["base.group_user", "account.group_account_user", "account.group_account_manager"],
    ),
}
CUSTOMER = "Maria Papadaki"
# Enough for installments, and what people leave money on hold for.
PRODUCT, PRICE = "Bicycle rental deposit", 350
INSTALLMENTS = {100: 3, 300: 12}
# What is open at the office: customer, what was sold, amount, payment term. The last customer has a credit note too.
TERMS = "account.account_payment_term_advance_60days"  # 30 % now, the rest later
INVOICES = {
    "DEMO-1": (CUSTOMER, "Guided bicycle tour", 48.50, None),
    "DEMO-2": (CUSTOMER, "Repair of a bicycle", 19.99, None),
    "DEMO-3": ("Hotel Aegli", "Ten bicycles for a week", 1240.00, None),
    "DEMO-4": ("Hotel Aegli", "Bicycles for a season", 980.00, TERMS),
    "DEMO-5": ("Nikos Georgiou", "City bicycle", 349.00, None),
    "DEMO-6": ("Nikos Georgiou", "Bicycle lock", 25.00, None),
}
CREDIT_NOTE = ("DEMO-7", "Nikos Georgiou", "Bicycle lock, brought back", 25.00)


def find_or_create(model, name, **values):
    """The record of that name (in the company, if it has one), created when it is missing."""
    domain = [("name", "=", name)]
    if "company_id" in values:
        domain.append(("company_id", "=", values["company_id"]))
    return model.search(domain, limit=1) or model.create({"name": name, **values})


def prepare_company(env):
    """No country, so that no module of a country comes along; euro, because Viva has no dollars."""
    company = find_or_create(env["res.company"], COMPANY)
    if not company.chart_template:
        env["account.chart.template"].try_loading("generic_coa", company, install_demo=False)
        euro = env.ref("base.EUR")
        euro.active = True
        company.currency_id = euro
    return company


def prepare_users(env, company):
    admin = env.ref("base.user_admin")
    admin.write({"company_ids": [Command.link(company.id)], "company_id": company.id})
    for login, (name, groups) in USERS.items():
        if not env["res.users"].search([("login", "=", login)]):
            env["res.users"].with_context(no_reset_password=True).create(
                {
                    "name": name,
                    "login": login,
                    "password": login,
                    "company_id": company.id,
                    "company_ids": [Command.set(company.ids)],
                    "group_ids": [Command.set([env.ref(group).id for group in groups])],
                }
            )
        user = env["res.users"].search([("login", "=", login)])
        user.group_ids = [Command.link(env.ref(group).id) for group in groups]


def prepare_terminals(env, company):
    account = find_or_create(
        env["viva.account"], "Viva (simulator)", company_id=company.id, **ACCOUNT
    )
    account.responsible_id = env["res.users"].search([("login", "=", "manager")])
    gateway = find_or_create(env["viva.gateway"], GATEWAY, company_id=company.id)
    for viva_id, (name, model, way) in TERMINALS.items():
        values = {
            "viva_id": viva_id,
            "account_id": account.id,
            "model_id": env.ref(f"viva_payments.terminal_model_{model}").id,
            **way,
        }
        if "lan_port" in way:
            values |= {"gateway_id": gateway.id, "lan_host": "127.0.0.1"}
        known = [("viva_id", "=", viva_id), ("account_id", "=", account.id)]
        if not env["viva.terminal"].search(known):
            env["viva.terminal"].create({"name": name, **values})
    return account


def prepare_till(env, company, account):
    bank, cash = (
        env["account.journal"].search(
            [("type", "=", kind), ("company_id", "=", company.id)], limit=1
        )
        or env["account.journal"].create(
            {"name": kind.title(), "type": kind, "code": kind.upper(), "company_id": company.id}
        )
        for kind in ("bank", "cash")
    )
    methods = env["pos.payment.method"]
    company_id = company.id
    by_cash = find_or_create(methods, "Cash", company_id=company_id, journal_id=cash.id)
    by_card = find_or_create(
        methods,
        "Card (Viva.com)",
        company_id=company_id,
        journal_id=bank.id,
        payment_method_type="terminal",
        use_payment_terminal="viva",
        viva_terminal_ids=[Command.set(account.terminal_ids.ids)],
    )
    prepare_offers(env, company, by_card)
    prepare_office(account, bank, by_card.viva_tip_account_id)
    return find_or_create(
        env["pos.config"],
        COMPANY,
        company_id=company_id,
        payment_method_ids=[Command.set((by_cash | by_card).ids)],
    )


def prepare_offers(env, company, by_card):
    """Installments; and the till asks what to do with a tip, of which both answers are possible."""
    if not by_card.viva_installment_ids:
        by_card.viva_installment_ids = [
            Command.create({"amount_from": amount, "installments": most})
            for amount, most in INSTALLMENTS.items()
        ]
    if not by_card.viva_tip_account_id:
        tips = [("code", "=", "201900"), ("company_ids", "in", company.ids)]
        by_card.viva_tip_account_id = env["account.account"].search(tips, limit=1) or env[
            "account.account"
        ].create(
            {
                "name": "Tips for the staff",
                "code": "201900",
                "account_type": "liability_current",
                "company_ids": [Command.set(company.ids)],
            }
        )


def prepare_office(account, bank, tips):
    """Invoices are charged in the same bank journal, with the same installments; a tip waits in the same account."""
    if not account.journal_id:
        account.journal_id = bank
    if not account.tip_account_id:
        account.tip_account_id = tips
    if not account.installment_ids:
        account.installment_ids = [
            Command.create({"amount_from": amount, "installments": most})
            for amount, most in INSTALLMENTS.items()
        ]


def prepare_catalogue(env, company):
    """A customer for holds, and a product of this shop only."""
    find_or_create(env["res.partner"], CUSTOMER, company_id=company.id, phone="+30 21 0000 0000")
    find_or_create(
        env["product.template"],
        PRODUCT,
        company_id=company.id,
        type="service",
        list_price=PRICE,
        available_in_pos=True,
        taxes_id=[Command.clear()],
    )


def prepare_invoices(env, company):
    """Open invoices of three customers and a credit note. What people have done with them since is left alone."""
    moves = env["account.move"]
    kinds = {ref: "out_invoice" for ref in INVOICES} | {CREDIT_NOTE[0]: "out_refund"}
    rows = {**INVOICES, CREDIT_NOTE[0]: (*CREDIT_NOTE[1:], None)}
    known = moves.search([("company_id", "=", company.id), ("ref", "in", list(rows))])
    for ref in [ref for ref in rows if ref not in known.mapped("ref")]:
        customer, words, amount, term = rows[ref]
        partner = find_or_create(env["res.partner"], customer, company_id=company.id)
        moves.create(
            {
                "move_type": kinds[ref],
                "ref": ref,
                "partner_id": partner.id,
                "invoice_date": fields.Date.today(),
                "invoice_payment_term_id": env.ref(term).id if term else False,
                "invoice_line_ids": [
                    Command.create(
                        {"name": words, "price_unit": amount, "tax_ids": [Command.clear()]}
                    )
                ],
            }
        ).action_post()


def main(env):
    company = prepare_company(env)
    prepare_users(env, company)
    env = env["res.company"].with_company(company).env
    account = prepare_terminals(env, company)
    prepare_catalogue(env, company)
    prepare_till(env, company, account)
    prepare_invoices(env, company)
    env.cr.commit()


main(env)  # noqa: F821 (given by odoo shell)
