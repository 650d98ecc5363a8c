import os

from odoo import models


class PosPaymentMethod(models.Model):
    _inherit = "pos.payment.method"

    def _viva_com_account_get_endpoint(self):
        return os.environ["BENCH_VIVA"]

    def _viva_com_api_get_endpoint(self):
        return os.environ["BENCH_VIVA"]

    def _viva_com_webhook_get_endpoint(self):
        return os.environ["BENCH_VIVA"]
