import { PaymentScreen } from "@point_of_sale/app/screens/payment_screen/payment_screen";
import { AlertDialog } from "@web/core/confirmation_dialog/confirmation_dialog";
import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";
import { onMounted, status } from "@odoo/owl";

import { LINE, isVivaLine, isVivaMethod } from "../odoo_glue";

patch(PaymentScreen.prototype, {
    setup() {
        super.setup(...arguments);
        onMounted(() => this.takeUpVivaLines());
    },

    /** Lines that were left waiting, and what happened while no payment screen was there. */
    takeUpVivaLines() {
        const method = this.pos.viva.sendWhenShown;
        this.pos.viva.sendWhenShown = null;
        for (const line of this.paymentLines.filter((line) => isVivaLine(line))) {
            if (this.pos.viva.isUnseen(line)) {
                this.waitForViva(line, this.pos.viva.resume(line));
            }
        }
        if (method) {
            this.addNewPaymentLine(method);
        }
    },

    /** Odoo refuses a further line beside one that was not charged: it is sent again, or makes room. */
    async addNewPaymentLine(paymentMethod) {
        const uncharged = this.paymentLines.find((line) => this.isUnchargedVivaLine(line));
        if (uncharged?.payment_method_id.id === paymentMethod.id) {
            this.currentOrder.selectPaymentline(uncharged);
            // The order may have changed since: the method asks for what is due now, as on a new line.
            const due = this.currentOrder.getDefaultAmountDueToPayIn(paymentMethod);
            if (uncharged.amount !== due) {
                uncharged.setAmount(due);
            }
            await this.sendPaymentRequest(uncharged);
            return true;
        }
        if (uncharged) {
            this.currentOrder.removePaymentline(uncharged);
        }
        if (isVivaMethod(paymentMethod)) {
            const amount = this.currentOrder.getDefaultAmountDueToPayIn(paymentMethod);
            const obstacle = this.pos.viva.obstacle(this.currentOrder, paymentMethod, amount);
            if (obstacle) {
                this.dialog.add(AlertDialog, {
                    title: _t("Card payment not possible"),
                    body: obstacle,
                });
                return false;
            }
        }
        return super.addNewPaymentLine(...arguments);
    },

    isUnchargedVivaLine(line) {
        return (
            isVivaLine(line) &&
            [LINE.toSend, LINE.retry].includes(line.payment_status) &&
            !this.pos.viva.isBusy(line)
        );
    },

    async sendPaymentRequest(line) {
        if (!isVivaLine(line)) {
            return super.sendPaymentRequest(...arguments);
        }
        if (this.pos.viva.isBusy(line)) {
            return;
        }
        this.numberBuffer.capture();
        this.paymentLines.forEach((other) => (other.can_be_reversed = false));
        await this.waitForViva(line, line.pay());
    },

    /** Odoo validates a fully paid order by itself; a screen that has been left meanwhile must not. */
    async waitForViva(line, end) {
        const { uuid } = line;
        await end;
        const paidLine = this.pos.viva.lines.find(uuid);
        if (!paidLine || status(this) === "destroyed") {
            return;
        }
        const order = paidLine.pos_order_id;
        if (
            this.pos.viva.seen(paidLine) &&
            order.isPaid() &&
            !order.finalized &&
            this.pos.config.auto_validate_terminal_payment
        ) {
            await this.validateOrder(false);
        }
    },

    /** A line that may still be charged stays until it is known that it was not. */
    deletePaymentLine(uuid) {
        const line = this.paymentLines.find((line) => line.uuid === uuid);
        if (!isVivaLine(line) || !this.pos.viva.isOpen(line)) {
            return super.deletePaymentLine(...arguments);
        }
        return this.pos.viva.buttons.remove(uuid).then(() => this.numberBuffer.reset());
    },

    async sendPaymentCancel(line) {
        if (!isVivaLine(line)) {
            return super.sendPaymentCancel(...arguments);
        }
        await this.pos.viva.buttons.cancel(line.uuid);
    },

    async sendForceDone(line) {
        if (!isVivaLine(line)) {
            return super.sendForceDone(...arguments);
        }
        await this.pos.viva.buttons.force(line.uuid);
    },
});
