import { _t } from "@web/core/l10n/translation";

import { refusalWords } from "../shared/ask";
import { toMajor, toMinor } from "../shared/minor_units";
import { isPaidLine, isVivaLine } from "./odoo_glue";
import { operationOf } from "./viva_attempt";
import { confirm, decide } from "./viva_confirm/viva_confirm";

/** Tips that customers add on the terminal: part of the order, or money of its own for the accountant. */
export class VivaTips {
    /** @param {import("./viva_till").VivaTill} till */
    constructor(till) {
        this.till = till;
        this.pos = till.pos;
        /** What is being asked or booked, by payment uuid. */
        this.pending = new Map();
    }

    /** The line's payment was approved. Told twice, it acts once. */
    take(attempt, line) {
        const { tip_minor } = attempt.status;
        if (
            !tip_minor ||
            operationOf(attempt) !== "sale" ||
            line.pos_order_id.finalized ||
            this.pending.has(line.uuid)
        ) {
            return;
        }
        const work = this._book(attempt, line.uuid)
            .catch((error) => console.error("viva_payments: tip", error))
            .finally(() => this.pending.delete(line.uuid));
        this.pending.set(line.uuid, work);
    }

    /** Resolves when no tip of the order waits for an answer. */
    async settled(order) {
        await Promise.all(order.payment_ids.map((line) => this.pending.get(line.uuid)));
    }

    /** The paid lines of the order whose tip nobody has decided about, e.g. since the question was closed. */
    undecided(order) {
        return order.payment_ids.filter((line) => {
            const attempt = isVivaLine(line) && isPaidLine(line) && this.till.attemptOf(line);
            const { tip_minor, tip_booking } = attempt?.status || {};
            return Boolean(tip_minor) && !tip_booking && operationOf(attempt) === "sale";
        });
    }

    /** Before the order is closed: the last time to ask. It is no obstacle. */
    async takeUp(order) {
        await this.settled(order);
        this.undecided(order).forEach((line) => this.take(this.till.attemptOf(line), line));
        await this.settled(order);
    }

    async _book(attempt, uuid) {
        const booking = attempt.status.tip_booking || (await this._ask(attempt));
        const line = this.till.lines.find(uuid);
        if (booking === "product" && line && !line.pos_order_id.finalized) {
            await this._addToOrder(attempt, line);
        }
    }

    async _ask({ id, status }) {
        const canAdd = Boolean(this.pos.config.tip_product_id);
        const title = _t(
            "The customer added a tip of %s",
            this.till.money(status.tip_minor, status.digits)
        );
        const wantsAdded =
            canAdd &&
            (await decide(this.pos.dialog, {
                title,
                body: _t(
                    "Add it to the order as a tip, or keep it apart: then the order stays as it is, and the accountant " +
                        "finds the tip in the card payment."
                ),
                confirmLabel: _t("Add it as tip"),
                cancelLabel: _t("Keep it apart for accounting"),
            }));
        if (wantsAdded === undefined) {
            return ""; // closed: he means later
        }
        const { booking, words } = await this._tell(id, wantsAdded ? "product" : "account");
        if (booking || !canAdd || wantsAdded) {
            return booking;
        }
        const wantsAddedNow = await confirm(this.pos.dialog, {
            title,
            body: words,
            confirmLabel: _t("Add it as tip"),
            cancelLabel: _t("Not now"),
        });
        return wantsAddedNow ? (await this._tell(id, "product")).booking : "";
    }

    async _tell(attemptId, wanted) {
        try {
            const status = await this.till.server.bookTip(attemptId, wanted);
            Object.assign(this.till.attempts[attemptId], { status });
            return { booking: status.tip_booking, words: "" };
        } catch (error) {
            const words = refusalWords(error) || _t("No connection to Odoo: it is not booked yet.");
            return { booking: "", words };
        }
    }

    /** Order and payment grow by the tip together, so that nothing is left to pay and no change appears. */
    async _addToOrder({ status }, line) {
        const { amount_minor, tip_minor, digits } = status;
        if (toMinor(line.amount, digits) !== amount_minor) {
            return; // added before
        }
        const tip = toMajor(tip_minor, digits);
        if (await this._addTipLine(line.pos_order_id, tip)) {
            line.setAmount(toMajor(amount_minor + tip_minor, digits));
        }
    }

    /** Odoo's own tip line; `pos.setTip` knows the order on the screen only, and replaces an earlier tip. */
    async _addTipLine(order, tip) {
        const product = this.pos.config.tip_product_id;
        if (!product) {
            return false;
        }
        const existing = order.lines.find((line) => line.product_id.id === product.id);
        if (existing) {
            existing.setUnitPrice(existing.price_unit + tip);
        } else {
            const selected = order.getSelectedOrderline();
            await this.pos.addLineToOrder(
                { product_id: product, product_tmpl_id: product.product_tmpl_id, price_unit: tip },
                order,
                {},
                false
            );
            order.selectOrderline(selected);
        }
        order.is_tipped = true;
        order.tip_amount = (order.tip_amount || 0) + tip;
        return true;
    }
}
