import { PaymentInterface, registerVivaInterface } from "./odoo_glue";

/** What Odoo calls on a Viva method. The work is done by `pos.viva`, which outlives screens and lines. */
export class PaymentViva extends PaymentInterface {
    /** Tapping the method sends at once. */
    get fastPayments() {
        return true;
    }

    /** @returns {Promise<boolean>} true: paid. Always settles, never rejects. */
    sendPaymentRequest(uuid) {
        return this.pos.viva.charge(uuid);
    }

    /** @returns {Promise<boolean>} true: surely not charged. Never rejects. */
    sendPaymentCancel(order, uuid) {
        return this.pos.viva.buttons.cancel(uuid);
    }
}

registerVivaInterface(PaymentViva);
