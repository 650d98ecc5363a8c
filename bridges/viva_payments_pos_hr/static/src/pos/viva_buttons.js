import { NumberPopup } from "@point_of_sale/app/components/popups/number_popup/number_popup";
import { SelectionPopup } from "@point_of_sale/app/components/popups/selection_popup/selection_popup";
import { makeAwaitable } from "@point_of_sale/app/utils/make_awaitable_dialog";
import { givesMoneyBack } from "@viva_payments/pos/viva_attempt";
import { VivaButtons } from "@viva_payments/pos/viva_buttons";
import { refusalWords } from "@viva_payments/shared/ask";
import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";

patch(VivaButtons.prototype, {
    /** On a till with employee login: which manager, the PIN (compared by the server only), the reason. */
    async askManager(attempt) {
        if (!this.pos.config.module_pos_hr) {
            return super.askManager(...arguments);
        }
        const credentials = await this._askCredentials(
            attempt && givesMoneyBack(attempt)
                ? _t("Which manager accepts that the money was given back?")
                : _t("Which manager accepts this payment?")
        );
        const answer = credentials && (await super.askManager(...arguments));
        return answer && { ...answer, credentials };
    },

    get canAskManager() {
        return this.pos.config.module_pos_hr || super.canAskManager;
    },

    /** The cashier may not do this: which manager allows it, and the PIN. */
    async askCredentials(attempt) {
        // Money back without a sale is a right of its own, which no PIN gives.
        if (!this.pos.config.module_pos_hr || attempt.request?.unreferenced) {
            return super.askCredentials(...arguments);
        }
        return this._askCredentials(
            givesMoneyBack(attempt)
                ? _t("Which manager gives the money back?")
                : _t("Which manager allows this?")
        );
    },

    async _askCredentials(title) {
        const managers = await this._managers();
        if (!managers?.length) {
            return undefined;
        }
        const id = await makeAwaitable(this.pos.dialog, SelectionPopup, {
            title,
            list: managers.map((manager) => ({
                id: manager.id,
                item: manager.id,
                label: manager.name,
            })),
        });
        const pin =
            id &&
            (await makeAwaitable(this.pos.dialog, NumberPopup, {
                title: _t("PIN of the manager"),
                formatDisplayedValue: (typed) => typed.replace(/./g, "•"),
            }));
        return pin ? { employee_id: id, pin } : undefined;
    },

    async _managers() {
        try {
            const managers = await this.pos.data.call("viva.transaction", "pos_deciders", []);
            if (!managers.length) {
                this.till.outcome.say(
                    _t("No manager can decide here"),
                    _t(
                        "No employee with a PIN is a Viva manager. A manager may decide in the back office: " +
                            "Point of Sale > Viva.com > Transactions."
                    )
                );
            }
            return managers;
        } catch (error) {
            this.till.outcome.say(
                _t("That did not work"),
                refusalWords(error) ||
                    _t("No connection to Odoo. Check the network and press the button again.")
            );
            return undefined;
        }
    },
});
