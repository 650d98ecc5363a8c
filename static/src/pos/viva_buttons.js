import { TextInputPopup } from "@point_of_sale/app/components/popups/text_input_popup/text_input_popup";
import { makeAwaitable } from "@point_of_sale/app/utils/make_awaitable_dialog";
import { _t } from "@web/core/l10n/translation";

import { refusalWords } from "../shared/ask";
import { isPaidLine } from "./odoo_glue";
import { givesMoneyBack, isOpen, phaseOf } from "./viva_attempt";
import { confirm } from "./viva_confirm/viva_confirm";

/** What the cashier can do about a payment that is under way. Lines are named by their uuid. */
export class VivaButtons {
    /** @param {import("./viva_till").VivaTill} till */
    constructor(till) {
        this.till = till;
        this.pos = till.pos;
        this.lines = till.lines;
    }

    /**
     * Ask the terminal to stop, and wait for the end.
     *
     * @returns {Promise<boolean>} true: surely not charged
     */
    async cancel(uuid) {
        const line = this.lines.find(uuid);
        if (!line || !this.till.isOpen(line)) {
            return !isPaidLine(line);
        }
        return this.cancelAttempt(this.till.attemptOf(line));
    }

    /** The same for any operation. */
    async cancelAttempt(attempt) {
        const { cannot_cancel: words } = attempt.status || {};
        if (words) {
            this.till.outcome.say(_t("Not from here"), words);
        } else {
            const unopened = this.till.app.withdraw(attempt);
            await this._press(attempt, "abort", () => this.till.server.abort(attempt.id, unopened));
            this.till.app.stop(attempt);
        }
        this.till.watch.poke();
        return !(await this.till.end(attempt));
    }

    async checkAgain(uuid) {
        const line = this.lines.find(uuid);
        const attempt = line && this.till.attemptOf(line);
        if (attempt) {
            await this.checkAttempt(attempt);
        }
    }

    async checkAttempt(attempt) {
        await this._press(
            attempt,
            "check",
            async () => (await this.till.server.check([attempt.id]))[0]
        );
    }

    /** The cashier wants the line gone. It stays until it is known that the card was not charged. */
    async remove(uuid) {
        const line = this.lines.find(uuid);
        if (!line || !this.till.isOpen(line)) {
            this.lines.remove(uuid);
            return;
        }
        const attempt = this.till.attemptOf(line);
        const phase = phaseOf(attempt);
        if (phase === "unknown") {
            await this._removeUnknown(attempt, line);
            return;
        }
        attempt.removeLine = true;
        if (phase !== "sending") {
            await this.cancel(uuid);
        }
    }

    async _removeUnknown(attempt, line) {
        const order = line.pos_order_id.pos_reference;
        const isBack = givesMoneyBack(attempt);
        const sure = await confirm(this.pos.dialog, {
            title: isBack
                ? _t("We do not know yet whether the money was given back")
                : _t("We do not know yet whether the card was charged"),
            body: isBack
                ? _t(
                      "If you give the money back another way now, the customer may get it twice. We go on checking " +
                          "and tell you if the card got it after all. Note the order: %s",
                      order
                  )
                : _t(
                      "If you take the money another way now, the customer may have paid twice. We go on checking and " +
                          "tell you if the card was charged after all. Note the order: %s",
                      order
                  ),
            confirmLabel: isBack ? _t("Remove the refund") : _t("Remove the card payment"),
            confirmClass: "btn-danger",
            cancelLabel: _t("Keep checking"),
        });
        if (sure && isOpen(attempt)) {
            this.lines.remove(line.uuid);
            this.till.settle(attempt, false);
        }
    }

    /** A manager takes the responsibility that the customer has paid. The server checks who it is. */
    async force(uuid) {
        const line = this.lines.find(uuid);
        const attempt = line && this.till.attemptOf(line);
        if (attempt) {
            await this.forceAttempt(attempt);
        }
    }

    async forceAttempt(attempt) {
        const answer = await this.askManager(attempt);
        if (answer) {
            const { reason, credentials } = answer;
            await this._press(attempt, "force", () =>
                this.till.server.force(attempt.id, reason, credentials)
            );
        }
    }

    /**
     * @param {import("./viva_attempt").VivaAttempt} attempt what is to be taken as done
     * @returns {Promise<{reason: string, credentials: (Object|undefined)}|undefined>} credentials are for
     *   tills on which a manager identifies himself by something else than the login
     */
    async askManager(attempt) {
        const isBack = attempt && givesMoneyBack(attempt);
        const reason = await makeAwaitable(this.pos.dialog, TextInputPopup, {
            title: isBack
                ? _t("Why do you accept this money as given back?")
                : _t("Why do you accept this payment as paid?"),
            placeholder: _t("e.g. the terminal printed an approval, code 123456"),
            rows: 2,
        });
        return reason?.trim() ? { reason: reason.trim() } : undefined;
    }

    /** Whether somebody with more rights can identify himself at this till. */
    get canAskManager() {
        return false;
    }

    /** Whether money can be given back by card here, by the cashier or with a manager's help. */
    get mayGiveBack() {
        return this.pos.config.viva_may_give_back !== false || this.canAskManager;
    }

    /**
     * The person at the till may not do this: ask one who may.
     *
     * @param {import("./viva_attempt").VivaAttempt} attempt what is to be done
     * @returns {Promise<Object|undefined>} credentials for `pos_start`; nothing where only the login counts
     */
    async askCredentials(attempt) {
        return undefined;
    }

    async _press(attempt, button, question) {
        if (attempt.busy) {
            return;
        }
        attempt.busy = button;
        try {
            const status = await question();
            this.till.takeAnswer([attempt.id], status ? [status] : []);
        } catch (error) {
            const words = refusalWords(error);
            attempt.contact = Boolean(words);
            if (words || button !== "check") {
                this.till.outcome.say(
                    _t("That did not work"),
                    words ||
                        _t("No connection to Odoo. Check the network and press the button again.")
                );
            }
        } finally {
            attempt.busy = "";
        }
    }
}
