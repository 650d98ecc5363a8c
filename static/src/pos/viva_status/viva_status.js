import { usePos } from "@point_of_sale/app/hooks/pos_hook";
import { _t } from "@web/core/l10n/translation";
import { useService } from "@web/core/utils/hooks";
import { Component, onMounted, onWillUnmount, useState } from "@odoo/owl";

import { LINE, isPaidLine } from "../odoo_glue";
import { ageOf, isOpen, phaseOf } from "../viva_attempt";
import { chooseTerminal, currentTerminal } from "../viva_terminals";

const TONES = {
    ready: "neutral",
    sending: "busy",
    waiting: "busy",
    cancelling: "busy",
    unknown: "doubt",
    paid: "good",
    unpaid: "bad",
};

/** A payment line's card payment in the words of a cashier, with what can be done about it. */
export class VivaStatus extends Component {
    static template = "viva_payments.VivaStatus";
    /** `state` and `attemptId` repeat what is in the line: they tell the component when to render again. */
    static props = {
        line: Object,
        state: { type: [String, Boolean], optional: true },
        attemptId: { type: [String, Boolean], optional: true },
        send: Function,
        remove: Function,
    };

    setup() {
        this.pos = usePos();
        this.dialog = useService("dialog");
        this.attempts = useState(this.pos.viva.attempts);
        this.clock = useState({ now: Date.now(), terminal: currentTerminal(this.method) });
        let timer;
        onMounted(() => {
            timer = setInterval(() => {
                if (this.isOpen) {
                    this.clock.now = Date.now();
                }
            }, 1000);
        });
        onWillUnmount(() => clearInterval(timer));
    }

    get method() {
        return this.props.line.payment_method_id;
    }

    get attempt() {
        return this.attempts[this.pos.viva.lines.attemptId(this.props.line)];
    }

    get status() {
        return this.attempt?.status;
    }

    get isOpen() {
        return Boolean(this.attempt) && isOpen(this.attempt);
    }

    /** @returns {"ready"|"sending"|"waiting"|"cancelling"|"unknown"|"paid"|"unpaid"} */
    get phase() {
        const { line } = this.props;
        if (isPaidLine(line)) {
            return "paid";
        }
        if (this.attempt) {
            return phaseOf(this.attempt);
        }
        return line.payment_status === LINE.retry ? "unpaid" : "ready";
    }

    get tone() {
        return TONES[this.phase];
    }

    get terminalName() {
        return this.status?.terminal?.name || this.clock.terminal?.name || "";
    }

    get title() {
        const terminal = this.terminalName;
        switch (this.phase) {
            case "ready":
                return terminal
                    ? _t("Ready to send to terminal %s", terminal)
                    : _t("Ready to send");
            case "sending":
                return _t("Sending to terminal %s …", terminal);
            case "waiting":
                return _t("Waiting for the card on terminal %s", terminal);
            case "cancelling":
                return _t("Cancelling – look at terminal %s", terminal);
            case "unknown":
                return _t("We do not know yet – checking");
            case "paid":
                return this.paidTitle;
            default:
                return this.unpaidTitle;
        }
    }

    get paidTitle() {
        const { line } = this.props;
        if (
            line.viva_state === "forced" ||
            (this.status?.forced && !this.status.result.transaction_id)
        ) {
            return _t("Accepted as paid by a manager");
        }
        const card = [line.card_brand, line.card_no && `••${line.card_no}`]
            .filter(Boolean)
            .join(" ");
        return card ? _t("Approved · %s", card) : _t("Approved");
    }

    get unpaidTitle() {
        switch (this.status?.state) {
            case "declined":
                return _t("Declined");
            case "cancelled":
                return _t("Cancelled");
            case "approved":
                return _t("Charged and given back");
            default:
                return _t("Not charged");
        }
    }

    /** What to do next, below the title. */
    get detail() {
        const { attempt, phase } = this;
        if (!attempt) {
            return "";
        }
        if (phase === "unpaid") {
            return attempt.refusal || this.status.message;
        }
        if (!isOpen(attempt)) {
            return this.status.abort_asked || this.status.forced ? this.status.message : "";
        }
        if (!attempt.contact) {
            return _t(
                "No connection to Odoo. The terminal may still take the payment. We go on asking."
            );
        }
        if (this.status?.silent) {
            return _t(
                "Viva does not answer at the moment. We go on asking. Do not charge the card again."
            );
        }
        if (phase === "unknown") {
            return (
                this.status?.message || _t("Look at the terminal. Do not charge the card again.")
            );
        }
        return "";
    }

    /** Seconds since the charge was asked for, while it is open. */
    get seconds() {
        return this.isOpen ? ageOf(this.attempt, this.clock.now) : null;
    }

    get busy() {
        return this.attempt?.busy || "";
    }

    get canSend() {
        return ["ready", "unpaid"].includes(this.phase);
    }

    get sendLabel() {
        return this.phase === "ready" ? _t("Send") : _t("Try again");
    }

    get canChooseTerminal() {
        return this.canSend && this.method.viva_terminal_ids.length > 1;
    }

    get canCancel() {
        return this.isOpen && Boolean(this.status?.can_cancel);
    }

    get canCheck() {
        return this.phase === "unknown" || (this.isOpen && Boolean(this.status?.can_check));
    }

    get canRemove() {
        return this.phase === "unknown";
    }

    get canForce() {
        return this.isOpen && Boolean(this.status?.can_force);
    }

    async chooseTerminal() {
        this.clock.terminal =
            (await chooseTerminal(this.dialog, this.method)) || this.clock.terminal;
    }

    send() {
        this.props.send(this.props.line);
    }

    cancel() {
        this.pos.viva.buttons.cancel(this.props.line.uuid);
    }

    checkAgain() {
        this.pos.viva.buttons.checkAgain(this.props.line.uuid);
    }

    force() {
        this.pos.viva.buttons.force(this.props.line.uuid);
    }

    remove() {
        this.props.remove(this.props.line.uuid);
    }
}
