/** Plays viva.com | Terminal on the device: takes a URI, lets people act, opens the callback. */

import { element, money } from "./live.js";

const query = new URLSearchParams(location.search);
const uri = query.get("uri") || "";
const terminalId = query.get("terminal") || undefined;
// For those who cannot click here: the page acts by itself.
const ownAct = query.get("act");
const OWN = new Set(["uri", "terminal", "act", "back"]);
const remembered = `app ${terminalId || ""} ${uri}`;
const byId = (name) => document.getElementById(name);
const LATE_MS = 5000;
const TIP_MINOR = 100;
const LABELS = {
    sale: "To pay",
    pre_auth: "To reserve",
    capture_pre_auth: "Capture",
    cancel: "Give back",
    unreferenced_refund: "Refund to card",
};
const DONE = {
    sale: "Approved",
    pre_auth: "Reserved",
    capture_pre_auth: "Captured",
    cancel: "Given back",
    unreferenced_refund: "Refunded",
    transactionDetails: "Found",
};
const WITHOUT_CARD = new Set(["capture_pre_auth", "cancel"]);
const PAYS = new Set(["approve", "silent", "decline"]);
const WAVES = `<svg class="waves" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round">
    <path d="M4 10.5a3 3 0 0 1 0 3"/><path d="M8 8a8 8 0 0 1 0 8"/><path d="M12 5.5a13 13 0 0 1 0 13"/><path d="M16 3a18 18 0 0 1 0 18"/></svg>`;
const CHECK = `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="3"><path d="M4 13l5 5L20 7"/></svg>`;
const CROSS = `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="3"><path d="M6 6l12 12M18 6L6 18"/></svg>`;

let view = null;
let card = "visa";
let pick = null;
let drawn = "";
let acting = false;
let leaving = false;

const svg = (markup) => {
    const holder = element("div");
    holder.innerHTML = markup;
    return holder.firstElementChild;
};

