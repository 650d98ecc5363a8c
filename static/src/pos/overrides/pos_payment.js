import { PosPayment } from "@point_of_sale/app/models/pos_payment";
import { patch } from "@web/core/utils/patch";

import { isVivaLine } from "../odoo_glue";

patch(PosPayment.prototype, {
    /** The status of a Viva line is written by `pos.viva` alone: a late answer must not undo it. */
    pay() {
        if (isVivaLine(this)) {
            return this.payment_method_id.payment_terminal.sendPaymentRequest(this.uuid);
        }
        return super.pay(...arguments);
    },
});
