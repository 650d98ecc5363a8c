import { element, follow, lanAddress, money, time } from "./live.js";

const id = decodeURIComponent(location.pathname.split("/")[2]);
const byId = (name) => document.getElementById(name);
const TIP_MINOR = 100;
const OPERATIONS = {
    sale: "To pay",
    preauth: "To reserve",
    refund: "Refund",
    "preauth-completion": "Capture",
    "unreferenced-refund": "Refund to card",
    "fast-refund": "Fast refund",
    rebate: "Rebate",
};
const GIVES_BACK = new Set(["refund", "unreferenced-refund", "fast-refund", "rebate"]);
const NEEDS_REQUEST = new Set(["tap", "insert_pin", "decline", "tip", "retry_paid"]);
const ONLY_PAYING = new Set(["tip", "iris"]);

let view = null;
let endsAt = 0;
let card = "visa";
let instalments = 0;
let shownFace = "";

// ---- what the screen shows ----

const svg = (markup) => {
    const holder = element("div");
    holder.innerHTML = markup;
    return holder.firstElementChild;
};
const WAVES = `<svg class="waves" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round">
    <path d="M4 10.5a3 3 0 0 1 0 3"/><path d="M8 8a8 8 0 0 1 0 8"/><path d="M12 5.5a13 13 0 0 1 0 13"/><path d="M16 3a18 18 0 0 1 0 18"/></svg>`;
const CHECK = `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="3"><path d="M4 13l5 5L20 7"/></svg>`;
const CROSS = `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="3"><path d="M6 6l12 12M18 6L6 18"/></svg>`;

function amountOf(request) {
    const text = money(request.amount, request.currency);
    return element("div", text.length > 10 ? "amount long" : "amount", text);
}

const CHANNELS = { local: "by LAN", tcp: "by TCP", app: "in the app" };

function heading(request) {
    const channel = CHANNELS[request.channel];
    return [
        element("div", "label", channel ? `${labelOf(request)} · ${channel}` : labelOf(request)),
        amountOf(request),
        request.tip
            ? element("div", "small", `with ${money(request.tip, request.currency)} tip`)
            : null,
        request.surcharge
            ? element(
                  "div",
                  "small",
                  `with ${money(request.surcharge, request.currency)} surcharge`
              )
            : null,
        request.dcc
            ? element("div", "small", `as ${money(request.dcc.amount, request.dcc.currency)}`)
            : null,
        element("div", "reference", request.reference),
    ];
}

/** A pattern that looks like a QR code; it means nothing. */
function code(text) {
    const size = 25;
    const canvas = element("canvas", "qr");
    canvas.width = canvas.height = size;
    const paint = canvas.getContext("2d");
    let seed = [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7);
    for (let x = 0; x < size; x++) {
        for (let y = 0; y < size; y++) {
            seed = (seed * 1664525 + 1013904223) >>> 0;
            if (seed >>> 31) {
                paint.fillRect(x, y, 1, 1);
            }
        }
    }
    for (const [x, y] of [
        [0, 0],
        [size - 7, 0],
        [0, size - 7],
    ]) {
        paint.clearRect(x ? x - 1 : 0, y ? y - 1 : 0, 8, 8);
        paint.strokeRect(x + 0.5, y + 0.5, 6, 6);
        paint.fillRect(x + 2, y + 2, 3, 3);
    }
    return canvas;
}

function labelOf(request) {
    if (request.operation === "refund" && request.parent === "preauth") {
        return "Release";
    }
    return OPERATIONS[request.operation] || request.operation;
}

/** What was done, in one word. */
function doneWord(request, result) {
    if (GIVES_BACK.has(request.operation)) {
        if (request.parent === "preauth") {
            return "Released";
        }
        return result.type === 7 || result.type === 84 ? "Voided" : "Refunded";
    }
    return (
        { preauth: "Reserved", "preauth-completion": "Captured" }[request.operation] || "Approved"
    );
}

