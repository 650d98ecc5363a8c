import { isOpen, isUnopened } from "./viva_attempt";
import { device } from "./viva_device";

// So long the app may take to come to the front.
const OPENING_MS = 4000;
// So long after the request the URI that charges may be opened: the server goes by its own time.
const OPEN_WITHIN_MS = 45000;

/**
 * Payments in the app on this device: leaving for it, stopping it. What becomes of them is watched like any other.
 *
 * The URI that starts a payment is kept in this page only, for less than a minute, and opened at most once. Time is
 * told by the clock on the wall: a page that slept in a pocket must not wake up and charge.
 */
export class VivaApp {
    /** @param {import("./viva_till").VivaTill} till */
    constructor(till) {
        this.till = till;
        this.device = device;
    }

    /** The answer to our request has come: take the URI out of it. */
    keep(attempt, status) {
        const uri = status.app?.uri;
        if (uri) {
            status.app = { ...status.app, uri: "" };
            attempt.appUri = uri;
            attempt.openUntil = attempt.askedAt + OPEN_WITHIN_MS;
            // Timers may be early by a hair.
            setTimeout(() => this._forget(attempt), attempt.openUntil - Date.now() + 100);
        }
    }

    /** Nobody has pressed the button in time: the payment is given up. */
    _forget(attempt) {
        if (attempt.appUri && Date.now() >= attempt.openUntil) {
            attempt.appUri = "";
            this.review(attempt);
        }
    }

    /** Open the app, if the person's tap still counts; otherwise a button waits for another tap. */
    begin(attempt) {
        if (isOpen(attempt) && !attempt.removeLine && this.device.isTapped) {
            this.open(attempt);
        }
    }

    open(attempt) {
        this._forget(attempt);
        const uri = attempt.appUri;
        attempt.appUri = "";
        if (uri) {
            attempt.opened = true;
            this._leave(attempt, uri);
        }
    }

    /** Bring the app to the front as it is. */
    back(attempt) {
        this._leave(attempt, attempt.status.app.foreground);
    }

    /** Have the app look for the payment and tell the server what it finds. */
    ask(attempt) {
        this._leave(attempt, attempt.status.app.details);
    }

    /**
     * It is to be cancelled: from now on the app is not opened any more.
     *
     * @returns {boolean} whether it never was
     */
    withdraw(attempt) {
        attempt.appUri = "";
        return isUnopened(attempt);
    }

    /** The server has been asked to cancel: an app that was opened does it only when it is told by this this.device. */
    stop(attempt) {
        const { status } = attempt;
        if (
            !status?.app ||
            !status.abort_asked ||
            !isOpen(attempt) ||
            isUnopened(attempt) ||
            !this.device.runsApps
        ) {
            return;
        }
        if (this.device.isTapped) {
            this.openAbort(attempt);
        } else {
            attempt.canStopApp = true;
        }
    }

    openAbort(attempt) {
        attempt.canStopApp = false;
        this._leave(attempt, attempt.status.app.abort);
    }

    /**
     * The server knows our request, but its answer with the URI was lost: the app was not opened and will not be, so
     * nobody needs to wait for it. Once; if that does not work either the cashier has his button.
     */
    review(attempt) {
        const { status, appUri, asking, gaveUp } = attempt;
        if (isUnopened(attempt) && !appUri && !asking && !gaveUp && !status.abort_asked) {
            attempt.gaveUp = true;
            this.till.buttons.cancelAttempt(attempt);
        }
    }

    _leave(attempt, uri) {
        attempt.stayed = false;
        const timer = setTimeout(() => (attempt.stayed = true), OPENING_MS);
        const onHidden = () => {
            if (document.hidden) {
                clearTimeout(timer);
                document.removeEventListener("visibilitychange", onHidden);
            }
        };
        document.addEventListener("visibilitychange", onHidden);
        this.device.openUri(uri);
    }
}
