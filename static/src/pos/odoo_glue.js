/**
 * Every name of Odoo's payment-terminal interface that is known to change in Odoo 20 stands here and
 * nowhere else: the base class and its registration, the field that selects a terminal's provider, the
 * statuses of a payment line, the register's notifications.
 */
import { register_payment_method } from "@point_of_sale/app/services/pos_store";
import { PaymentInterface } from "@point_of_sale/app/utils/payment/payment_interface";

const PROVIDER = "viva";

export { PaymentInterface };

export function registerVivaInterface(Interface) {
    register_payment_method(PROVIDER, Interface);
}

/** Whether this `pos.payment.method` takes money through a Viva terminal. */
export function isVivaMethod(method) {
    return method?.use_payment_terminal === PROVIDER;
}

/** Whether this `pos.payment` belongs to such a method. False for nothing at all. */
export function isVivaLine(line) {
    return isVivaMethod(line?.payment_method_id);
}

/** What we write into `payment_status` of a line. Odoo knows more statuses; see `isLeftWaiting`. */
export const LINE = {
    toSend: "pending",
    sending: "waiting",
    waiting: "waitingCard",
    retry: "retry",
    done: "done",
};

/** Odoo's own `isDone` takes a line without a status for paid; ours is paid when we have said so. */
export function isPaidLine(line) {
    return line?.payment_status === LINE.done;
}

/** Whether a line looks as if somebody were still waiting for its terminal, e.g. after a reload. */
export function isLeftWaiting(line) {
    const status = line.payment_status;
    return Boolean(status) && status !== LINE.toSend && status !== LINE.retry && !isPaidLine(line);
}

/** The next synchronisation carries this record, whatever Odoo believes to have sent already. */
export function mustBeSent(record) {
    record._dirty = false; // else the order would not be marked
    record._markDirty();
}

/** Calls `callback({attempt, order_uuid})` for each hint of the server. */
export function listenToServer(pos, callback) {
    pos.data.connectWebSocket("VIVA_PAYMENT", callback);
}
