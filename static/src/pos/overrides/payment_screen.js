import { PaymentScreen } from "@point_of_sale/app/screens/payment_screen/payment_screen";
import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";
import { onMounted, onWillUnmount, status } from "@odoo/owl";

import { toMajor } from "../../shared/minor_units";
import { LINE, isPaidLine, isVivaLine, isVivaMethod } from "../odoo_glue";
import { isInApp } from "../viva_attempt";
import { openVivaPanel } from "../viva_panel/viva_panel";

patch(PaymentScreen.prototype, {
    setup() {
        super.setup(...arguments);
        onMounted(() => {
            this.pos.viva.screen = this;
            this.takeUpVivaLines();
        });
        onWillUnmount(() => {
            if (this.pos.viva.screen === this) {
                this.pos.viva.screen = null;
            }
        });
    },

    openVivaPanel() {
        openVivaPanel(this.pos);
    },

    /** Lines that were left waiting, and what happened while no payment screen was there. */
    takeUpVivaLines() {
        const wanted = this.pos.viva.sendWhenShown;
        this.pos.viva.sendWhenShown = null;
        for (const line of this.paymentLines.filter((line) => isVivaLine(line))) {
            if (this.pos.viva.isUnseen(line)) {
                this.waitForViva(line, this.pos.viva.resume(line));
            }
        }
        if (wanted?.plan) {
            this.addVivaLine(wanted);
        } else if (wanted) {
            this.addNewPaymentLine(wanted.method);
        }
    },

    /** A line with a plan that the cashier has confirmed elsewhere: sent at once. */
    async addVivaLine({ method, plan, amount, order, refundOf }) {
        const current = this.currentOrder;
        if (
            (order && order !== current.uuid) ||
            (refundOf && refundOf !== current.refunded_order_id?.uuid)
        ) {
            return;
        }
        this.paymentLines
            .filter((line) => this.isUnchargedVivaLine(line))
            .forEach((line) => current.removePaymentline(line));
        const line = this.putVivaLine(method, plan, amount);
        if (line) {
            await this.sendPaymentRequest(line);
        }
    },

    /** Add a line of what is due, but not more than its plan allows. */
    putVivaLine(method, plan, amount) {
        const order = this.currentOrder;
        const { status: isAdded, data: line } = order.addPaymentline(method);
        if (!isAdded) {
            this.pos.viva.outcome.say(_t("Card payment not possible"), line);
            return undefined;
        }
        const most = plan.leftMinor
            ? toMajor(plan.leftMinor, this.pos.config.viva_digits)
            : Math.abs(line.amount);
        const wanted = Math.min(Math.abs(amount ?? line.amount), most);
        line.setAmount(plan.operation === "refund" ? -wanted : wanted);
        line.setPaymentStatus(LINE.toSend);
        this.pos.viva.plans.set(line, plan);
        this.numberBuffer.set(line.amount.toString());
        return line;
    },

    /** Odoo refuses a further line beside one that was not charged: it is sent again, or makes room. */
    async addNewPaymentLine(paymentMethod) {
        const uncharged = this.paymentLines.find((line) => this.isUnchargedVivaLine(line));
        if (uncharged?.payment_method_id.id === paymentMethod.id) {
            this.currentOrder.selectPaymentline(uncharged);
            if (uncharged.amount < 0) {
                return true; // money goes back only by its own button
            }
            // The order may have changed since: the method asks for what is due now, as on a new line.
            const due = this.currentOrder.getDefaultAmountDueToPayIn(paymentMethod);
            const isWhole = this.pos.viva.plans.of(uncharged)?.operation !== "capture";
            if (isWhole && uncharged.amount !== due) {
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
                this.pos.viva.outcome.say(_t("Card payment not possible"), obstacle);
                return false;
            }
            if (this.currentOrder.totalDue < 0 && amount < 0) {
                return this.addVivaRefundLine(paymentMethod);
            }
        }
        const isAdded = await super.addNewPaymentLine(...arguments);
        // Odoo sends no line of a refund order by itself; what the customer keeps is paid like any sale.
        const line = this.selectedPaymentLine;
        if (isAdded && this.isRefundOrder && isVivaLine(line) && line.amount > 0) {
            line.setPaymentStatus(LINE.toSend);
        }
        return isAdded;
    },

    /** Which card gets money back; the line then waits for its Refund button. */
    async addVivaRefundLine(method) {
        if (this.currentOrder.electronicPaymentInProgress()) {
            return super.addNewPaymentLine(method);
        }
        const order = this.currentOrder;
        const plan = await this.pos.viva.moneyBack.propose(order, method);
        if (!plan || status(this) === "destroyed" || order !== this.currentOrder) {
            return false;
        }
        return Boolean(this.putVivaLine(method, plan));
    },

    /** Digits typed on a line that gives money back are meant as money back. */
    updateSelectedPaymentline() {
        super.updateSelectedPaymentline(...arguments);
        const line = this.selectedPaymentLine;
        if (
            isVivaLine(line) &&
            line.amount > 0 &&
            this.isUnchargedVivaLine(line) &&
            this.pos.viva.plans.of(line)?.operation === "refund"
        ) {
            line.setAmount(-line.amount);
        }
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
        const isNews = this.pos.viva.seen(paidLine);
        await this.pos.viva.tips.settled(order);
        if (isNews && isInApp(this.pos.viva.attemptOf(paidLine))) {
            await this.pos.viva.tabs.inFront();
        }
        if (
            isNews &&
            isPaidLine(paidLine) &&
            order.isPaid() &&
            !order.isRefundInProcess() &&
            !order.finalized &&
            !this.pos.viva.tips.undecided(order).length &&
            status(this) !== "destroyed" &&
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

    /** Odoo would leave a line of nothing behind; ours goes when the money is back on the card. */
    async sendPaymentReverse(line) {
        if (!isVivaLine(line)) {
            return super.sendPaymentReverse(...arguments);
        }
        await this.pos.viva.moneyBack.voidLine(line.uuid);
    },

    async sendForceDone(line) {
        if (!isVivaLine(line)) {
            return super.sendForceDone(...arguments);
        }
        await this.pos.viva.buttons.force(line.uuid);
    },
});
