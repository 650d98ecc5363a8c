import { _t } from "@web/core/l10n/translation";
import { Deferred } from "@web/core/utils/concurrency";
import { reactive } from "@odoo/owl";

import { isDenied, refusalWords } from "../shared/ask";
import { toMajor, toMinor } from "../shared/minor_units";
import { LINE, isLeftWaiting, isPaidLine, isVivaLine, listenToServer } from "./odoo_glue";
import { isLineAttempt, isOpen, newAttempt, parentOf, phaseOf } from "./viva_attempt";
import { VivaApp } from "./viva_app";
import { VivaButtons } from "./viva_buttons";
import { VivaHolds } from "./viva_holds";
import { VivaInstallments } from "./viva_installments";
import { VivaLines } from "./viva_lines";
import { VivaMoneyBack } from "./viva_money_back";
import { VivaOutcome } from "./viva_outcome";
import { SALE, VivaPlans } from "./viva_plans";
import { VivaServer } from "./viva_server";
import { VivaTabs } from "./viva_tabs";
import { VivaTips } from "./viva_tips";
import { VivaWatch } from "../shared/viva_watch";
import {
    addressOf,
    chooseOtherWay,
    chooseWay,
    currentWay,
    knownWay,
    obstacleFor,
    obstacleOf,
    waysOf,
} from "./viva_ways";

// The server has not known an attempt for so long: the request will not arrive any more.
const NEVER_ARRIVED_MS = 15000;
const FIRST_PAUSE_MS = 1000;
// How long we wait for a synchronisation of the same order that is already under way.
const SYNC_TRIES = 20;
const SYNC_PAUSE_MS = 250;

/**
 * The Viva payments of this till: starts them, watches them, and has their outcome written into the lines.
 *
 * One instance per tab, as `pos.viva`. The truth is at the server; what is kept here may vanish at any time.
 */
export class VivaTill {
    constructor(pos) {
        this.pos = pos;
        this.server = new VivaServer(pos.env.services.orm);
        /** @type {Object<string, import("./viva_attempt").VivaAttempt>} by attempt uuid */
        this.attempts = reactive({});
        this.lines = new VivaLines(pos);
        this.plans = new VivaPlans(this);
        this.outcome = new VivaOutcome(this);
        this.buttons = new VivaButtons(this);
        this.installments = new VivaInstallments(this);
        this.moneyBack = new VivaMoneyBack(this);
        this.holds = new VivaHolds(this);
        this.tips = new VivaTips(this);
        this.app = new VivaApp(this);
        this.tabs = new VivaTabs(this);
        this.starting = new Map();
        this.ends = new Map();
        /**
         * What starts as soon as the payment screen is there.
         * @type {{method: Object, order?: Object, plan?: import("./viva_plans").VivaPlan, amount?: number}|null}
         */
        this.sendWhenShown = null;
        /** The payment screen while it is shown: it knows what follows a payment. */
        this.screen = null;
        this.watch = new VivaWatch({
            check: (attempts) => this.server.check(attempts),
            onAnswer: (attempts, statuses) => this.takeAnswer(attempts, statuses),
            onSilence: (attempts, error) => this._onSilence(attempts, error),
        });
    }

    /** Begin to listen. Does nothing on a till without a Viva method. */
    start() {
        if (!this.isVivaTill) {
            return;
        }
        const poke = () => this.watch.poke();
        const recover = () => this.recover({ refresh: true });
        listenToServer(this.pos, (hint) => this._onHint(hint));
        this.pos.bus.addEventListener("BUS:CONNECT", poke);
        this.pos.bus.addEventListener("BUS:RECONNECT", recover);
        window.addEventListener("pos-network-online", recover);
        window.addEventListener("online", poke);
        window.addEventListener("focus", poke);
        window.addEventListener("pageshow", poke);
        document.addEventListener("visibilitychange", () => !document.hidden && poke());
        this.tabs.listen();
        const payments = this.pos.models["pos.payment"];
        payments.addEventListener("update", ({ id }) =>
            Promise.resolve().then(() => this._repair(payments.get(id)))
        );
        this.recover();
    }

    // -- what the screens ask --------------------------------------------------------------------

