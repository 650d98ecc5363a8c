import { element, follow, lanAddress, money, time } from "./live.js";

const byId = (name) => document.getElementById(name);
const STATES = {
    idle: "free",
    shown: "waits for the card",
    qr: "shows a QR code",
    pin: "asks for the PIN",
    authorising: "authorises",
    final: "shows the result",
};

const PROTOCOLS = { local: "Local API", tcp: "TCP", app: "app", cloud: "cloud" };
const GIVEN_BACK = new Set(["refund", "void"]);

/** Protocol, address and fingerprint of a terminal that listens on the LAN. */
function lanLines(terminal) {
    if (!terminal.lan) {
        return [];
    }
    const platform = terminal.platform ? ` (${terminal.platform})` : "";
    const lines = [
        element("p", "", `${PROTOCOLS[terminal.lan]}${platform}`),
        element("p", "lan", lanAddress(terminal)),
    ];
    if (terminal.fingerprint) {
        lines.push(element("p", "lan", terminal.fingerprint.match(/.{4}/g).join(" ")));
    }
    if (terminal.answersAs !== terminal.terminalId) {
        lines.push(element("p", "bad", `${terminal.answersAs} answers there`));
    }
    return lines;
}

function terminalCard(terminal) {
    const mini = element("div", terminal.statusId === 1 ? "mini" : "mini dark");
    const amount = terminal.session ? money(terminal.session.amount, terminal.currency) : "";
    mini.append(element("div", "", amount), ...Array.from({ length: 6 }, () => element("i")));
    let state = element(
        "span",
        terminal.screen === "idle" ? "state" : "state busy",
        STATES[terminal.screen]
    );
    if (terminal.statusId !== 1) {
        state = element("span", "state bad", "out of order");
    } else if (terminal.lan && !terminal.listening) {
        state = element("span", "state bad", "does not listen");
    } else if (!terminal.online) {
        state = element("span", "state bad", "no network");
    }
    const text = element(
        "div",
        "",
        element("b", "", terminal.terminalId),
        element("p", "", `${terminal.merchant} · ${terminal.store}`),
        ...lanLines(terminal),
        state
    );
    const card = element("a", "card", mini, text);
    card.href = `/terminal/${encodeURIComponent(terminal.terminalId)}`;
    return card;
}

/** Fills a table. A column is [title, cell]; a cell answers text, or [text, class]. */
function fill(id, rows, columns) {
    const table = byId(id);
    if (!rows.length) {
        table.replaceChildren(element("tr", "", element("td", "none", "Nothing yet")));
        return;
    }
    const head = element("tr", "", ...columns.map(([title]) => element("th", "", title)));
    const lines = rows.map((row) =>
        element(
            "tr",
            "",
            ...columns.map(([, cell]) => {
                const [text, className] = [cell(row)].flat();
                const made = element("td", className, String(text ?? ""));
                made.title = String(text ?? "");
                return made;
            })
        )
    );
    table.replaceChildren(head, ...lines);
}

function outcome(session) {
    if (session.success === null) {
        return [STATES[session.state] || "not shown yet", "wait"];
    }
    return session.success
        ? ["approved", "good"]
        : [`${session.message} (${session.eventId})`, "bad"];
}

function show(view) {
    const currency = (row) => view.currencies[row.currencyCode] || row.currencyCode;
    byId("terminals").replaceChildren(
        ...view.terminals.map((terminal) =>
            terminalCard({
                ...terminal,
                currency: terminal.session ? currency(terminal.session) : "",
            })
        )
    );
    fill("sessions", view.sessions, [
        ["Time", (row) => time(row.created)],
        ["Terminal", (row) => row.terminalId],
        ["Way", (row) => PROTOCOLS[row.channel]],
        ["Operation", (row) => row.operation],
        ["Amount", (row) => money(row.amount, row.currency)],
        ["Outcome", outcome],
        ["Reference", (row) => row.merchantReference],
        ["Till", (row) => row.cashRegisterId],
    ]);
    fill("charges", view.charges, [
        ["Time", (row) => time(row.created)],
        ["Terminal", (row) => row.terminalId],
        [
            "Amount",
            (row) => money(GIVEN_BACK.has(row.operation) ? -row.amount : row.amount, currency(row)),
        ],
        ["Kind", (row) => `${row.operation} (${row.transactionTypeId})`],
        ["Status", (row) => row.statusId],
        ["Given back", (row) => (row.refunded ? money(row.refunded, currency(row)) : "")],
        ["Card", (row) => row.card],
        ["Reference", (row) => row.merchantReference],
        ["Transaction", (row) => row.transactionId],
    ]);
    fill("deliveries", view.deliveries, [
        ["Time", (row) => time(row.at * 1000)],
        ["Event", (row) => row.eventTypeId],
        [
            "Answer",
            (row) => [row.status || "none", row.status >= 200 && row.status < 300 ? "good" : "bad"],
        ],
        ["Took", (row) => `${row.ms} ms`],
        ["Retry", (row) => row.retryCount || ""],
        ["Address", (row) => row.url],
    ]);
    byId("webhooks").replaceChildren(
        ...view.webhooks.map((hook) => element("li", "", `${hook.url} – ${hook.events.join(", ")}`))
    );
    byId("violations-section").hidden = !view.violations.length;
    fill("violations", view.violations, [
        ["Time", (row) => time(row.at * 1000)],
        ["What", (row) => [row.what, "bad"]],
        ["Address", (row) => row.path],
    ]);
}

byId("register").addEventListener("submit", async (event) => {
    event.preventDefault();
    const verified = byId("verified");
    verified.className = "wait";
    verified.textContent = "asking…";
    const response = await fetch("/control/webhooks", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ url: byId("url").value, merchantId: byId("merchant").value }),
    });
    const answer = await response.json();
    verified.className = answer.verified ? "good" : "bad";
    verified.textContent = answer.detail || answer.error;
});

follow("/events", show);
