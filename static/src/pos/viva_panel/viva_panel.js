import { usePos } from "@point_of_sale/app/hooks/pos_hook";
import { Dialog } from "@web/core/dialog/dialog";
import { _t } from "@web/core/l10n/translation";
import { useAutofocus } from "@web/core/utils/hooks";
import { Component, onMounted, onWillUnmount, useRef, useState } from "@odoo/owl";

import { refusalWords } from "../../shared/ask";
import { isOpen, phaseOf } from "../viva_attempt";
import { VivaActions } from "./viva_actions";
import { VivaHold } from "./viva_hold";
import { VivaPayment } from "./viva_payment";
import { VivaRunning } from "./viva_running";

/** Where the panel was left. */
const memory = { tab: "order" };

const TABS = [
    { name: "order", label: _t("This order") },
    { name: "session", label: _t("This session") },
    { name: "search", label: _t("Search") },
    { name: "holds", label: _t("Holds") },
];

export function openVivaPanel(pos, props = {}) {
    pos.dialog.add(VivaPanel, props);
}

/** The card payments and holds of this till, and what can be done about each of them. */
export class VivaPanel extends Component {
    static template = "viva_payments.VivaPanel";
    static components = { Dialog, VivaPayment, VivaHold, VivaRunning };
    static props = {
        tab: { type: String, optional: true },
        close: Function,
    };

    setup() {
        this.pos = usePos();
        this.till = this.pos.viva;
        this.tabs = TABS;
        this.attempts = useState(this.till.attempts);
        this.state = useState({
            tab: this.props.tab || this.firstTab,
            loading: true,
            error: "",
            payments: [],
            holds: [],
            truncated: false,
            opened: "",
            text: "",
            day: "",
            searched: false,
            /** Attempts that were begun here, until the panel is closed. */
            running: [],
        });
        this.actions = new VivaActions(this.till, {
            close: () => this.props.close(),
            follow: (attempt) => this.follow(attempt),
            reload: () => this.load(),
        });
        this.question = 0;
        this.content = useRef("content");
        useAutofocus({ refName: "text" });
        onMounted(() => this.load());
        onWillUnmount(() => (this.question = -1));
    }

    get firstTab() {
        const order = this.pos.getOrder();
        const hasCards = order?.payment_ids.some((line) => line.viva_attempt);
        if (memory.tab === "order" && !hasCards) {
            return "session";
        }
        return memory.tab;
    }

    get order() {
        return this.pos.getOrder();
    }

    get demo() {
        return this.till.demoWords;
    }

    // -- tabs ------------------------------------------------------------------------------------

    showTab(name) {
        memory.tab = name;
        Object.assign(this.state, { tab: name, opened: "", payments: [], holds: [], error: "" });
        this.load();
    }

    /** Arrows go from tab to tab, as screen readers expect. */
    onTabKeydown(event) {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) {
            return;
        }
        event.preventDefault();
        const names = this.tabs.map(({ name }) => name);
        const next = (names.indexOf(this.state.tab) + step + names.length) % names.length;
        this.showTab(names[next]);
        this.content.el.querySelector(`[role=tab][data-tab=${names[next]}]`).focus();
    }

    // -- what is shown ---------------------------------------------------------------------------

    async load() {
        const { tab, text, day } = this.state;
        if (tab === "search" && !text.trim() && !day) {
            Object.assign(this.state, { loading: false, payments: [], searched: false });
            return;
        }
        const question = ++this.question;
        Object.assign(this.state, { loading: true, error: "" });
        try {
            const answer = await this.till.server.panel({
                scope: tab,
                pos_session_id: this.pos.session.id,
                order_uuid: tab === "order" ? this.order?.uuid || "" : "",
                text: tab === "search" ? text.trim() : "",
                day: tab === "search" ? day : "",
            });
            if (question === this.question) {
                Object.assign(this.state, {
                    ...answer,
                    loading: false,
                    searched: tab === "search",
                });
            }
        } catch (error) {
            if (question === this.question) {
                Object.assign(this.state, {
                    loading: false,
                    error:
                        refusalWords(error) ||
                        _t("No connection to Odoo. Check the network, then press Load again."),
                });
            }
        }
    }

    onSearchKeydown(event) {
        if (event.key === "Enter") {
            this.load();
        }
    }

    get isEmpty() {
        const { tab, holds, payments } = this.state;
        return tab === "holds" ? !holds.length && !this.newHolds.length : !payments.length;
    }

    get emptyWords() {
        switch (this.state.tab) {
            case "order":
                return _t("No card payment on this order yet.");
            case "session":
                return _t("No card payment in this session yet.");
            case "search":
                return this.state.searched
                    ? _t("Nothing found. Try another day, or fewer digits.")
                    : _t(
                          "Receipt number, last four digits of the card, amount, RRN or authorisation code; or a day."
                      );
            default:
                return _t("No money is held at the moment.");
        }
    }

    toggle(id) {
        this.state.opened = this.state.opened === id ? "" : id;
    }

    // -- what runs -------------------------------------------------------------------------------

    /** Show the attempt until the panel is closed, and read the list again when it has ended. */
    async follow(attempt) {
        if (!attempt) {
            return;
        }
        if (!this.state.running.includes(attempt.id)) {
            this.state.running.push(attempt.id);
        }
        await this.till.end(attempt);
        if (this.question >= 0) {
            await this.load();
        }
    }

    /** New holds that were begun here, until they are in the list. */
    get newHolds() {
        return this.state.running
            .map((id) => this.attempts[id])
            .filter(
                (attempt) =>
                    attempt.operation === "preauth" &&
                    (isOpen(attempt) || (this.state.tab === "holds" && phaseOf(attempt) !== "paid"))
            );
    }

    /** The operation on this payment or hold that was begun here or is still open. */
    runningOn(parent) {
        const attempt = this.till.childOf(parent, this.attempts);
        return attempt && (isOpen(attempt) || this.state.running.includes(attempt.id))
            ? attempt
            : undefined;
    }

    // -- holds -----------------------------------------------------------------------------------

    async newHold() {
        const attempt = await this.till.holds.hold();
        if (attempt) {
            this.showTab("holds");
            this.follow(attempt);
        }
    }

    /** The order on the screen has a hold with which it can wait. */
    get canPark() {
        const uuid = this.order?.uuid;
        return this.state.holds.some(
            (hold) => hold.state === "open" && !hold.parked && uuid && hold.order_uuid === uuid
        );
    }

    async park() {
        if (await this.till.holds.park(this.order)) {
            this.props.close();
        }
    }
}