    /** The banner of a till whose terminals move no money, or an empty string. */
    get demoWords() {
        const demo = this.lines.methods.filter((method) => method.viva_demo);
        if (!demo.length) {
            return "";
        }
        if (demo.length === this.lines.methods.length) {
            return _t("DEMO – no money moves");
        }
        return _t("DEMO – no money moves with: %s", demo.map((method) => method.name).join(", "));
    }

    /** This till takes cards with Viva. */
    get isVivaTill() {
        return this.lines.methods.length > 0;
    }

    money(minor, digits = this.pos.config.viva_digits) {
        return this.pos.env.utils.formatCurrency(toMajor(minor, digits));
    }

    /** The attempt that a line shows, if this tab knows one. */
    attemptOf(line) {
        return this.attempts[this.lines.attemptId(line)];
    }

    isOpen(line) {
        const attempt = this.attemptOf(line);
        return Boolean(attempt) && isOpen(attempt);
    }

    /**
     * The last operation on an earlier payment that is no payment line: its void, its release.
     *
     * @param {string} parent attempt
     * @param {Object} [attempts] what a component observes, so that it is rendered again
     */
    childOf(parent, attempts = this.attempts) {
        if (!parent) {
            return undefined;
        }
        return Object.values(attempts).findLast(
            (attempt) => parentOf(attempt) === parent && !isLineAttempt(attempt)
        );
    }

    /** A further press of the button is to be ignored. */
    isBusy(line) {
        return this.starting.has(line.uuid) || this.isOpen(line) || isPaidLine(line);
    }

    /** The first line of the order whose card payment has no end yet. */
    openLine(order) {
        return order.payment_ids.find((line) => isVivaLine(line) && this.isOpen(line));
    }

    /** The first line of the order that looks paid although its payment does not count, or not any more. */
    withdrawnLine(order) {
        return order.payment_ids.find((line) => {
            const attempt = isVivaLine(line) && isPaidLine(line) && this.attemptOf(line);
            return attempt && phaseOf(attempt) === "unpaid";
        });
    }

    /** The first line of the order whose money is going back, or may have gone. */
    voidingLine(order) {
        return order.payment_ids.find((line) => {
            const child = isVivaLine(line) && this.childOf(this.lines.attemptId(line));
            return child && isOpen(child);
        });
    }

    /** Whether a payment screen has to wait for this line, or has missed its end. */
    isUnseen(line) {
        return isLeftWaiting(line) || this.attemptOf(line)?.news === "paid";
    }

    /**
     * The payment screen takes notice of the line's end.
     *
     * @returns {boolean} once, when it was paid without a cancel or an alarm: the order needs no further press
     */
    seen(line) {
        const attempt = this.attemptOf(line);
        if (attempt?.news !== "paid") {
            return false;
        }
        attempt.news = "seen";
        return (
            isPaidLine(line) &&
            !(attempt.status.abort_asked || attempt.removeLine || attempt.alarmed) &&
            !this.plans.of(line)?.chargeRest
        );
    }

    /** Why this method cannot take the amount, or an empty string. */
    obstacle(order, method, amount) {
        if (!method.viva_terminal_ids.length) {
            return _t(
                "No terminal is connected with %s. Ask an administrator to choose one.",
                method.name
            );
        }
        if (!waysOf(method).length) {
            return _t(
                "%s takes cards in the app of the terminal itself. Open this till there, or take another payment method.",
                method.name
            );
        }
        if (amount === 0 && order.totalDue < 0) {
            return _t("There is nothing left to give back by card.");
        }
        return amount === 0 ? _t("There is nothing left to pay by card.") : "";
    }

    // -- payment lines ---------------------------------------------------------------------------

    /**
     * Send this line to the terminal: a sale, a capture or money back. Once, however often it is called.
     *
     * @param {string} uuid of the payment line
     * @returns {Promise<boolean>} true: it has succeeded; false: surely not, or the line is gone. Never rejects.
     */
    charge(uuid) {
        if (!this.starting.has(uuid)) {
            const end = this._charge(uuid)
                .catch((error) => this._unexpected(uuid, error))
                .finally(() => this.starting.delete(uuid));
            this.starting.set(uuid, end);
        }
        return this.starting.get(uuid);
    }

