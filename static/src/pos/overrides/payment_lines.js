import { PaymentScreenPaymentLines } from "@point_of_sale/app/screens/payment_screen/payment_lines/payment_lines";
import { patch } from "@web/core/utils/patch";

import { isVivaLine } from "../odoo_glue";
import { VivaStatus } from "../viva_status/viva_status";

patch(PaymentScreenPaymentLines, {
    components: { ...PaymentScreenPaymentLines.components, VivaStatus },
});

patch(PaymentScreenPaymentLines.prototype, {
    isVivaLine(line) {
        return isVivaLine(line);
    },
});
