import { browser } from "@web/core/browser/browser";
import { currencies, formatCurrency } from "@web/core/currency";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useBus, useService } from "@web/core/utils/hooks";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";
import { Component, onMounted, onWillUnmount, useExternalListener, useState } from "@odoo/owl";

import { toMajor } from "../../shared/minor_units";
import { BookingRun, ageOf, phaseOf } from "./booking_run";
import { BookingServer } from "./booking_server";
import { TONES, detailOf, extrasOf, purposeOf, terminalOf, titleOf } from "./booking_words";

const PING = "viva_payments_booking";

/** A card payment that the back office has asked for, live. Closing the window changes nothing about it. */
export class VivaBooking extends Component {
    static template = "viva_payments.VivaBooking";
    static props = { ...standardActionServiceProps };

    setup() {
        this.action = useService("action");
        this.state = useState({ attempt: "", busy: "", contact: true });
        this.clock = useState({ now: Date.now() });
        // Not bound to this component: what was begun is ended, also when the window is closed meanwhile.
        this.run = new BookingRun(new BookingServer(this.env.services.orm), this.state);
        this.run.open(String(this.props.action.params?.attempt || ""));
        this.listen();
        onMounted(() => {
            this.timer = browser.setInterval(() => this.tick(), 1000);
        });
        onWillUnmount(() => {
            browser.clearInterval(this.timer);
            this.run.stop();
        });
    }

    /** Whatever brings news sooner than the next question. */
    listen() {
        const bus = useService("bus_service");
        const onPing = ({ attempt }) => attempt === this.state.attempt && this.run.poke();
        bus.subscribe(PING, onPing);
        onWillUnmount(() => bus.unsubscribe(PING, onPing));
        const poke = () => this.run.poke();
        useBus(bus, "BUS:RECONNECT", poke);
        useExternalListener(window, "focus", poke);
        useExternalListener(window, "online", poke);
        useExternalListener(document, "visibilitychange", () => !document.hidden && poke());
    }

    tick() {
        if (this.isRunning) {
            this.clock.now = Date.now();
        }
    }

    // -- what is shown -----------------------------------------------------------------------------

    get status() {
        return this.state.status;
    }

    get booking() {
        return this.status?.booking;
    }

    get phase() {
        return phaseOf(this.state);
    }

    get tone() {
        return TONES[this.phase];
    }

    get isRunning() {
        return ["sending", "waiting", "cancelling", "unknown", "booking"].includes(this.phase);
    }

    get isDemo() {
        return Boolean(this.status?.demo || this.booking?.demo);
    }

    get amount() {
        return this.money(this.booking.amount_minor);
    }

    get purpose() {
        return purposeOf(this.booking);
    }

    get terminal() {
        return terminalOf(this.status);
    }

    get title() {
        return titleOf(this.state);
    }

    get detail() {
        const extras = this.status && extrasOf(this.status, (minor) => this.money(minor));
        return [extras, detailOf(this.state)].filter(Boolean).join(" – ");
    }

    get cannotCancel() {
        return (this.isRunning && this.status?.cannot_cancel) || "";
    }

    /** Seconds since it was asked for, while the end is open. */
    get seconds() {
        return this.isRunning ? ageOf(this.state, this.clock.now) : null;
    }

    get hint() {
        if (!this.isRunning) {
            return "";
        }
        return ["preauth", "void", "release"].includes(this.status.operation)
            ? _t("You can close this window: Odoo goes on by itself.")
            : _t(
                  "You can close this window: Odoo goes on by itself and books it when it is through."
              );
    }

    /** @param {number} minor integer minor units */
    money(minor) {
        const { currency, digits } = this.booking;
        const amount = toMajor(minor, digits);
        const id = Object.keys(currencies).find((key) => currencies[key].name === currency);
        const words = formatCurrency(amount, Number(id), { digits: [69, digits] });
        return id ? words : `${words} ${currency}`;
    }

    // -- what can be done --------------------------------------------------------------------------

    get canSend() {
        return ["ready", "refused"].includes(this.phase) && Boolean(this.booking?.can_start);
    }

    get canTryAgain() {
        return this.phase === "not_done" && Boolean(this.booking.can_again);
    }

    get canCancel() {
        const { can_cancel, cannot_cancel } = this.status || {};
        return this.isRunning && Boolean(can_cancel) && !cannot_cancel;
    }

    get canPost() {
        return this.phase === "to_post" && Boolean(this.booking.can_post);
    }

    /** Control+Enter presses the first button: never one that cancels. */
    get isClosedFirst() {
        const isWaiting = this.isRunning && this.phase !== "unknown";
        return isWaiting || ["opening", "done"].includes(this.phase);
    }

    get showsPayment() {
        const phases = ["ready", "refused", "done", "to_post"];
        return phases.includes(this.phase) && Boolean(this.booking?.payment_id);
    }

    get showsTransaction() {
        const phases = ["unknown", "done", "to_post", "not_done"];
        return phases.includes(this.phase) && Boolean(this.booking?.transaction_id);
    }

    send() {
        return this.run.send();
    }

    cancel() {
        return this.run.cancel();
    }

    checkAgain() {
        return this.run.checkAgain();
    }

    post() {
        return this.run.post();
    }

    async tryAgain() {
        await this.run.tryAgain();
        this.props.updateActionState?.({ attempt: this.state.attempt });
    }

    openPayment() {
        this.openRecord("account.payment", this.booking.payment_id);
    }

    openTransaction() {
        this.openRecord("viva.transaction", this.booking.transaction_id);
    }

    openRecord(model, id) {
        this.action.doAction({
            type: "ir.actions.act_window",
            res_model: model,
            res_id: id,
            views: [[false, "form"]],
        });
    }

    /** What lies below is read again. */
    close() {
        this.action.doAction({ type: "ir.actions.act_window_close" });
    }
}

registry.category("actions").add("viva_payments.booking", VivaBooking);
