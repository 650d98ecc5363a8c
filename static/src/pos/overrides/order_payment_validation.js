import OrderPaymentValidation from "@point_of_sale/app/utils/order_payment_validation";
import { AlertDialog } from "@web/core/confirmation_dialog/confirmation_dialog";
import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";

patch(OrderPaymentValidation.prototype, {
    /** Odoo would drop a line that is not done; its terminal may be taking the money this very moment. */
    async askBeforeValidation() {
        if (this.pos.viva.openLine(this.order)) {
            this.pos.dialog.add(AlertDialog, {
                title: _t("A card payment is still open"),
                body: _t(
                    "Wait until the terminal has finished, or press Cancel on the payment line. If its result stays " +
                        "unknown, remove the line first."
                ),
            });
            return false;
        }
        await this.pos.viva.tips.settled(this.order);
        return super.askBeforeValidation(...arguments);
    },
});
