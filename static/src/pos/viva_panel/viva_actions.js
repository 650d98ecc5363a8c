import { makeAwaitable } from "@point_of_sale/app/utils/make_awaitable_dialog";
import { _t } from "@web/core/l10n/translation";

import { refusalWords } from "../../shared/ask";
import { VivaChoice } from "../viva_choice/viva_choice";
import { confirm } from "../viva_confirm/viva_confirm";
import { currentWay, obstacleOf } from "../viva_ways";
import { VivaSlip } from "../viva_slip/viva_slip";
import { momentOf } from "./viva_payment";

/** What the buttons of the panel do. */
export class VivaActions {
    /**
     * @param {import("../viva_till").VivaTill} till
     * @param {Object} panel
     * @param {() => void} panel.close leave the panel for another screen
     * @param {(attempt: Object) => void} panel.follow show how an attempt goes on
     * @param {() => void} panel.reload read the list again
     */
    constructor(till, panel) {
        this.till = till;
        this.pos = till.pos;
        this.panel = panel;
    }

    /** @param {Object} card of `pos_panel` @param {{name: string}} action one of `card.actions` */
    onPayment(card, action) {
        if (action.needs_manager && !this.till.buttons.mayGiveBack) {
            return this.till.moneyBack.sayWhoMay();
        }
        switch (action.name) {
            case "void":
                return this._giveBack(card);
            case "refund":
                return this._refund(card, action);
            case "capture":
                return this._capture(card);
            case "release":
                return this._release(card);
            case "check":
                return this._check(card.attempt);
            case "print":
                return this._print(card);
        }
    }

    /** @param {Object} hold of `pos_panel` */
    async onHold(hold, action) {
        switch (action.name) {
            case "capture":
                return this._capture(hold);
            case "release":
                return this._release(hold);
            case "check":
                return this._check(hold.attempt);
            case "recall":
                if (await this.till.holds.recall(hold)) {
                    this.panel.close();
                }
        }
    }

    /** Of a closed sale the order goes back, too: stock, taxes and session follow. Of any other only the money. */
    async _giveBack(card) {
        const isOnSale = await this.till.moneyBack.isOnClosedSale(card);
        if (isOnSale) {
            await this._refundAll(card);
        } else if (isOnSale === false) {
            await this._void(card);
        }
    }

    _void(card) {
        return this.till.moneyBack.voidPayment({
            attempt: card.attempt,
            order_uuid: card.order_uuid,
            amountMinor: card.left_minor || card.amount_minor,
            method: this.till.lines.methodFor(card.terminal?.id),
            title: card.title,
            started: (attempt) => this.panel.follow(attempt),
        });
    }

    async _refund(card, { partial }) {
        const way = currentWay(this.till.lines.methodFor(card.terminal?.id));
        const obstacle = partial || obstacleOf(way, "partial");
        const money = this.till.money(card.left_minor, card.digits);
        const choice = await makeAwaitable(this.pos.dialog, VivaChoice, {
            title: _t("Refund to %s", card.title),
            choices: [
                {
                    name: "all",
                    label: _t("Everything: %s", money),
                    description: _t("All that is left of order %s", card.order_reference),
                },
                {
                    name: "part",
                    label: _t("A part"),
                    description: _t("Choose on the order what is returned"),
                    possible: !obstacle,
                    reason: obstacle,
                },
            ],
        });
        if (choice === "all") {
            await this._refundAll(card);
        } else if (choice === "part" && (await this.till.moneyBack.refundPart(card))) {
            this.panel.close();
        }
    }

    /** The order is closed: what goes back is a refund order of its own. */
    async _refundAll(card) {
        const money = this.till.money(card.left_minor, card.digits);
        const sure = await confirm(this.pos.dialog, {
            title: _t("Give the money back to the card?"),
            body: _t("A refund of order %(order)s is made, and %(money)s goes back to %(card)s.", {
                order: card.order_reference,
                money,
                card: card.title,
            }),
            confirmLabel: _t("Give back %s", money),
            cancelLabel: _t("Keep the payment"),
        });
        if (sure && (await this.till.moneyBack.refundAll(card))) {
            this.panel.close();
        }
    }

    async _capture(hold) {
        if (await this.till.holds.capture(hold)) {
            this.panel.close();
        }
    }

    _release(hold) {
        return this.till.holds.release(hold, (attempt) => this.panel.follow(attempt));
    }

    /** What this tab watches is told to it; of the others the list is read again. */
    async _check(attemptId) {
        const attempt = this.till.attempts[attemptId];
        if (attempt) {
            await this.till.buttons.checkAttempt(attempt);
        } else {
            try {
                await this.till.server.check([attemptId]);
            } catch (error) {
                this.till.outcome.say(
                    _t("That did not work"),
                    refusalWords(error) ||
                        _t("No connection to Odoo. Check the network and press the button again.")
                );
            }
        }
        this.panel.reload();
    }

    _print(card) {
        return this.pos.printer.print(
            VivaSlip,
            {
                shop: this.pos.company.name,
                title: card.kind_label,
                order: card.order_reference || "",
                time: momentOf(card.at, { always: true }),
                amount: this.till.money(card.approved_minor, card.digits),
                slip: card.slip,
                demo: card.demo,
            },
            { webPrintFallback: true }
        );
    }
}