async function ask(method, path, body) {
    const response = await fetch(`/control/app${path}`, {
        method,
        cache: "no-store", // a page that is gone back to would read how it stood then
        headers: { "Content-Type": "application/json" },
        body: body && JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) {
        throw new Error(answer.error);
    }
    return answer;
}

function say(text) {
    byId("toast").textContent = text;
    byId("toast").hidden = false;
    setTimeout(() => {
        byId("toast").hidden = true;
    }, 4000);
}

// ---- what the screen shows ----

function button(text, className, onclick) {
    const made = element("button", className, text);
    made.onclick = onclick;
    return made;
}

function heading() {
    return [
        element("div", "label", LABELS[view.action] || view.action),
        view.amount ? element("div", "amount", money(view.amount, view.currency)) : null,
        view.tip ? element("div", "small", `with ${money(view.tip, view.currency)} tip`) : null,
        element("div", "small", view.reference),
    ];
}

function choices() {
    const list = element("ul", "list");
    for (const row of view.choices) {
        const line = button("", "", () => {
            pick = row.transactionId;
            drawn = "";
            draw();
        });
        line.append(
            element("span", "", `${row.card || row.operation} · ${row.created.slice(11, 16)}`),
            element("b", "", money(row.amount, view.currency))
        );
        line.ariaPressed = String(row.transactionId === pick);
        list.append(element("li", "", line));
    }
    return list;
}

const FACES = {
    none: () => [
        element("div", "prompt", "Ready"),
        element("div", "small", "Open this page with ?uri=vivapayclient://pay/v1?…"),
    ],
    foreground: () => [
        element("div", "prompt", "The app is in front"),
        element("div", "small", "It was only called to the front; nothing is opened."),
        button("Back to the browser", "main", () => history.back()),
    ],
    shown: () =>
        WITHOUT_CARD.has(view.action)
            ? [
                  ...heading(),
                  element(
                      "div",
                      "prompt",
                      view.choices.length ? "Which payment?" : "There is no such payment"
                  ),
                  choices(),
              ]
            : [...heading(), svg(WAVES), element("div", "prompt", "Tap or insert card")],
    authorising: () => [
        ...heading(),
        element("div", "spin"),
        element("div", "prompt", "One moment, please"),
    ],
    final: finalFace,
};
FACES.pin = FACES.qr = FACES.created = FACES.authorising;

function finalFace() {
    const mark = element("div", "mark");
    mark.append(svg(view.success ? CHECK : CROSS));
    const left = view.how.action === "leave";
    const parts = [
        mark,
        element(
            "div",
            "prompt",
            view.success ? DONE[view.action] : left ? "Left without paying" : "Not approved"
        ),
        view.amount ? element("div", "amount", money(view.amount, view.currency)) : null,
        left ? null : element("div", "small", view.problem || view.message),
    ];
    if (!view.callback) {
        parts.push(
            element("div", "small", "No callback is opened."),
            button("Back to the browser", "main", () => history.back())
        );
    } else if (!leaving) {
        parts.push(
            element("div", "address", view.callback),
            button("Open the callback", "main", openCallback),
            button("Take the request as a new one", "quiet", afresh)
        );
    } else {
        parts.push(
            element(
                "div",
                "small",
                view.delay_ms ? `The callback comes in ${view.delay_ms / 1000} s` : "Going back…"
            )
        );
    }
    return parts;
}

function draw() {
    const state = view ? view.state : "none";
    byId("hands").hidden = state !== "shown";
    byId("terminal").textContent = view ? `${view.merchant} · ${view.terminalId}` : "";
    byId("cards").hidden = Boolean(view && WITHOUT_CARD.has(view.action));
    byId("replay").disabled = !view?.older;
    for (const key of document.querySelectorAll("#hands [data-action]")) {
        key.disabled = acting;
    }
    // Only a face that differs is drawn again, so that animations run on.
    const same = JSON.stringify([view, leaving, pick]);
    if (same === drawn) {
        return;
    }
    drawn = same;
    const stage = byId("stage");
    const calm = view?.how?.action === "leave" ? "calm" : "bad";
    stage.className = state === "final" && !view.success ? `stage ${calm}` : "stage";
    stage.replaceChildren(...(FACES[state] || FACES.none)().filter(Boolean));
}

// ---- going back to who asked ----

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function openCallback() {
    for (const [index, address] of view.callbacks.entries()) {
        if (/^(javascript|data):/i.test(address)) {
            say("That is no callback.");
        } else if (index === view.callbacks.length - 1) {
            location.href = address;
        } else {
            await fetch(address, { mode: "no-cors" }).catch(() => null);
        }
    }
}

async function goBack() {
    if (!leaving && !view.callback && query.get("back") === "1") {
        leaving = true;
        history.back();
    }
    if (leaving || !view.callback) {
        draw();
        return;
    }
    leaving = true;
    draw();
    await pause(view.delay_ms || (ownAct ? 50 : 900));
    await openCallback();
}

// ---- what people do ----

/** A parameter of the page's address as an option: 1 and true say yes, digits are a number. */
function option(text) {
    if (text === "1" || text === "true") {
        return true;
    }
    return /^\d{2,9}$/.test(text) ? Number(text) : text;
}

function wishes() {
    const wanted = { card };
    for (const [name, text] of query) {
        if (!OWN.has(name)) {
            wanted[name] = option(text);
        }
    }
    const ticked = (name) => document.querySelector(`[data-option=${name}]`).checked;
    for (const name of ["twice", "raw", "without_reference"]) {
        if (ticked(name)) {
            wanted[name] = true;
        }
    }
    if (ticked("late")) {
        wanted.delay_ms = LATE_MS;
    }
    if (ticked("less")) {
        wanted.callback_amount = view.amount - 1;
    }
    if (ticked("tip")) {
        wanted.tip = TIP_MINOR;
    }
    if (pick) {
        wanted.pick = pick;
    }
    return wanted;
}

async function act(action) {
    const options = { ...wishes(), key: view.key, action };
    const before = view;
    acting = true;
    if (PAYS.has(action)) {
        view = { ...view, state: "authorising" };
    }
    draw();
    try {
        view = await ask("POST", "/act", options);
        if (view.state === "final") {
            await goBack();
        }
    } catch (error) {
        view = before;
        say(error.message);
    }
    acting = false;
    draw();
}

async function take() {
    view = await ask("POST", "/show", { uri, terminalId });
    if (view.action === "foreground" && view.running) {
        view = await ask("GET", `/${view.running}`); // the app comes to the front with what it has
    } else {
        sessionStorage.setItem(remembered, view.key);
    }
    pick = view.choices[0]?.transactionId || null;
    draw();
    if (view.state === "final") {
        await goBack();
    }
}

/** A page that is loaded again or gone back to goes on with its request; opened anew, the app is asked anew. */
async function begin() {
    if (!uri) {
        draw();
        return;
    }
    const how = performance.getEntriesByType("navigation")[0]?.type;
    const key = how === "navigate" ? null : sessionStorage.getItem(remembered);
    try {
        view = key && (await ask("GET", `/${key}`).catch(() => null));
        if (view) {
            draw();
        } else {
            await take();
            if (ownAct && view.state === "shown") {
                await act(ownAct);
            }
        }
    } catch (error) {
        say(error.message);
    }
}

function afresh() {
    sessionStorage.removeItem(remembered);
    location.reload();
}

for (const key of document.querySelectorAll("#hands [data-action]")) {
    key.addEventListener("click", () => act(key.dataset.action));
}
byId("cards").addEventListener("click", (event) => {
    if (event.target.dataset.card) {
        card = event.target.dataset.card;
        for (const item of byId("cards").children) {
            item.ariaPressed = String(item.dataset.card === card);
        }
    }
});
setInterval(async () => {
    if (!view || leaving || acting || view.state === "final" || view.state === "foreground") {
        return;
    }
    const now = await ask("GET", `/${view.key}`).catch(() => null);
    if (now && !acting && !leaving) {
        view = now;
        draw();
        if (view.state === "final") {
            await goBack();
        }
    }
}, 700);
addEventListener("pageshow", (event) => {
    if (event.persisted) {
        leaving = false;
        draw();
    }
});
begin();
