const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15000;
const SHORTEST_PAUSE_MS = 250;

/**
 * Keeps asking about open attempts until it is told to leave them. One question at a time for all of them;
 * pauses as the server wishes, longer ones while nobody answers. Knows nothing of Odoo.
 */
export class VivaWatch {
    /**
     * @param {Object} hooks
     * @param {(attempts: string[]) => Promise<Object[]>} hooks.check asks the server
     * @param {(attempts: string[], statuses: Object[]) => void} hooks.onAnswer gets what was asked and said
     * @param {(attempts: string[], error: Error) => void} hooks.onSilence no answer; it will be asked again
     */
    constructor({ check, onAnswer, onSilence }) {
        this.check = check;
        this.onAnswer = onAnswer;
        this.onSilence = onSilence;
        this.pauses = new Map();
        this.timer = null;
        this.asking = false;
        this.pokedMeanwhile = false;
        this.failures = 0;
    }

    /** Watch this attempt, or change its pause (milliseconds). */
    follow(attempt, pauseMs) {
        this.pauses.set(attempt, Math.max(SHORTEST_PAUSE_MS, pauseMs || FIRST_RETRY_MS));
        this._plan(this._pause());
    }

    leave(attempt) {
        this.pauses.delete(attempt);
        if (!this.pauses.size) {
            clearTimeout(this.timer);
            this.failures = 0;
        }
    }

    /** Something may have happened: ask now, or once more right after the question that is on its way. */
    poke() {
        this.pokedMeanwhile = this.asking;
        this._plan(0);
    }

    stop() {
        this.pauses.clear();
        clearTimeout(this.timer);
    }

    _plan(delayMs) {
        if (this.asking || !this.pauses.size) {
            return;
        }
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this._ask(), delayMs);
    }

    _pause() {
        if (this.failures) {
            return Math.min(FIRST_RETRY_MS * 2 ** (this.failures - 1), LONGEST_RETRY_MS);
        }
        return Math.min(...this.pauses.values());
    }

    async _ask() {
        const attempts = [...this.pauses.keys()];
        this.asking = true;
        this.pokedMeanwhile = false;
        try {
            const statuses = await this.check(attempts);
            this.failures = 0;
            this.onAnswer(attempts, statuses);
        } catch (error) {
            this.failures += 1;
            this.onSilence(attempts, error);
        } finally {
            this.asking = false;
        }
        this._plan(this.pokedMeanwhile ? 0 : this._pause());
    }
}
