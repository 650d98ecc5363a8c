import { describe, expect, test } from "@odoo/hoot";
import { toMajor, toMinor } from "@viva_payments/shared/minor_units";

describe.current.tags("desktop");

test("amounts of 0, 2 and 3 decimals keep every unit", () => {
    expect(toMinor(19.99, 2)).toBe(1999);
    expect(toMinor(1.15, 2)).toBe(115);
    expect(toMinor(0.1 + 0.2, 2)).toBe(30);
    expect(toMinor(4.35, 2)).toBe(435);
    expect(toMinor(1000000.01, 2)).toBe(100000001);
    expect(toMinor(1999, 0)).toBe(1999);
    expect(toMinor(1.005, 3)).toBe(1005);
    expect(toMinor(-19.99, 2)).toBe(-1999);
    expect(toMinor(0, 2)).toBe(0);
});

test("every amount of two decimals comes back as it was", () => {
    const minors = Array.from({ length: 20000 }, (_value, index) => index * 7);
    expect(minors.filter((minor) => toMinor(toMajor(minor, 2), 2) !== minor)).toEqual([]);
});

test("an amount that the currency cannot hold is refused", () => {
    expect(() => toMinor(19.995, 2)).toThrow(RangeError);
    expect(() => toMinor(0.5, 0)).toThrow(RangeError);
    expect(() => toMinor(NaN, 2)).toThrow(RangeError);
    expect(() => toMinor(1e20, 2)).toThrow(RangeError);
    expect(() => toMinor(20, undefined)).toThrow(RangeError);
});

test("minor units become amounts again", () => {
    expect(toMajor(1999, 2)).toBe(19.99);
    expect(toMajor(5, 2)).toBe(0.05);
    expect(toMajor(1999, 0)).toBe(1999);
    expect(toMajor(5, 3)).toBe(0.005);
    expect(toMajor(-1999, 2)).toBe(-19.99);
});
