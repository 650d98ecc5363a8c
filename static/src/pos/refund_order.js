import { TicketScreen } from "@point_of_sale/app/screens/ticket_screen/ticket_screen";

/** How Odoo's ticket screen makes the refund of an order, for those who do not stand before it. */

/** The lines of a closed order that have not been returned yet. */
export function refundableLines(order) {
    return order.lines.filter((line) => line.qty - line.refundedQty > 0);
}

/**
 * Make the refund of everything that has not been returned, and go to its payment screen. Odoo's own method does
 * it, so that what other addons add to a refund (a reason, for example) is added here, too.
 *
 * @returns {Promise<Object|undefined>} the refund order
 */
export async function makeRefundOrder(pos, order) {
    const screen = ticketScreen(pos, order);
    for (const line of refundableLines(order)) {
        const detail = screen.getToRefundDetail(line);
        if (!detail.destinationOrder) {
            detail.qty = line.qty - line.refundedQty;
        }
    }
    await screen.onDoRefund();
    const refund = pos.getOrder();
    return refund?.isRefund && refund.refunded_order_id?.uuid === order.uuid ? refund : undefined;
}

/** Odoo's ticket screen with this order open: what is returned is typed there. */
export function showOrderToRefund(pos, order) {
    const [line] = refundableLines(order);
    pos.ticket_screen_mobile_pane = "left";
    pos.navigate("TicketScreen", {
        stateOverride: {
            filter: "SYNCED",
            search: { fieldName: "RECEIPT_NUMBER", searchTerm: order.pos_reference },
            selectedOrderUuid: order.uuid,
            selectedOrderlineIds: line ? { [order.id]: line.id } : {},
        },
    });
}

/** A ticket screen that is not on any page, with the order selected. */
function ticketScreen(pos, order) {
    const [line] = refundableLines(order);
    return Object.assign(Object.create(TicketScreen.prototype), {
        pos,
        env: pos.env,
        dialog: pos.dialog,
        numberBuffer: pos.numberBuffer,
        state: {
            filter: "SYNCED",
            selectedOrderUuid: order.uuid,
            selectedOrderlineIds: { [order.id]: line?.id },
        },
    });
}
