{
    "name": "Viva.com Payments: managers by PIN",
    "summary": "On tills with employee login a manager accepts a doubtful card payment with a PIN, checked on the server",
    "version": "19.0.1.0.0",
    "category": "Sales/Point of Sale",
    "license": "LGPL-3",
    "author": "Viva Payments for Odoo contributors",
    "depends": ["viva_payments", "pos_hr"],
    "data": ["security/ir.model.access.csv"],
    "assets": {
        "point_of_sale._assets_pos": ["viva_payments_pos_hr/static/src/pos/**/*"],
        "web.assets_unit_tests": ["viva_payments_pos_hr/static/tests/unit/**/*"],
    },
    "auto_install": True,
}
