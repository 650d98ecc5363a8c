{
    "name": "Bench: pos_viva_com on the simulator",
    "summary": "Only for ./dev/bench: leads Odoo's own Viva.com module to the simulator",
    "version": "19.0.1.0.0",
    "category": "Hidden",
    "license": "LGPL-3",
    "author": "Viva Payments for Odoo contributors",
    "depends": ["pos_viva_com"],
}
