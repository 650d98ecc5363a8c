import { makeAwaitable } from "@point_of_sale/app/utils/make_awaitable_dialog";
import { _t } from "@web/core/l10n/translation";

import { refusalWords } from "../shared/ask";
import { toMajor, toMinor } from "../shared/minor_units";
import { LINE, isPaidLine } from "./odoo_glue";
import { makeRefundOrder, refundableLines, showOrderToRefund } from "./refund_order";
import { isOpen, operationOf, parentOf } from "./viva_attempt";
import { VivaChoice } from "./viva_choice/viva_choice";
import { confirm } from "./viva_confirm/viva_confirm";
import { SALE } from "./viva_plans";
import { chooseWay, obstacleFor } from "./viva_ways";

/**
 * Money that goes back to a card: the void of a payment that was just made, the refund of a closed order, and
 * what is left to do when Viva refuses. The cashier confirms each of them once, with the amount on the button.
 */
export class VivaMoneyBack {
    /** @param {import("./viva_till").VivaTill} till */
    constructor(till) {
        this.till = till;
        this.pos = till.pos;
        this.proposing = false;
    }

    /** The cashier may not, and nobody can help him at this till. */
    sayWhoMay() {
        this.till.outcome.say(
            _t("You may not give money back by card"),
            _t(
                "Call a manager, who does it with a login of his own, or take another payment method. An administrator " +
                    'gives the right on your user\'s form, at "Viva.com: money back": Give money back by card.'
            )
        );
    }

    // -- an order that is still open -------------------------------------------------------------

    /**
     * Give an approved payment of an open order back to its card. The line goes when that has succeeded.
     *
     * @returns {Promise<boolean>} true: the money has gone back
     */
    async voidLine(uuid) {
        const line = this.till.lines.find(uuid);
        if (!line || !isPaidLine(line) || line.pos_order_id.finalized) {
            return false;
        }
        const parent = this.till.lines.attemptId(line);
        const status = this.till.attempts[parent]?.status;
        return this.voidPayment({
            attempt: parent,
            order_uuid: line.pos_order_id.uuid,
            amountMinor: status?.left_minor || toMinor(line.amount, this.pos.config.viva_digits),
            method: line.payment_method_id,
            title: [line.card_brand, line.card_no && `••${line.card_no}`].filter(Boolean).join(" "),
        });
    }

    /**
     * The same for a payment of an open order that need not be shown in this tab.
     *
     * @param {Object} payment its `attempt`, `order_uuid`, `amountMinor`, `method`, its card in words as `title`;
     *   `started` is told the attempt
     */
    async voidPayment(payment) {
        const running = this.till.childOf(payment.attempt);
        if (running && isOpen(running)) {
            return this.till.end(running);
        }
        const money = this.till.money(payment.amountMinor);
        const sure = await confirm(this.pos.dialog, {
            title: _t("Give the money back to the card?"),
            body: payment.title
                ? _t(
                      "%(money)s goes back to %(card)s. The payment is removed from the order; the order stays open.",
                      { money, card: payment.title }
                  )
                : _t(
                      "%(money)s goes back to the card. The payment is removed from the order; the order stays open.",
                      { money }
                  ),
            confirmLabel: _t("Give back %s", money),
            cancelLabel: _t("Keep the payment"),
        });
        return sure ? this._startVoid(payment) : false;
    }

    async _startVoid(payment, via = "terminal") {
        const { method } = payment;
        const way = await this.till.wayFor(method, { operation: "void", via });
        if (way === undefined) {
            return false;
        }
        const attempt = this.till.operate({
            operation: "void",
            parent: payment.attempt,
            orderUuid: payment.order_uuid,
            amountMinor: payment.amountMinor,
            method,
            way,
            via,
        });
        payment.started?.(attempt);
        return this.till.end(attempt);
    }

    // -- a refund order on the payment screen ----------------------------------------------------

    /**
     * Which card gets money of this order back. Asks the cashier where there is a choice.
     *
     * @returns {Promise<import("./viva_plans").VivaPlan|undefined>} nothing: none, and he has been told
     */
    async propose(order, method) {
        if (this.proposing) {
            return undefined;
        }
        this.proposing = true;
        try {
            const uuids = refundedOrders(order);
            if (!this.till.buttons.mayGiveBack) {
                this.sayWhoMay();
                return undefined;
            }
            return uuids.length
                ? await this._proposeOf(uuids, method)
                : await this._proposeUnreferenced(order, method);
        } finally {
            this.proposing = false;
        }
    }

    async _proposeOf(uuids, method) {
        let cards;
        try {
            cards = await this.till.server.paymentsOf(uuids);
        } catch (error) {
            this.till.outcome.say(
                _t("The card payments could not be read"),
                refusalWords(error) ||
                    _t(
                        "No connection to Odoo: nothing was given back. Check the network and try again, or take " +
                            "another payment method."
                    )
            );
            return undefined;
        }
        const usable = cards.filter(({ left_minor }) => left_minor > 0);
        if (!usable.length) {
            return this._nothingLeft(cards, method);
        }
        const card = usable.length === 1 ? usable[0] : await this._chooseCard(usable);
        return card && { ...planOf(card), via: this._viaFor(card, method) };
    }

