import { PaymentInterface, registerVivaInterface } from "./odoo_glue";

/** What Odoo calls on a Viva method. The work is done by `pos.viva`, which outlives screens and lines. */
export class PaymentViva extends PaymentInterface {
    setup() {
        super.setup(...arguments);
        this.supports_reversals = true;
    }

    /** Tapping the method sends at once. */
    get fastPayments() {
        return true;
    }

    /** @returns {Promise<boolean>} true: paid, or given back. Always settles, never rejects. */
    sendPaymentRequest(uuid) {
        return this.pos.viva.charge(uuid);
    }

    /** @returns {Promise<boolean>} true: surely not charged. Never rejects. */
    sendPaymentCancel(order, uuid) {
        return this.pos.viva.buttons.cancel(uuid);
    }

    /** @returns {Promise<boolean>} true: the money is back on the card, and the line is gone */
    sendPaymentReversal(uuid) {
        return this.pos.viva.moneyBack.voidLine(uuid);
    }
}

registerVivaInterface(PaymentViva);