    /** The same; where a payment screen is shown it goes on as after a press of its button. */
    async chargeOnScreen(uuid) {
        const line = this.lines.find(uuid);
        if (this.screen && line) {
            return this.screen.sendPaymentRequest(line);
        }
        return this.charge(uuid);
    }

    async _charge(uuid) {
        const line = this.lines.find(uuid);
        if (!line || isPaidLine(line)) {
            return Boolean(line);
        }
        if (this.isOpen(line)) {
            return this.end(this.attemptOf(line));
        }
        const order = line.pos_order_id;
        const obstacle = this.obstacle(order, line.payment_method_id, line.amount);
        if (obstacle) {
            this._cannot(line, obstacle);
            return false;
        }
        const plan = await this.plans.complete(line);
        const excess = plan && this._excess(line, plan);
        if (excess) {
            this._cannot(line, excess);
        }
        const way = plan && !excess && (await this.wayFor(line.payment_method_id, plan));
        if (way === undefined || !plan || excess || !this.lines.find(uuid)) {
            return false;
        }
        const attempt = this._begin(line, way, plan);
        const isPaid = await this._run(attempt, order, () => Boolean(this.lines.find(uuid)));
        if (isPaid && plan.chargeRest) {
            this.moneyBack.chargeRest(uuid);
        }
        return isPaid;
    }

    _cannot(line, words) {
        this.outcome.say(
            line.amount < 0
                ? _t("The money cannot be given back like this")
                : _t("Card payment not possible"),
            words
        );
        line.setPaymentStatus(LINE.retry);
    }

    _excess(line, { operation, leftMinor, card }) {
        const minor = Math.abs(toMinor(line.amount, this.pos.config.viva_digits));
        if (!leftMinor || minor <= leftMinor) {
            return "";
        }
        const values = { money: this.money(leftMinor), card };
        return operation === "capture"
            ? _t("At most %(money)s are held on %(card)s. Correct the amount.", values)
            : _t("At most %(money)s can be given back to %(card)s. Correct the amount.", values);
    }

    /**
     * How an operation gets from this device to the card. Asks the cashier where he has not chosen yet.
     *
     * @param {Object} method
     * @param {{operation: string, via?: "terminal"|"api", unreferenced?: boolean}} plan
     * @returns {Promise<import("./viva_ways").VivaWay|null|undefined>} null: Viva is asked without a terminal; nothing:
     *   the choice was closed, or it cannot be done like that and he has been told
     */
    async wayFor(method, { operation, via = "terminal", unreferenced = false }) {
        if (via === "api") {
            return null;
        }
        const ability = unreferenced ? "unreferenced" : operation;
        const way = knownWay(method, ability) || (await chooseWay(this.pos.dialog, method));
        const obstacle = obstacleOf(way, ability);
        if (!obstacle) {
            return way;
        }
        if (!obstacleFor(method, ability)) {
            return chooseOtherWay(this.pos.dialog, method, ability, obstacle);
        }
        this.outcome.say(_t("Not possible on this terminal"), obstacle);
        return undefined;
    }

    /** Make the attempt and write its uuid into the line. */
    _begin(line, way, plan) {
        const attempt = this._remember(line, {
            operation: plan.operation,
            parent: plan.parent,
            request: this._request(line, way, plan),
        });
        this.lines.assign(line, attempt);
        line.setPaymentStatus(LINE.sending);
        return attempt;
    }

    _remember(line, values) {
        return this._add({
            paymentUuid: line.uuid,
            orderUuid: line.pos_order_id.uuid,
            methodId: line.payment_method_id.id,
            ...values,
        });
    }

    _add(values) {
        const attempt = newAttempt(values);
        this.attempts[attempt.id] = attempt;
        return this.attempts[attempt.id];
    }

    /** What is asked for, as `pos_start` wants to know it (all but the attempt itself). */
    _request(line, way, plan) {
        const maxInstallments = obstacleOf(way, "installments") ? 0 : plan.maxInstallments || 0;
        return {
            operation: plan.operation,
            payment_uuid: line.uuid,
            order_uuid: line.pos_order_id.uuid,
            parent_attempt: plan.parent,
            pos_session_id: this.pos.session.id,
            payment_method_id: line.payment_method_id.id,
            amount_minor: Math.abs(toMinor(line.amount, this.pos.config.viva_digits)),
            ...addressOf(way, plan.operation, plan.via),
            ...(plan.operation === "sale" && { max_installments: maxInstallments }),
            ...(plan.unreferenced && { unreferenced: true }),
        };
    }

