{
    "name": "Viva.com Payments",
    "summary": "Card payments on Viva.com terminals, from the Point of Sale, on a ledger that loses nothing",
    "version": "19.0.1.0.0",
    "category": "Sales/Point of Sale",
    "license": "LGPL-3",
    "author": "Viva Payments for Odoo contributors",
    "depends": ["point_of_sale", "account"],
    "data": [
        "security/viva_security.xml",
        "security/ir.model.access.csv",
        "data/viva_data.xml",
        "data/viva.terminal.model.csv",
    ],
    "assets": {
        "point_of_sale._assets_pos": ["viva_payments/static/src/pos/**/*"],
        "web.assets_unit_tests": ["viva_payments/static/tests/unit/**/*"],
        "web.assets_tests": ["viva_payments/static/tests/tours/**/*"],
    },
}
