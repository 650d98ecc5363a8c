import OrderPaymentValidation from "@point_of_sale/app/utils/order_payment_validation";
import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";

import { isPaidLine, isVivaLine, mustBeSent } from "../odoo_glue";

patch(OrderPaymentValidation.prototype, {
    /**
     * Odoo would drop a line that is not done; its terminal may be taking the money this very moment. And it takes a
     * line for paid whose money is just going back.
     */
    async askBeforeValidation() {
        if (this.pos.viva.openLine(this.order)) {
            this.pos.viva.outcome.say(
                _t("A card payment is still open"),
                _t(
                    "Wait until the terminal has finished, or press Cancel on the payment line. If its result stays " +
                        "unknown, remove the line first."
                )
            );
            return false;
        }
        if (this.pos.viva.voidingLine(this.order)) {
            this.pos.viva.outcome.say(
                _t("Money of this order is going back"),
                _t(
                    "A card payment is being voided. Wait until it is known what became of it: press Check again on the " +
                        "payment line."
                )
            );
            return false;
        }
        const withdrawn = this.pos.viva.withdrawnLine(this.order);
        if (withdrawn) {
            await this.pos.viva.buttons.checkAgain(withdrawn.uuid);
        }
        if (this.pos.viva.withdrawnLine(this.order)) {
            this.pos.viva.outcome.say(
                _t("A card payment is not certain"),
                _t(
                    "It was found not to count any more, and nobody can tell at the moment whether that has changed. " +
                        "Check the network, then press Validate again."
                )
            );
            return false;
        }
        if (withdrawn && !this.order.isPaid()) {
            return false; // its line has said why
        }
        await this.pos.viva.tips.takeUp(this.order);
        // A line that was approved while another browser had it may count as sent although Odoo never saw its slip.
        this.order.payment_ids
            .filter((line) => isVivaLine(line) && isPaidLine(line))
            .forEach(mustBeSent);
        return super.askBeforeValidation(...arguments);
    },
});