    /** Without the terminal when it is the only way, e.g. a payment that had no card. */
    _viaFor({ via }) {
        return via === "api" ? "api" : "terminal";
    }

    async _chooseCard(cards) {
        const chosen = await makeAwaitable(this.pos.dialog, VivaChoice, {
            title: _t("Which card gets the money back?"),
            choices: cards.map((card) => ({
                name: card.attempt,
                label: card.title,
                description:
                    card.left_minor < (card.captured_minor || card.approved_minor)
                        ? _t("%(left)s left of %(paid)s", {
                              left: this.till.money(card.left_minor, card.digits),
                              paid: this.till.money(
                                  card.captured_minor || card.approved_minor,
                                  card.digits
                              ),
                          })
                        : this.till.money(card.left_minor, card.digits),
            })),
        });
        return cards.find(({ attempt }) => attempt === chosen);
    }

    async _nothingLeft(cards, method) {
        return this._otherWay(
            method,
            _t("Nothing is left to give back to a card"),
            cards.length
                ? _t("Everything that was paid by card for this sale has gone back already.")
                : _t("No card payment is known for the sale that is refunded.")
        );
    }

    /** An order that is negative without being a refund. */
    async _proposeUnreferenced(order, method) {
        return order.isRefund
            ? this._nothingLeft([], method)
            : this._otherWay(
                  method,
                  _t("The sale is missing"),
                  _t(
                      "A card gets back what it has paid: open Orders, choose the sale, press Refund. This order was " +
                          "made negative by hand."
                  )
              );
    }

    async _otherWay(method, title, body) {
        const { viva_may_unreferenced: mayUnreferenced } = this.pos.config;
        const obstacle = obstacleFor(method, "unreferenced");
        const choice = await makeAwaitable(this.pos.dialog, VivaChoice, {
            title,
            body,
            choices: [
                {
                    name: "other_method",
                    label: _t("Take another payment method"),
                    description: _t("Cash, for example"),
                },
                {
                    name: "unreferenced",
                    label: _t("Credit any card, without a sale"),
                    possible: mayUnreferenced && !obstacle,
                    reason: mayUnreferenced
                        ? obstacle
                        : _t("Needs a right of its own that an administrator gives."),
                },
            ],
        });
        const isSure = choice === "unreferenced" && (await this._confirmUnreferenced());
        return isSure
            ? { ...SALE, operation: "refund", unreferenced: true, card: _t("the card presented") }
            : undefined;
    }

    _confirmUnreferenced() {
        return confirm(this.pos.dialog, {
            title: _t("Credit a card without a sale?"),
            body: _t(
                "Whoever presents a card at the terminal gets the money. Viva links it to no sale, and no limit protects " +
                    "you. It is recorded under your name."
            ),
            confirmLabel: _t("Credit the card presented"),
            confirmClass: "btn-danger",
            cancelLabel: _t("Do not"),
        });
    }

    // -- when Viva refuses -----------------------------------------------------------------------

    /** Money could not go back: say once what can be done now. */
    offerChoices(attempt) {
        if (attempt.status?.choices?.length && attempt.request && !attempt.told) {
            attempt.told = true;
            this.showChoices(attempt);
        }
    }

    async showChoices(attempt) {
        const { choices, message } = attempt.status;
        const name = await makeAwaitable(this.pos.dialog, VivaChoice, {
            title: _t("Not given back: what now?"),
            body: message,
            choices,
        });
        const chosen = choices.find((choice) => choice.name === name);
        if (chosen) {
            await this._follow(name, attempt);
        }
    }

    async _follow(name, attempt) {
        if (name === "other_terminal") {
            const method = this._methodOf(attempt);
            if (!(await chooseWay(this.pos.dialog, method))) {
                return;
            }
        }
        if (operationOf(attempt) === "void") {
            this._followVoid(name, attempt);
            return;
        }
        await this.till.starting.get(attempt.paymentUuid);
        const line = this.till.lines.of(attempt);
        if (!line) {
            return;
        }
        switch (name) {
            case "void_all":
                await this._voidAll(line);
                break;
            case "api":
                this.till.plans.set(line, { via: "api" });
                await this.till.chargeOnScreen(line.uuid);
                break;
            case "other_terminal":
                this.till.plans.set(line, { via: "terminal" });
                await this.till.chargeOnScreen(line.uuid);
                break;
            case "wait":
            case "other_method":
                this.till.lines.remove(line.uuid);
        }
    }

    _followVoid(name, attempt) {
        if (["api", "other_terminal"].includes(name)) {
            const { order_uuid, amount_minor } = attempt.request;
            this._startVoid(
                {
                    attempt: parentOf(attempt),
                    order_uuid,
                    amountMinor: amount_minor,
                    method: this._methodOf(attempt),
                },
                name === "api" ? "api" : "terminal"
            );
        }
    }

    _methodOf({ methodId }) {
        return this.till.lines.methods.find(({ id }) => id === methodId);
    }

