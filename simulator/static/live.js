/** Shared by the pages: the live stream, money and times as people read them. */

/**
 * Calls `show` with every snapshot of the stream at `address`; the browser reconnects by itself.
 * @param {string} address
 * @param {(view: object) => void} show
 */
export function follow(address, show) {
    const lost = document.getElementById("lost");
    const stream = new EventSource(address);
    stream.onmessage = (message) => {
        lost.hidden = true;
        show(JSON.parse(message.data));
    };
    stream.onerror = () => {
        lost.hidden = false;
    };
}

/** Minor units as text; all the currencies of the simulator have two decimals. */
export function money(minor, currency) {
    const sign = minor < 0 ? "-" : "";
    const digits = String(Math.abs(minor)).padStart(3, "0");
    const whole = digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ",");
    const symbols = { EUR: "€", GBP: "£" };
    const symbol = symbols[currency] || `${currency} `;
    return `${sign}${symbol}${whole}.${digits.slice(-2)}`;
}

export function time(moment) {
    return new Date(moment).toLocaleTimeString("en-GB");
}

/** An element with text and children; texts are never read as HTML. */
export function element(tag, className, ...children) {
    const made = document.createElement(tag);
    if (className) {
        made.className = className;
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
}

/** Where a terminal listens on the LAN, or nothing. */
export function lanAddress(terminal) {
    return terminal.lan ? `${terminal.scheme}://${terminal.host}:${terminal.port}` : "";
}
