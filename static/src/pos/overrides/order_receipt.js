import { OrderReceipt } from "@point_of_sale/app/screens/receipt_screen/receipt/order_receipt";
import { patch } from "@web/core/utils/patch";

import { isVivaMethod } from "../odoo_glue";

patch(OrderReceipt.prototype, {
    /** Whether a payment of this order moved no money. */
    get isVivaDemo() {
        return this.order.payment_ids.some(
            ({ payment_method_id }) =>
                isVivaMethod(payment_method_id) && payment_method_id.viva_demo
        );
    },
});
