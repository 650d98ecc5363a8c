import { usePos } from "@point_of_sale/app/hooks/pos_hook";
import { _t } from "@web/core/l10n/translation";
import { useService } from "@web/core/utils/hooks";
import { Component, useState } from "@odoo/owl";

import { LINE, isPaidLine } from "../odoo_glue";
import { VivaAppButtons } from "../viva_app_buttons/viva_app_buttons";
import { canCancel, isInApp, isOpen, phaseOf } from "../viva_attempt";
import { VivaProgress } from "../viva_progress/viva_progress";
import { chooseWay, currentWay, obstacleFor, waysOf } from "../viva_ways";
import { detailOf, extrasOf, paidTitle, titleOf } from "../viva_words";

/**
 * A payment line's card payment in the words of a cashier, with what can be done about it. A paid line that is being
 * voided shows the void.
 */
export class VivaStatus extends Component {
    static template = "viva_payments.VivaStatus";
    static components = { VivaAppButtons, VivaProgress };
    /** `state` and `attemptId` repeat what is in the line: they tell the component when to render again. */
    static props = {
        line: Object,
        state: { type: [String, Boolean], optional: true },
        attemptId: { type: [String, Boolean], optional: true },
        amount: { type: Number, optional: true },
        send: Function,
        remove: Function,
    };

    setup() {
        this.pos = usePos();
        this.dialog = useService("dialog");
        this.attempts = useState(this.pos.viva.attempts);
        this.chosen = useState({ way: currentWay(this.method) });
    }

    get method() {
        return this.props.line.payment_method_id;
    }

    /** The attempt that the line stands for. */
    get attempt() {
        return this.attempts[this.pos.viva.lines.attemptId(this.props.line)];
    }

    /** The void of a paid line, unless it has ended and left the line as it was. */
    get voiding() {
        const { line } = this.props;
        const id = isPaidLine(line) && this.pos.viva.lines.attemptId(line);
        const attempt = id && this.pos.viva.childOf(id, this.attempts);
        return attempt && phaseOf(attempt) !== "paid" ? attempt : undefined;
    }

    /** The attempt whose words and buttons are shown. */
    get shown() {
        return this.voiding || this.attempt;
    }

    get status() {
        return this.shown?.status;
    }

    get isOpen() {
        return Boolean(this.shown) && isOpen(this.shown);
    }

    get plan() {
        return this.pos.viva.plans.of(this.props.line);
    }

    get isMoneyBack() {
        return this.props.line.amount < 0;
    }

    /** @returns {"ready"|"sending"|"waiting"|"cancelling"|"unknown"|"paid"|"unpaid"} */
    get phase() {
        const { line } = this.props;
        if (this.voiding) {
            return phaseOf(this.voiding);
        }
        if (isPaidLine(line)) {
            return "paid";
        }
        if (this.attempt) {
            return phaseOf(this.attempt);
        }
        return line.payment_status === LINE.retry ? "unpaid" : "ready";
    }

    get terminalName() {
        return this.status?.terminal?.name || this.chosen.way?.terminal.name || "";
    }

    get title() {
        if (this.phase === "ready") {
            return this.readyTitle;
        }
        if (this.phase === "paid") {
            return this.paidTitle;
        }
        if (this.shown) {
            return titleOf(this.shown, this.terminalName);
        }
        return this.isMoneyBack ? _t("Not given back") : _t("Not charged");
    }

    get readyTitle() {
        const terminal = this.chosen.way?.onDevice ? "" : this.terminalName;
        if (this.isMoneyBack) {
            const card = this.plan?.card;
            if (!card) {
                return _t("Ready to give back");
            }
            return terminal
                ? _t("Ready to give back to %(card)s on terminal %(terminal)s", { card, terminal })
                : _t("Ready to give back to %s", card);
        }
        if (this.chosen.way?.onDevice) {
            return _t("Ready to pay in the app on this device");
        }
        return terminal ? _t("Ready to send to terminal %s", terminal) : _t("Ready to send");
    }

    get paidTitle() {
        const { line } = this.props;
        if (line.viva_state === "forced") {
            return this.isMoneyBack
                ? _t("Accepted as given back by a manager")
                : _t("Accepted as paid by a manager");
        }
        const card = [line.card_brand, line.card_no && `••${line.card_no}`]
            .filter(Boolean)
            .join(" ");
        const operation = this.isMoneyBack ? "refund" : "sale";
        return paidTitle(this.attempt || { operation, status: null }, card);
    }

    /** What to do next, below the title. */
    get detail() {
        const { shown } = this;
        if (!shown) {
            return this.isMoneyBack && this.plan?.leftMinor
                ? _t(
                      "At most %s can go back to this card.",
                      this.pos.viva.money(this.plan.leftMinor)
                  )
                : "";
        }
        const extras =
            this.phase === "paid" && shown.status
                ? extrasOf(shown.status, (minor) => this.pos.viva.money(minor, shown.status.digits))
                : "";
        // A line that another device has paid, before its Status is known here.
        const words = shown.status || shown.refusal || isOpen(shown) ? detailOf(shown) : "";
        return [extras, words].filter(Boolean).join(" – ");
    }

    get busy() {
        return this.shown?.busy || "";
    }

    get hasButtons() {
        return this.phase !== "paid" || this.canVoid;
    }

    get canSend() {
        return !this.voiding && ["ready", "unpaid"].includes(this.phase);
    }

    get checkLabel() {
        return isInApp(this.shown) ? _t("Check with Viva") : _t("Check again");
    }

    get sendLabel() {
        if (this.isMoneyBack) {
            return _t("Refund %s", this.env.utils.formatCurrency(Math.abs(this.props.line.amount)));
        }
        return this.phase === "ready" ? _t("Send") : _t("Try again");
    }

    get canChooseTerminal() {
        return this.canSend && waysOf(this.method).length > 1;
    }

    get canCancel() {
        return Boolean(this.shown) && canCancel(this.shown);
    }

    get canCheck() {
        return (
            (this.isOpen && this.phase === "unknown") ||
            (this.isOpen && Boolean(this.status?.can_check))
        );
    }

    get canRemove() {
        return this.phase === "unknown" && !this.voiding;
    }

    get canForce() {
        return this.isOpen && Boolean(this.status?.can_force);
    }

    /** Money was refused to go back, and the server knows what else can be done. */
    get canChooseOtherWay() {
        return this.phase === "unpaid" && Boolean(this.status?.choices?.length);
    }

    /** The payment of an open order can still be undone. */
    get canVoid() {
        const { line } = this.props;
        return (
            isPaidLine(line) &&
            !this.isMoneyBack &&
            !line.pos_order_id?.finalized &&
            Boolean(this.attempt) &&
            (!this.voiding || this.phase === "unpaid")
        );
    }

    /** Why it cannot be undone from here, or an empty string. */
    get voidObstacle() {
        return obstacleFor(this.method, "void");
    }

    async chooseTerminal() {
        this.chosen.way = (await chooseWay(this.dialog, this.method)) || this.chosen.way;
    }

    chooseOtherWay() {
        this.pos.viva.moneyBack.showChoices(this.shown);
    }

    send() {
        this.props.send(this.props.line);
    }

    cancel() {
        this.pos.viva.buttons.cancelAttempt(this.shown);
    }

    checkAgain() {
        this.pos.viva.buttons.checkAttempt(this.shown);
    }

    force() {
        this.pos.viva.buttons.forceAttempt(this.shown);
    }

    remove() {
        this.props.remove(this.props.line.uuid);
    }

    voidPayment() {
        this.pos.viva.moneyBack.voidLine(this.props.line.uuid);
    }
}