    // -- operations without a payment line --------------------------------------------------------

    /**
     * Start a void, a release or a hold. The same one is not started twice while it is open.
     *
     * @param {Object} values
     * @param {"void"|"release"|"preauth"} values.operation
     * @param {string} [values.parent] attempt of the payment that is changed
     * @param {Object} values.method a Viva `pos.payment.method`
     * @param {import("./viva_ways").VivaWay|null} values.way
     * @param {number} values.amountMinor
     * @param {string} [values.orderUuid]
     * @param {Object} [values.order] it is saved first
     * @param {"terminal"|"api"} [values.via]
     * @param {Object} [values.more] what else `pos_start` is told
     * @returns {import("./viva_attempt").VivaAttempt} at once; `end` tells how it went
     */
    operate({ operation, parent = "", method, way, amountMinor, order, more, ...values }) {
        const same = parent && this.childOf(parent);
        if (same && isOpen(same)) {
            return same;
        }
        const orderUuid = order?.uuid || values.orderUuid || "";
        const attempt = this._add({
            operation,
            parent,
            orderUuid,
            paymentUuid: "",
            methodId: method.id,
            request: {
                operation,
                payment_uuid: "",
                order_uuid: orderUuid,
                parent_attempt: parent,
                pos_session_id: this.pos.session.id,
                payment_method_id: method.id,
                amount_minor: amountMinor,
                ...addressOf(way, operation, values.via || "terminal"),
                ...more,
            },
        });
        this._run(attempt, order, () => true).catch((error) =>
            this._unexpectedAttempt(attempt, error)
        );
        return attempt;
    }

    // -- any operation ---------------------------------------------------------------------------

    /** Save the order, send, and wait for the end. */
    async _run(attempt, order, isWanted) {
        if (order) {
            try {
                await this.saveOrder(order, attempt.paymentUuid);
            } catch (error) {
                this._refuse(attempt, this._wordsNotSaved(error));
                return false;
            }
        }
        if (attempt.removeLine || !isWanted()) {
            this._refuse(attempt, _t("Cancelled before it was sent. Nothing was charged."));
            return false;
        }
        await this._send(attempt);
        if (attempt.removeLine && isOpen(attempt)) {
            this.buttons.cancelAttempt(attempt);
        }
        return this.end(attempt);
    }

    /** The order and this line reach the server and the device's storage before any money moves. */
    async saveOrder(order, uuid = "") {
        for (let i = 0; i < SYNC_TRIES && this.pos.syncingOrders.has(order.uuid); i++) {
            await new Promise((resolve) => setTimeout(resolve, SYNC_PAUSE_MS));
        }
        await this.pos.syncAllOrders({ orders: [order], throw: true, force: true });
        const line = uuid && this.lines.find(uuid);
        if (!order.isSynced || (line && !line.isSynced)) {
            throw new Error("the order has not reached the server");
        }
        try {
            await this.pos.data.synchronizeLocalDataInIndexedDB();
        } catch (error) {
            // The server has it: another device, or this one after a reload, finds it there.
            console.warn("viva_payments: the device's storage is not usable", error);
        }
    }

    async _send(attempt, credentials) {
        attempt.asking = true;
        attempt.askedAt = Date.now();
        try {
            const request = { ...attempt.request, attempt: attempt.id };
            const status = await this.server.start(
                credentials ? { ...request, credentials } : request
            );
            this.app.keep(attempt, status);
            this.learn(status);
            this.app.begin(attempt);
        } catch (error) {
            const manager =
                !credentials && isDenied(error) && (await this.buttons.askCredentials(attempt));
            if (manager) {
                // The same attempt again: should it have arrived after all it is not sent twice.
                return this._send(attempt, manager);
            }
            // It may have arrived all the same: ask what became of this very attempt, never start another one.
            attempt.doubt = true;
            attempt.lostWords = refusalWords(error);
            attempt.contact = Boolean(attempt.lostWords);
            this.lines.show(attempt);
            this.watch.follow(attempt.id, FIRST_PAUSE_MS);
        } finally {
            attempt.asking = false;
        }
    }

