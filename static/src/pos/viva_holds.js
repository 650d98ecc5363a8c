import { makeAwaitable } from "@point_of_sale/app/utils/make_awaitable_dialog";
import { _t } from "@web/core/l10n/translation";

import { refusalWords } from "../shared/ask";
import { toMajor, toMinor } from "../shared/minor_units";
import { isOpen, operationOf } from "./viva_attempt";
import { VivaAmountPopup, amountOf } from "./viva_amount_popup/viva_amount_popup";
import { VivaChoice } from "./viva_choice/viva_choice";
import { confirm } from "./viva_confirm/viva_confirm";
import { VivaHoldPopup } from "./viva_hold_popup/viva_hold_popup";
import { SALE } from "./viva_plans";
import { obstacleFor } from "./viva_ways";

/** Money that is held on a card and taken later: the hold, its capture, its release, and orders that wait for it. */
export class VivaHolds {
    /** @param {import("./viva_till").VivaTill} till */
    constructor(till) {
        this.till = till;
        this.pos = till.pos;
    }

    /** Why no money can be held from here, or an empty string. */
    get obstacle() {
        const obstacles = this.till.lines.methods.map((method) => obstacleFor(method, "preauth"));
        return obstacles.every(Boolean) ? obstacles[0] : "";
    }

    /**
     * Ask the cashier what is to be held, and for whom; then the terminal for the card.
     *
     * @returns {Promise<import("./viva_attempt").VivaAttempt|undefined>}
     */
    async hold() {
        const order = this.pos.getOrder();
        const isForOrder = Boolean(order && !order.finalized && order.lines.length);
        const answer = await makeAwaitable(this.pos.dialog, VivaHoldPopup, {
            order: isForOrder ? order : undefined,
            methods: this.till.lines.methods,
        });
        if (!answer) {
            return undefined;
        }
        const way = await this.till.wayFor(answer.method, { operation: "preauth" });
        if (!way) {
            return undefined;
        }
        // A stranger's hold gets neither the order on the screen nor its customer.
        const held = answer.forOrder ? order : undefined;
        const partner = held?.getPartner();
        return this.till.operate({
            operation: "preauth",
            order: held,
            method: answer.method,
            way,
            amountMinor: answer.amountMinor,
            more: {
                reference: answer.reference,
                partner_id: typeof partner?.id === "number" ? partner.id : 0,
            },
        });
    }

    /**
     * Take money of a hold for the order on the screen: a payment line of it, sent by the payment screen.
     *
     * @returns {Promise<boolean>} whether another screen is shown: the payment screen, or the recalled order
     */
    async capture(hold) {
        const order = this.pos.getOrder();
        const digits = this.pos.config.viva_digits;
        const dueMinor = order && !order.finalized ? toMinor(order.remainingDue, digits) : 0;
        if (dueMinor <= 0) {
            this.till.outcome.say(
                _t("There is nothing to take the money for"),
                _t(
                    "Put on the order what the customer pays, or open the order for which the money is held, and " +
                        "capture then."
                )
            );
            return false;
        }
        if (isOfAnother(hold, order)) {
            const choice = await this._askWhoseHold(hold, order);
            if (choice !== "capture") {
                return choice === "recall" ? this.recall(hold) : false;
            }
        }
        const limitMinor = Math.min(dueMinor, hold.left_minor);
        const amountMinor = await this._askAmount({
            title: _t("Capture from the hold"),
            subtitle: _t("%(left)s held, %(due)s to pay", {
                left: this.till.money(hold.left_minor, hold.digits),
                due: this.till.money(dueMinor),
            }),
            limitMinor,
            label: (money) => _t("Capture %s", money),
            feedback: (text) => this._wordsOfRest(hold, text),
        });
        if (!amountMinor) {
            return false;
        }
        this.till.sendWhenShown = {
            method: this.till.lines.methodFor(hold.terminal?.id),
            order: order.uuid,
            amount: toMajor(amountMinor, digits),
            plan: {
                ...SALE,
                operation: "capture",
                parent: hold.attempt,
                card: hold.title || hold.name || "",
                leftMinor: hold.left_minor,
            },
        };
        await this.pos.pay();
        if (this.till.screen) {
            // It was there already, behind the panel.
            this.till.screen.takeUpVivaLines();
        }
        return true;
    }

    /**
     * One wrong tap must not charge a customer for somebody else's bill.
     *
     * @returns {Promise<"capture"|"recall"|undefined>}
     */
    _askWhoseHold(hold, order) {
        const whom = [hold.partner, hold.reference, hold.order_reference].filter(Boolean);
        const name = [order.pos_reference, order.getPartnerName()].filter(Boolean).join(" · ");
        const capture = {
            name: "capture",
            label: _t("Capture for order %s all the same", name),
        };
        const recall = {
            name: "recall",
            label: _t("Recall the order"),
            description: _t("The order that is parked with this hold comes to the screen"),
        };
        return makeAwaitable(this.pos.dialog, VivaChoice, {
            title: _t("The money is held for somebody else"),
            body: _t("Held for %(whom)s. On the screen is order %(order)s.", {
                whom: whom.join(" · ") || hold.name,
                order: name,
            }),
            choices: hold.parked ? [recall, capture] : [capture],
        });
    }

    /** A hold is captured once: what is not taken now cannot be taken later. */
    _wordsOfRest(hold, text) {
        const minor = amountOf(text, hold.digits);
        const rest = minor > 0 ? hold.left_minor - minor : 0;
        return rest > 0
            ? _t("The remaining %s become free on the card.", this.till.money(rest, hold.digits))
            : "";
    }