const FACES = {
    idle: () => [
        element("div", "clock", now().slice(0, 5)),
        element(
            "div",
            "small",
            new Date().toLocaleDateString("en-GB", {
                weekday: "long",
                day: "numeric",
                month: "long",
            })
        ),
        element("div", "prompt", "Welcome"),
        element("div", "small", view.merchant),
    ],
    shown: (request) => [
        ...heading(request),
        svg(WAVES),
        element(
            "div",
            "prompt",
            GIVES_BACK.has(request.operation) ? "Tap the card to be credited" : "Tap or insert card"
        ),
    ],
    qr: (request) => [
        element("div", "label", "IRIS"),
        amountOf(request),
        code(request.sessionId),
        element("div", "small", "Scan with your bank’s app"),
    ],
    pin: (request) => [
        ...heading(request),
        element("div", "prompt", "Enter your PIN"),
        element("div", "pin", ...[1, 2, 3, 4].map(() => element("i"))),
        element("div", "small", "Do not remove the card"),
    ],
    authorising: (request) => [
        ...heading(request),
        element("div", "spin"),
        element("div", "prompt", "One moment, please"),
    ],
    final: (request, result) => {
        const mark = element("div", "mark");
        mark.append(svg(result.success ? CHECK : CROSS));
        return [
            mark,
            element("div", "verdict", result.success ? doneWord(request, result) : "Not approved"),
            amountOf(request),
            element(
                "div",
                "small",
                result.success ? `${result.card} ${result.pan.slice(-4)}` : result.message
            ),
            element(
                "div",
                "small",
                result.success ? `Authorisation ${result.authorization}` : `Code ${result.eventId}`
            ),
        ];
    },
};

function now() {
    return new Date().toLocaleTimeString("en-GB");
}

function draw() {
    const { screen, request, result } = view;
    byId("number").textContent = view.terminalId;
    byId("place").textContent = [view.merchant, view.store, lanAddress(view)]
        .filter(Boolean)
        .join(" · ");
    byId("bar-place").textContent = view.terminalId;
    const network = byId("bar-network");
    network.textContent = view.online ? "4G ▮▮▮" : "no network";
    network.className = view.online ? "" : "off";
    document.title = `${view.terminalId} – virtual terminal`;
    const broken = view.statusId !== 1;
    byId("screen").classList.toggle("dark", broken);
    drawFace(broken, screen, request, result);
    drawNote(request, result);
    drawLamps(screen, result);
    drawKeys(screen);
    drawInstalments(request);
    if (screen === "final" && result.success) {
        drawPaper(request, result);
    } else if (screen !== "idle" && screen !== "final") {
        byId("paper").hidden = true;
    }
    const waiting = screen === "shown" || screen === "qr";
    byId("time").hidden = !waiting;
    endsAt = waiting ? Date.now() + request.left * 1000 : 0;
    tick();
}

function drawFace(broken, screen, request, result) {
    const face = byId("face");
    // Only a face that differs is drawn again, so that animations run on.
    const same = JSON.stringify([screen, { ...request, left: 0 }, result, view.statusId]);
    if (same === shownFace && screen !== "idle") {
        return;
    }
    shownFace = same;
    face.className = screen === "final" ? `face ${result.success ? "good" : "bad"}` : "face";
    const parts = broken
        ? [element("div", "small", "Out of order")]
        : FACES[screen](request, result);
    face.replaceChildren(...parts.filter(Boolean));
}

function drawNote(request, result) {
    const note = byId("note");
    let text = "";
    if (!view.online) {
        text = "No network: nothing reaches Viva";
    } else if (view.answersAs && view.answersAs !== view.terminalId) {
        text = `${view.answersAs} answers at this terminal’s address`;
    } else if (request && request.abortRequested && !result) {
        text = "The till asks to cancel…";
    }
    note.textContent = text;
    note.hidden = !text;
}

function drawLamps(screen, result) {
    const lit = { shown: 1, qr: 1, pin: 2, authorising: 3, final: 4 }[screen] || 0;
    [...byId("lamps").children].forEach((lamp, index) => {
        const on = index < lit;
        const bad = screen === "final" && !result.success;
        lamp.className = on ? (bad ? "bad" : "lit") : "";
    });
}