    _wordsNotSaved(error) {
        const words = refusalWords(error);
        if (words) {
            return _t("The order could not be saved, so nothing was charged. Odoo says: %s", words);
        }
        return _t(
            "No connection to Odoo: nothing was charged. Check the network and try again, or take another " +
                "payment method."
        );
    }

    /** A fault of ours: the line must neither hang nor be charged twice. */
    _unexpected(uuid, error) {
        const line = this.lines.find(uuid);
        const attempt = line && this.attemptOf(line);
        if (attempt && isOpen(attempt)) {
            return this._unexpectedAttempt(attempt, error);
        }
        console.error("viva_payments", error);
        if (line && !isPaidLine(line)) {
            line.setPaymentStatus(LINE.retry);
        }
        this.outcome.say(
            _t("Nothing was charged"),
            _t("This payment could not be started. Try again.")
        );
        return false;
    }

    _unexpectedAttempt(attempt, error) {
        console.error("viva_payments", error);
        attempt.doubt = true;
        this.watch.follow(attempt.id, FIRST_PAUSE_MS);
        return this.end(attempt);
    }

    // -- resume ----------------------------------------------------------------------------------

    /**
     * Take up a line that was left waiting: after a reload, on another device, on coming back to the screen.
     *
     * @returns {Promise<boolean>} like `charge`
     */
    resume(line) {
        const attempt = this._follow(line);
        return attempt ? this.end(attempt) : Promise.resolve(false);
    }

    /** Have the line's attempt watched, if it has one. */
    _follow(line) {
        const isNews = line.viva_attempt && !this.attempts[line.viva_attempt];
        const attempt = isNews ? this._adopt(line) : this.attemptOf(line);
        if (!attempt) {
            line.setPaymentStatus(LINE.retry);
            return undefined;
        }
        this.lines.show(attempt);
        if (isOpen(attempt) && !this.starting.has(line.uuid)) {
            this.watch.follow(attempt.id, FIRST_PAUSE_MS);
            this.watch.poke();
        }
        return attempt;
    }

    _adopt(line) {
        const plan = this.plans.of(line) || SALE;
        const attempt = this._remember(line, {
            id: line.viva_attempt,
            operation: plan.operation,
            parent: plan.parent,
            doubt: true,
        });
        this.lines.assign(line, attempt);
        return attempt;
    }

    /**
     * Look through the open orders for what was left waiting, and ask the server what it knows of them.
     *
     * @param {boolean} [refresh] read the orders again first: we may have been away while another till sold
     */
    async recover({ refresh = false } = {}) {
        if (refresh) {
            await this.pos.deviceSync.readDataFromServer();
        }
        const orders = this.pos.getOpenOrders();
        for (const line of orders.flatMap((order) => order.payment_ids)) {
            if (isVivaLine(line) && isLeftWaiting(line)) {
                this._follow(line);
            }
        }
        const saved = orders.filter((order) => order.isSynced).map((order) => order.uuid);
        if (!saved.length) {
            return;
        }
        try {
            const statuses = await this.server.find(saved);
            // What a void has taken back goes with its line, before the payment itself says that it does not count.
            statuses.sort((one, other) => isVoid(other) - isVoid(one));
            statuses.forEach((status) => this.learn(status));
        } catch (error) {
            this._onSilence([], error);
        }
    }

    // -- what the server says --------------------------------------------------------------------

    /** Take in one Status. Told twice, it acts once. */
    learn(status) {
        this.attempts[status.attempt] ||= newAttempt({
            id: status.attempt,
            operation: status.operation || "sale",
            parent: status.parent_attempt || "",
            paymentUuid: status.payment_uuid,
            orderUuid: status.order_uuid,
        });
        const attempt = this.attempts[status.attempt];
        Object.assign(attempt, { status, refusal: "", contact: true, heardAt: Date.now() });
        if (isOpen(attempt)) {
            this.lines.show(attempt);
            this.watch.follow(attempt.id, status.poll_ms);
            this.app.review(attempt);
            return;
        }
        this.watch.leave(attempt.id);
        const paid = phaseOf(attempt) === "paid";
        if (paid) {
            this.outcome.paid(attempt);
        } else {
            this.outcome.unpaid(attempt);
        }
        this.settle(attempt, paid);
    }

