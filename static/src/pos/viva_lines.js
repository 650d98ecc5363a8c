import { toMajor } from "../shared/minor_units";
import { LINE, isPaidLine, isVivaLine, isVivaMethod } from "./odoo_glue";
import { operationOf, phaseOf } from "./viva_attempt";

const STATUS_OF_PHASE = {
    sending: LINE.sending,
    waiting: LINE.waiting,
    cancelling: LINE.waiting,
    unknown: LINE.waiting,
    unpaid: LINE.retry,
};

/** Payment lines as the Viva payments see them: found by uuid, never touched once they are done. */
export class VivaLines {
    constructor(pos) {
        this.pos = pos;
        /** The last attempt of each line, by payment uuid: a synchronisation may take it from the line. */
        this.attemptOf = {};
    }

    get methods() {
        return this.pos.models["pos.payment.method"].filter((method) => isVivaMethod(method));
    }

    find(uuid) {
        return this.pos.models["pos.payment"].getBy("uuid", uuid);
    }

    order(attempt) {
        return this.pos.models["pos.order"].getBy("uuid", attempt.orderUuid);
    }

    /** The uuid of the attempt that the line stands for. */
    attemptId(line) {
        return this.attemptOf[line.uuid] || line.viva_attempt;
    }

    /** The line of this attempt, unless it stands for another one or belongs to a paid order. */
    of(attempt) {
        const line = this.find(attempt.paymentUuid);
        return line && this.attemptId(line) === attempt.id && !line.pos_order_id?.finalized
            ? line
            : undefined;
    }

    /** The line of an open order that stands for the attempt with this uuid. */
    standingFor(attemptId) {
        return this.pos.models["pos.payment"].find(
            (line) =>
                isVivaLine(line) &&
                this.attemptId(line) === attemptId &&
                line.pos_order_id &&
                !line.pos_order_id.finalized
        );
    }

    /** From now on the line stands for this attempt. */
    assign(line, attempt) {
        this.attemptOf[line.uuid] = attempt.id;
        if (line.viva_attempt !== attempt.id) {
            line.viva_attempt = attempt.id;
        }
    }

    /** Give the line the status that fits the attempt. */
    show(attempt, line = this.of(attempt)) {
        const status = STATUS_OF_PHASE[phaseOf(attempt)];
        if (line && !isPaidLine(line) && line.payment_status !== status) {
            line.setPaymentStatus(status);
        }
    }

    /** Write the approval into the line. Told twice, the receipt says it once. */
    book(attempt, line) {
        const { result = {} } = attempt.status;
        attempt.booked = true;
        line.update({
            transaction_id: result.transaction_id || "",
            card_type: result.card_brand || "",
            card_brand: result.card_brand || "",
            card_no: result.card_last4 || "",
            payment_method_authcode: result.authorisation_code || "",
            payment_ref_no: result.rrn || "",
            payment_method_payment_mode: result.entry_mode || "",
        });
        if (result.slip && !line.ticket.includes(result.slip)) {
            line.setReceiptInfo(result.slip);
        }
        line.setPaymentStatus(LINE.done);
    }

    /** The line's approval does not count any more: neither the order nor the receipt may show it. */
    unbook(line) {
        line.update({
            transaction_id: "",
            card_type: "",
            card_brand: "",
            card_no: "",
            payment_method_authcode: "",
            payment_ref_no: "",
            payment_method_payment_mode: "",
            ticket: "",
        });
        line.setPaymentStatus(LINE.retry);
    }

    /** The removed line again, with its old uuid: the server knows the operation by it. */
    putBack(attempt, order) {
        const { status } = attempt;
        const sign = operationOf(attempt) === "refund" ? -1 : 1;
        const line = this.pos.models["pos.payment"].create({
            uuid: attempt.paymentUuid,
            pos_order_id: order,
            payment_method_id: this._methodOf(attempt),
            amount: sign * toMajor(status.amount_minor, status.digits),
            payment_status: LINE.waiting,
            viva_attempt: attempt.id,
        });
        this.assign(line, attempt);
        order.selectPaymentline(line);
        return line;
    }

    _methodOf({ methodId, status }) {
        return (
            this.methods.find(({ id }) => id === methodId) || this.methodFor(status.terminal?.id)
        );
    }

    /** The method that takes money with this terminal, else any Viva method of the till. */
    methodFor(terminalId) {
        const has = (method) => method.viva_terminal_ids.some(({ id }) => id === terminalId);
        return this.methods.find(has) || this.methods[0];
    }

    remove(uuid) {
        const line = this.find(uuid);
        if (line && !isPaidLine(line) && !line.pos_order_id.finalized) {
            line.pos_order_id.removePaymentline(line);
        }
    }

    /** The money of this paid line has gone back: it pays nothing any more. */
    removeVoided(line) {
        const order = line.pos_order_id;
        order.removePaymentline(line);
        return this.pos.syncAllOrders({ orders: [order], force: true }).catch((error) => {
            console.warn("viva_payments: the order is saved later", error);
        });
    }
}
