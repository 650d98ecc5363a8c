import { makeAwaitable } from "@point_of_sale/app/utils/make_awaitable_dialog";

import { toMinor } from "../shared/minor_units";
import { VivaInstallmentsPopup } from "./viva_installments_popup/viva_installments_popup";
import { obstacleOf } from "./viva_ways";

/** Into how many installments a payment of this amount may be split at most; 0 = it may not. */
export function mostInstallments(method, amountMinor) {
    const bands = method.viva_installment_bands || [];
    const band = bands.findLast(([fromMinor]) => fromMinor <= amountMinor);
    return band && band[1] > 1 ? band[1] : 0;
}

/** Asks the cashier how many installments the customer may choose on the terminal. */
export class VivaInstallments {
    /** @param {import("./viva_till").VivaTill} till */
    constructor(till) {
        this.till = till;
        this.pos = till.pos;
    }

    /** @returns {Promise<import("./viva_plans").VivaPlan|undefined>} nothing: the question was closed */
    async complete(line, plan) {
        const amountMinor = toMinor(line.amount, this.pos.config.viva_digits);
        const method = line.payment_method_id;
        const offered = mostInstallments(method, amountMinor);
        // First the terminal: not each of them can ask the customer.
        const way = offered ? await this.till.wayFor(method, plan) : null;
        if (way === undefined) {
            return undefined;
        }
        const most = obstacleOf(way, "installments") ? 0 : offered;
        if (!most || plan.askedForMinor === amountMinor) {
            return most ? plan : { ...plan, maxInstallments: 0 };
        }
        const answer = await makeAwaitable(this.pos.dialog, VivaInstallmentsPopup, {
            amountMinor,
            digits: this.pos.config.viva_digits,
            most,
        });
        if (answer === undefined || !this.till.lines.find(line.uuid)) {
            return undefined;
        }
        this.till.plans.set(line, { maxInstallments: answer, askedForMinor: amountMinor });
        return this.till.plans.of(line);
    }
}