    /** Nothing was recorded at the server, so nothing can have happened. */
    _refuse(attempt, words) {
        this.watch.leave(attempt.id);
        attempt.refusal = words;
        this.outcome.unpaid(attempt);
        this.settle(attempt, false);
    }

    _onHint({ attempt }) {
        const line = this.pos.models["pos.payment"].find(
            (payment) => payment.viva_attempt === attempt
        );
        if (this.attempts[attempt]?.asking || !(this.attempts[attempt] || line)) {
            return;
        }
        if (!this.attempts[attempt]) {
            this._adopt(line);
        }
        this.watch.follow(attempt, FIRST_PAUSE_MS);
        this.watch.poke();
    }

    takeAnswer(attempts, statuses) {
        statuses.forEach((status) => this.learn(status));
        const answered = new Set(statuses.map((status) => status.attempt));
        for (const id of attempts.filter((id) => !answered.has(id))) {
            const attempt = this.attempts[id];
            attempt.contact = true;
            if (!isOpen(attempt)) {
                this.watch.leave(id);
            } else if (attempt.lostWords) {
                this._refuse(attempt, attempt.lostWords);
            } else if (!attempt.asking && Date.now() - attempt.askedAt > NEVER_ARRIVED_MS) {
                this._abandon(attempt);
            }
        }
    }

    /** The server knows nothing of the request: have it refused, should it arrive after all. */
    async _abandon(attempt) {
        attempt.asking = true;
        attempt.askedAt = Date.now();
        try {
            const request = attempt.request || this._requestAgain(attempt);
            this.learn(await this.server.abandon({ ...request, attempt: attempt.id }));
        } catch (error) {
            this._onSilence([attempt.id], error);
        } finally {
            attempt.asking = false;
        }
    }

    /** What the tab has asked for before it was reloaded. */
    _requestAgain(attempt) {
        const line = this.lines.find(attempt.paymentUuid);
        const operation = line.amount < 0 ? "refund" : "sale";
        const plan = this.plans.of(line) || { ...SALE, operation };
        return this._request(line, currentWay(line.payment_method_id), plan);
    }

    _onSilence(attempts, error) {
        for (const id of attempts) {
            this.attempts[id].contact = false;
        }
        console.warn("viva_payments: no answer from Odoo, asking again", error.message);
    }

    /**
     * A synchronisation has put the server's values into a line, which may be older than what we know: put
     * ours back. Runs after each change of a line and writes only what differs.
     */
    _repair(line) {
        const attempt = line && isVivaLine(line) && this.attemptOf(line);
        if (!attempt || line.pos_order_id?.finalized) {
            return;
        }
        if (isPaidLine(line)) {
            if (line.viva_attempt === attempt.id && phaseOf(attempt) === "unpaid") {
                // Another device has it paid: either it knows something newer, or we do.
                this.watch.follow(attempt.id, FIRST_PAUSE_MS);
            }
            return;
        }
        if (line.viva_attempt && !this.attempts[line.viva_attempt]) {
            // Another device has started a newer one.
            this._follow(line);
            return;
        }
        this.lines.assign(line, attempt);
        if (phaseOf(attempt) === "paid") {
            this.lines.book(attempt, line);
        } else {
            this.lines.show(attempt, line);
        }
    }

    // -- ends ------------------------------------------------------------------------------------

    /** Resolves when the attempt has ended or its line was removed; true: it has succeeded. */
    end(attempt) {
        if (!isOpen(attempt)) {
            return Promise.resolve(phaseOf(attempt) === "paid");
        }
        if (!this.ends.has(attempt.id)) {
            this.ends.set(attempt.id, new Deferred());
        }
        return this.ends.get(attempt.id);
    }

    settle(attempt, paid) {
        if (paid && !attempt.news) {
            attempt.news = "paid";
        }
        this.ends.get(attempt.id)?.resolve(paid);
        this.ends.delete(attempt.id);
    }
}

function isVoid({ operation }) {
    return operation === "void";
}
