{
    "name": "Viva.com Payments: sales orders",
    "summary": "Deposits held by card for quotations and sales orders, captured for their invoices",
    "version": "19.0.1.0.0",
    "category": "Sales/Sales",
    "license": "LGPL-3",
    "author": "Viva Payments for Odoo contributors",
    "depends": ["viva_payments", "sale"],
    "data": [
        "views/sale_order_views.xml",
        "views/viva_hold_views.xml",
    ],
    "auto_install": True,
}