    /** Everything goes back to the card; what the customer keeps is charged anew, see `chargeRest`. */
    async _voidAll(line) {
        const { wholeMinor } = this.till.plans.of(line);
        const digits = this.pos.config.viva_digits;
        const restMinor = wholeMinor - Math.abs(toMinor(line.amount, digits));
        const values = { all: this.till.money(wholeMinor), rest: this.till.money(restMinor) };
        const sure = await confirm(this.pos.dialog, {
            title: _t("Give all back and charge the rest anew?"),
            body: _t(
                "First %(all)s goes back to the card, then the customer pays %(rest)s with it. Keep the customer here.",
                values
            ),
            confirmLabel: _t("Give back %(all)s, then charge %(rest)s", values),
        });
        if (!sure || !this.till.lines.find(line.uuid) || this.till.isBusy(line)) {
            return;
        }
        const { amount } = line;
        line.setAmount(-toMajor(wholeMinor, digits));
        this.till.plans.set(line, { chargeRest: true });
        await this.till.chargeOnScreen(line.uuid);
        if (this.till.lines.find(line.uuid) && !this.till.isBusy(line)) {
            // It was refused, too: the line asks again for what the order gives back.
            line.setAmount(amount);
            this.till.plans.set(line, { chargeRest: false });
        }
    }

    /** Everything has gone back: ask the card for what the customer keeps. */
    async chargeRest(uuid) {
        const line = this.till.lines.find(uuid);
        const order = line?.pos_order_id;
        if (!order || order.finalized) {
            return;
        }
        const { status, data: rest } = order.addPaymentline(line.payment_method_id);
        if (status) {
            rest.setPaymentStatus(LINE.toSend);
            this.till.plans.set(rest, { ...SALE, maxInstallments: 0 });
            await this.till.chargeOnScreen(rest.uuid);
        }
    }

    // -- from the panel --------------------------------------------------------------------------

    /**
     * Whether a closed order is paid with this payment. Money may be on none: then it goes back by itself.
     *
     * @returns {Promise<boolean|undefined>} nothing: the order could not be read, and the cashier has been told
     */
    async isOnClosedSale(card) {
        if (!card.order_id || ["draft", "cancel"].includes(card.order_state)) {
            return false;
        }
        const order = await this._loadOrder(card);
        return order && order.payment_ids.some(({ uuid }) => uuid === card.payment_uuid);
    }

    /**
     * Make the refund order of a closed sale and go to its payment screen, which gives everything that is left on
     * this card back at once.
     *
     * @param {Object} card of `pos_panel`
     * @returns {Promise<boolean>} whether the payment screen is shown
     */
    async refundAll(card) {
        const order = await this._loadOrder(card);
        if (!order) {
            return false;
        }
        if (!refundableLines(order).length) {
            this.till.outcome.say(
                _t("All of this order has been returned"),
                _t(
                    "Nothing on order %s is left to return, so no refund can be made of it. Ask a manager.",
                    order.pos_reference
                )
            );
            return false;
        }
        this.till.sendWhenShown = {
            method: this.till.lines.methodFor(card.terminal?.id),
            refundOf: order.uuid,
            plan: planOf(card),
        };
        if (!(await makeRefundOrder(this.pos, order))) {
            this.till.sendWhenShown = null;
            return false;
        }
        return true;
    }

    /** A part: the cashier chooses on the order what is returned. */
    async refundPart(card) {
        const order = await this._loadOrder(card);
        if (order) {
            showOrderToRefund(this.pos, order);
        }
        return Boolean(order);
    }

    /** The order may be of another session or till: it is read from the server, as for Odoo's own refunds. */
    async _loadOrder({ order_uuid }) {
        const known = this.pos.models["pos.order"].getBy("uuid", order_uuid);
        if (known) {
            return known;
        }
        try {
            const [order] = await this.pos.data.loadServerOrders([["uuid", "=", order_uuid]]);
            if (order) {
                return order;
            }
            this.till.outcome.say(
                _t("The order is not there"),
                _t("The order of this payment cannot be opened here. Ask a manager.")
            );
        } catch (error) {
            this.till.outcome.say(
                _t("The order could not be read"),
                refusalWords(error) ||
                    _t("No connection to Odoo. Check the network and press the button again.")
            );
        }
        return undefined;
    }
}

function planOf(card) {
    return {
        ...SALE,
        operation: "refund",
        parent: card.attempt,
        card: card.title,
        leftMinor: card.left_minor,
        wholeMinor: wholeOf(card),
    };
}

/** All that is left, as the order carries it: Viva gives a tip and a surcharge beside it back by itself. */
function wholeOf({ left_minor, approved_minor, tip_minor, tip_booking, surcharge_minor }) {
    if (left_minor < approved_minor) {
        return left_minor;
    }
    return left_minor - (tip_booking === "product" ? 0 : tip_minor || 0) - (surcharge_minor || 0);
}

/** The uuids of the orders of which this one gives something back. */
function refundedOrders(order) {
    const orders = [
        order.refunded_order_id,
        ...order.lines.map((line) => line.refunded_orderline_id?.order_id),
    ];
    return [...new Set(orders.map((refunded) => refunded?.uuid).filter(Boolean))];
}
