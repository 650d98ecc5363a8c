import { usePos } from "@point_of_sale/app/hooks/pos_hook";
import { _t } from "@web/core/l10n/translation";
import { Component, useState } from "@odoo/owl";

import { VivaAppButtons } from "../viva_app_buttons/viva_app_buttons";
import { canCancel, isInApp, isOpen, phaseOf } from "../viva_attempt";
import { VivaProgress } from "../viva_progress/viva_progress";
import { detailOf, extrasOf, titleOf } from "../viva_words";

/** An operation that was begun in the panel, until it has ended and after. */
export class VivaRunning extends Component {
    static template = "viva_payments.VivaRunning";
    static components = { VivaAppButtons, VivaProgress };
    static props = { attempt: Object };

    setup() {
        this.pos = usePos();
        this.attempts = useState(this.pos.viva.attempts);
    }

    get attempt() {
        return this.attempts[this.props.attempt.id];
    }

    get status() {
        return this.attempt.status;
    }

    get isOpen() {
        return isOpen(this.attempt);
    }

    get isUnknown() {
        return phaseOf(this.attempt) === "unknown";
    }

    get busy() {
        return this.attempt.busy || "";
    }

    get title() {
        const { request, status } = this.attempt;
        const terminal = this.pos.models["viva.terminal"].get(request?.terminal_id)?.name;
        return titleOf(this.attempt, status?.terminal?.name || terminal || "");
    }

    get detail() {
        const { viva } = this.pos;
        const extras =
            phaseOf(this.attempt) === "paid"
                ? extrasOf(this.status, (minor) => viva.money(minor, this.status.digits))
                : "";
        return [extras, detailOf(this.attempt)].filter(Boolean).join(" – ");
    }

    get canCheck() {
        return this.isOpen && (this.isUnknown || Boolean(this.status?.can_check));
    }

    get canCancel() {
        return canCancel(this.attempt);
    }

    get checkLabel() {
        return isInApp(this.attempt) ? _t("Check with Viva") : _t("Check again");
    }

    get canForce() {
        return this.isOpen && Boolean(this.status?.can_force);
    }

    get canChooseOtherWay() {
        return (
            phaseOf(this.attempt) === "unpaid" &&
            Boolean(this.attempt.request && this.status?.choices?.length)
        );
    }

    cancel() {
        this.pos.viva.buttons.cancelAttempt(this.attempt);
    }

    checkAgain() {
        this.pos.viva.buttons.checkAttempt(this.attempt);
    }

    force() {
        this.pos.viva.buttons.forceAttempt(this.attempt);
    }

    chooseOtherWay() {
        this.pos.viva.moneyBack.showChoices(this.attempt);
    }
}
