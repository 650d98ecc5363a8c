const CHANNEL = "viva_payments";

/** The app leads back to a page of its own: other tabs of this browser settle which of them goes on. */
export class VivaTabs {
    /** @param {import("./viva_till").VivaTill} till */
    constructor(till) {
        this.till = till;
        this.pos = till.pos;
    }

    listen() {
        if (window.BroadcastChannel) {
            this.channel = new BroadcastChannel(CHANNEL);
            this.channel.addEventListener("message", ({ data }) => this.onMessage(data || {}));
        }
    }

    /** The page that the app has opened asks whether it is needed. */
    onMessage({ ask, order_uuid }) {
        const order =
            ask === "here?" && this.pos.models["pos.order"].getBy("uuid", order_uuid || "");
        if (!order) {
            return;
        }
        this.channel.postMessage({ answer: "here", order_uuid });
        this._show(order);
        this.till.watch.poke();
    }

    /** Whoever comes back looks for the payment that he has left. */
    _show(order) {
        const { state } = this.pos.router;
        const isShown = state.current === "PaymentScreen" && state.params.orderUuid === order.uuid;
        if (!isShown && !order.finalized && this.till.openLine(order)) {
            this.pos.setOrder(order);
            this.pos.navigate("PaymentScreen", { orderUuid: order.uuid });
        }
    }

    /**
     * Resolves when somebody looks at this tab. Until then another one may have gone on with the order, so what it
     * has done is read first.
     */
    async inFront() {
        if (!document.hidden) {
            return;
        }
        await new Promise((resolve) => {
            const onChange = () => {
                if (!document.hidden) {
                    document.removeEventListener("visibilitychange", onChange);
                    resolve();
                }
            };
            document.addEventListener("visibilitychange", onChange);
        });
        await this.pos.deviceSync.readDataFromServer();
    }
}