    /** @returns {Promise<number>} minor units, 0 when the question was closed */
    async _askAmount(question) {
        const answer = await makeAwaitable(this.pos.dialog, VivaAmountPopup, {
            ...question,
            digits: this.pos.config.viva_digits,
        });
        return answer || 0;
    }

    /**
     * @param {Object} hold
     * @param {(attempt: Object) => void} [started] is told the attempt
     * @returns {Promise<boolean>} true: the hold is released
     */
    async release(hold, started) {
        const money = this.till.money(hold.left_minor, hold.digits);
        const sure = await confirm(this.pos.dialog, {
            title: _t("Release the hold?"),
            body: _t(
                "%(money)s held for %(whom)s becomes free on the card. It cannot be held again.",
                {
                    money,
                    whom: hold.partner || hold.reference || hold.name || _t("this customer"),
                }
            ),
            confirmLabel: _t("Release %s", money),
            cancelLabel: _t("Keep the hold"),
        });
        return sure ? this._startRelease(hold, started) : false;
    }

    async _startRelease(hold, started) {
        const method = this.till.lines.methodFor(hold.terminal?.id);
        const way = await this.till.wayFor(method, { operation: "release" });
        if (!way) {
            return false;
        }
        const attempt = this.till.operate({
            operation: "release",
            parent: hold.attempt,
            orderUuid: hold.order_uuid,
            method,
            way,
            amountMinor: hold.left_minor || hold.amount_minor,
        });
        started?.(attempt);
        return this.till.end(attempt);
    }

    // -- orders that wait for their hold ---------------------------------------------------------

    /**
     * The order leaves this till until it is recalled; its hold stays.
     *
     * @returns {Promise<boolean>} whether it has left
     */
    async park(order) {
        try {
            await this.till.saveOrder(order);
            await this.till.server.park(order.uuid);
        } catch (error) {
            this.till.outcome.say(
                _t("The order could not be parked"),
                refusalWords(error) ||
                    _t(
                        "No connection to Odoo. The order stays here. Check the network, then try again."
                    )
            );
            return false;
        }
        const name = order.pos_reference;
        this.pos.removePendingOrder(order);
        this.pos.data.localDeleteCascade(order);
        this.pos.setOrder(this.pos.getEmptyOrder());
        this.pos.navigateToOrderScreen(this.pos.getOrder());
        this.pos.notification.add(_t("Order %s is parked. Recall it from its hold.", name), {
            type: "success",
        });
        return true;
    }

    /** @returns {Promise<boolean>} whether the parked order is on the screen again */
    async recall(hold) {
        try {
            const { order_id } = await this.till.server.recall(hold.id, this.pos.session.id);
            const [order] = await this.pos.data.loadServerOrders([["id", "=", order_id]]);
            if (!order) {
                throw new Error("the recalled order cannot be read");
            }
            order.uiState.displayed = true;
            this.pos.setOrder(order);
            this.pos.navigateToOrderScreen(order);
            return true;
        } catch (error) {
            this.till.outcome.say(
                _t("The order could not be recalled"),
                refusalWords(error) ||
                    _t("No connection to Odoo. Check the network and press the button again.")
            );
            return false;
        }
    }

    /**
     * An order that goes away must not leave money held behind it.
     *
     * @returns {Promise<boolean>} whether it may be removed
     */
    async mayRemove(order) {
        const hold = await this._openHoldOf(order);
        if (!hold) {
            return true;
        }
        const money = this.till.money(hold.left_minor, hold.digits);
        const sure = await confirm(this.pos.dialog, {
            title: _t("Money is held for this order"),
            body: _t(
                "%s is held on the customer's card. Release it before the order is cancelled, or keep the order and park " +
                    "it with its hold.",
                money
            ),
            confirmLabel: _t("Release %s", money),
            cancelLabel: _t("Keep the order"),
        });
        if (!sure) {
            return false;
        }
        const isReleased = await this._startRelease(hold);
        if (!isReleased) {
            this.till.outcome.say(
                _t("The hold is not released"),
                _t("The order stays. Look at the hold under Card payments.")
            );
        }
        return isReleased;
    }

    /** The hold of the order that is still open, as a Status. */
    async _openHoldOf(order) {
        if (order.isSynced) {
            try {
                const statuses = await this.till.server.find([order.uuid]);
                return statuses.find(isOpenHold);
            } catch {
                // What this tab remembers has to do: Odoo itself refuses to cancel the order while it is away.
            }
        }
        const ours = Object.values(this.till.attempts).filter(
            (attempt) => attempt.orderUuid === order.uuid && operationOf(attempt) === "preauth"
        );
        return ours.map(({ status }) => status).find((status) => status && isOpenHold(status));
    }

    /** Whether an operation of this tab on the order's hold is under way. */
    isBusy(hold) {
        const running = this.till.childOf(hold.attempt);
        return Boolean(running) && isOpen(running);
    }
}

/** Whether the money was held for another order than this one, or for another customer. */
function isOfAnother(hold, order) {
    if (hold.order_uuid) {
        return hold.order_uuid !== order.uuid;
    }
    const partner = order.getPartner();
    return Boolean(hold.partner) && ![partner?.name, partner?.display_name].includes(hold.partner);
}

function isOpenHold({ operation, hold }) {
    return operation === "preauth" && hold?.state === "open";
}
