/**
 * Money between screen and server: integer minor units. Digits are moved, amounts are never multiplied:
 * 19.99 * 100 is 1998.9999999999998.
 */

/**
 * @param {number} amount as Odoo holds it, e.g. 19.99; rounded to the currency already
 * @param {number} digits decimals of the currency: 0, 2 or 3
 * @returns {number} integer minor units, e.g. 1999
 * @throws {RangeError} when the amount has more decimals than the currency, or is no usable number, or digits are unknown
 */
export function toMinor(amount, digits) {
    const text = Number.isInteger(digits) ? amount.toFixed(digits) : "";
    const minor = Number(text.replace(".", ""));
    if (
        !Number.isSafeInteger(minor) ||
        Math.abs(Number(text) - amount) > 1e-9 * Math.max(1, Math.abs(amount))
    ) {
        throw new RangeError(`${amount} is not an amount with ${digits} decimals`);
    }
    return minor === 0 ? 0 : minor;
}

/**
 * @param {number} minor integer minor units, e.g. 1999
 * @param {number} digits decimals of the currency
 * @returns {number} the amount as Odoo holds it, e.g. 19.99
 */
export function toMajor(minor, digits) {
    const sign = minor < 0 ? "-" : "";
    const text = String(Math.abs(minor)).padStart(digits + 1, "0");
    const whole = text.slice(0, text.length - digits);
    return Number(digits ? `${sign}${whole}.${text.slice(-digits)}` : `${sign}${whole}`);
}