function drawKeys(screen) {
    for (const key of document.querySelectorAll(".key")) {
        const action = key.dataset.action;
        if (key.id === "plug") {
            key.dataset.action = view.online ? "unplug" : "plug";
            byId("plug-label").textContent = view.online ? "Unplug network" : "Plug in network";
        } else {
            key.disabled =
                (screen !== "shown" && (NEEDS_REQUEST.has(action) || screen !== "qr")) ||
                (ONLY_PAYING.has(action) && GIVES_BACK.has(view.request?.operation));
        }
    }
    byId("tip-amount").textContent = `+${money(TIP_MINOR, view.request?.currency || "EUR")}`;
}

function drawInstalments(request) {
    const most = request?.maxInstalments || 0;
    byId("instalments-title").hidden = byId("instalments").hidden = most < 2;
    if (most < 2) {
        instalments = 0;
        return;
    }
    const choices = [0, ...Array.from({ length: most - 1 }, (_, index) => index + 2)];
    byId("instalments").replaceChildren(
        ...choices.map((count) => {
            const button = element("button", "", count ? String(count) : "none");
            button.ariaPressed = String(count === instalments);
            button.onclick = () => {
                instalments = count;
                drawInstalments(view.request);
            };
            return button;
        })
    );
}

function drawPaper(request, result) {
    const lines = [
        ["Terminal", view.terminalId],
        ["Date", new Date(result.time).toLocaleDateString("en-GB")],
        ["Time", time(result.time)],
        ["Card", result.card],
        ["Number", result.pan],
        ["Authorisation", result.authorization],
        ["RRN", result.rrn],
        ["Order", result.orderCode],
        ["Reference", request.reference],
    ];
    const list = element("dl");
    for (const [name, value] of lines.filter((line) => line[1])) {
        list.append(element("dt", "", name), element("dd", "", String(value)));
    }
    byId("paper").replaceChildren(
        element("h3", "", view.merchant),
        element("p", "", view.store),
        element(
            "div",
            "sum",
            `${request.operation === "sale" ? "SALE" : labelOf(request).toUpperCase()} ${money(request.amount, request.currency)}`
        ),
        list,
        element("p", "", ""),
        element("p", "", "PRETEND SLIP · NO MONEY MOVED")
    );
    byId("paper").hidden = false;
}

function tick() {
    byId("bar-time").textContent = now().slice(0, 5);
    if (view?.screen === "idle" && view.statusId === 1) {
        drawFace(false, "idle");
    }
    if (endsAt) {
        const left = Math.max(0, (endsAt - Date.now()) / 1000);
        byId("left").textContent = `${Math.ceil(left)} s`;
        byId("left-bar").style.width = `${(100 * left) / view.request.timeout}%`;
        byId("time").classList.toggle("late", left < 15);
    }
}

// ---- what people do ----

let toastTimer = 0;

function say(text) {
    byId("toast").textContent = text;
    byId("toast").hidden = false;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => {
        byId("toast").hidden = true;
    }, 3500);
}

async function act(action) {
    const options = { card };
    if (action === "tip") {
        options.minor = TIP_MINOR;
    }
    if (action === "retry_paid") {
        options.delay_ms = 2500;
        say("Cancelled on the terminal; the customer pays all the same in 2.5 s");
    }
    if (instalments) {
        options.installments = instalments;
    }
    try {
        const response = await fetch(`/control/terminals/${encodeURIComponent(id)}/${action}`, {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify(options),
        });
        if (!response.ok) {
            say((await response.json()).error);
        }
    } catch {
        say("The simulator does not answer.");
    }
}

for (const key of document.querySelectorAll(".key")) {
    key.addEventListener("click", () => act(key.dataset.action));
}
byId("cards").addEventListener("click", (event) => {
    if (event.target.dataset.card) {
        card = event.target.dataset.card;
        for (const button of byId("cards").children) {
            button.ariaPressed = String(button.dataset.card === card);
        }
    }
});
setInterval(tick, 250);
follow(`/terminal/${encodeURIComponent(id)}/events`, (snapshot) => {
    if (snapshot.gone) {
        location.href = "/";
        return;
    }
    view = snapshot;
    draw();
});
