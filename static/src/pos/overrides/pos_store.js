import { PosStore } from "@point_of_sale/app/services/pos_store";
import { patch } from "@web/core/utils/patch";
import { markRaw } from "@odoo/owl";

import { isLeftWaiting, isPaidLine, isVivaLine, isVivaMethod } from "../odoo_glue";
import { VivaTill } from "../viva_till";

patch(PosStore.prototype, {
    async setup() {
        await super.setup(...arguments);
        this.viva = markRaw(new VivaTill(this));
        this.viva.start();
    },

    /** The button on the product screen: a card needs its panel, so go to the payment screen and send there. */
    async validateOrderFast(paymentMethod) {
        if (!isVivaMethod(paymentMethod)) {
            return super.validateOrderFast(...arguments);
        }
        this.viva.sendWhenShown = { method: paymentMethod };
        return this.pay();
    },

    /**
     * Whoever logs in while his card payment runs, e.g. back from its app in a new tab, has it on the screen. Odoo
     * remembers what a getter says until a record that it has read changes: it may ask the lines only.
     */
    get defaultPage() {
        const order = this.getOrder();
        const isRunning = (line) => isVivaLine(line) && isLeftWaiting(line);
        return order && !order.finalized && order.payment_ids.some(isRunning)
            ? { page: "PaymentScreen", params: { orderUuid: order.uuid } }
            : super.defaultPage;
    },

    /** The card was charged: another payment method would not give the money back. */
    canEditPayment(order) {
        const isCharged = order.payment_ids.some((line) => isVivaLine(line) && isPaidLine(line));
        return !isCharged && super.canEditPayment(...arguments);
    },

    /** An order that goes away must not leave money held on a card behind it. */
    async _onBeforeDeleteOrder(order) {
        if (
            this.viva?.isVivaTill &&
            !order.finalized &&
            !(await this.viva.holds.mayRemove(order))
        ) {
            return false;
        }
        return super._onBeforeDeleteOrder(...arguments);
    },
});
