import { describe, expect, test } from "@odoo/hoot";
import { Deferred } from "@odoo/hoot-mock";
import { BookingRun, phaseOf } from "@viva_payments/backend/viva_booking/booking_run";

import {
    ATTEMPT,
    FakeBookings,
    NEXT_ATTEMPT,
    connectionLost,
    makeBooking,
    refuse,
    settle,
} from "./booking_utils";

describe.current.tags("desktop");

async function openRun(now) {
    const server = new FakeBookings(now);
    const run = new BookingRun(server, { busy: "" });
    run.open(ATTEMPT);
    return { server, run, phase: () => phaseOf(run.state) };
}

test("what was prepared is started once, and followed until it is in the books", async () => {
    const { server, run, phase } = await openRun();
    expect(phase()).toBe("opening");
    await settle(10);
    expect.verifySteps(["check", "start"]);
    expect(phase()).toBe("waiting");
    await settle(1000);
    await settle(1000);
    expect.verifySteps(["check", "check"]);
    server.set({ state: "approved" }, { state: "running" });
    await settle(1000);
    expect(phase()).toBe("booking");
    expect.verifySteps(["check"]);
    server.set({ state: "approved" });
    await settle(1000);
    expect(phase()).toBe("done");
    expect.verifySteps(["check"]);
    await settle(60000);
    run.poke();
    await settle(60000);
    expect.verifySteps([]);
});

test("what runs already, or has ended, is not started", async () => {
    for (const [values, expected] of [
        [{ state: "pending" }, "waiting"],
        [{ state: "pending", abort_asked: true }, "cancelling"],
        [{ state: "unknown" }, "unknown"],
        [{ state: "approved" }, "done"],
        [{ state: "declined" }, "not_done"],
    ]) {
        const { run, phase } = await openRun(makeBooking(values));
        await settle(10);
        expect.verifySteps(["check"]);
        expect(phase()).toBe(expected);
        run.stop();
    }
});

test("what somebody else has prepared is only shown", async () => {
    const now = makeBooking({ state: "prepared" }, { can_start: false });
    const { server, run, phase } = await openRun(now);
    await settle(10);
    expect.verifySteps(["check"]);
    expect(phase()).toBe("ready");
    server.set({});
    await settle(5000);
    expect.verifySteps(["check"]);
    expect(phase()).toBe("waiting");
    run.stop();
});

test("the reply to start is lost, but it was recorded: it is not started again", async () => {
    const { server, run, phase } = await openRun();
    server.faults.start = (answer) => {
        answer();
        connectionLost();
    };
    await settle(10);
    expect.verifySteps(["check", "start"]);
    expect(phase()).toBe("sending");
    expect(run.state.contact).toBe(false);
    await settle(1000);
    expect.verifySteps(["check"]);
    expect(phase()).toBe("waiting");
    expect(run.state.contact).toBe(true);
    run.stop();
});

test("start has not arrived: after a check it is sent again, ever less often", async () => {
    const { server, run, phase } = await openRun();
    server.faults.start = connectionLost;
    await settle(10);
    expect.verifySteps(["check", "start"]);
    await settle(1000);
    expect.verifySteps(["check", "start"]);
    await settle(1000);
    expect.verifySteps([]);
    await settle(1000);
    expect.verifySteps(["check", "start"]);
    delete server.faults.start;
    await settle(4000);
    expect.verifySteps(["check", "start"]);
    expect(phase()).toBe("waiting");
    run.stop();
});

test("a minute after the press it is not sent by itself any more", async () => {
    const { server, run, phase } = await openRun();
    server.quiet = true;
    server.faults.check = connectionLost;
    for (let i = 0; i < 70; i++) {
        await settle(1000);
    }
    expect(phase()).toBe("opening");
    server.faults = {};
    for (let i = 0; i < 16; i++) {
        await settle(1000);
    }
    expect(phase()).toBe("ready");
    expect(run.state.contact).toBe(true);
    run.send();
    await settle(10);
    expect(phase()).toBe("waiting");
    run.stop();
});

test("Odoo gives a reason why it does not start: the person decides", async () => {
    const { server, run, phase } = await openRun();
    server.faults.start = refuse("Ask for the card anew.");
    await settle(10);
    await settle(20000);
    expect(phase()).toBe("ready");
    expect(run.state.words).toBe("Ask for the card anew.");
    delete server.faults.start;
    expect.verifySteps(["check", "start", "check"]);
    run.send();
    await settle(10);
    expect(phase()).toBe("waiting");
    expect(run.state.words).toBe("");
    expect.verifySteps(["start"]);
    run.stop();
});

test("a refused start is at rest; trying again sends the same attempt", async () => {
    const { server, run, phase } = await openRun();
    server.faults.start = () => makeBooking({ state: "refused", message: "Terminal is busy" });
    await settle(10);
    expect(phase()).toBe("refused");
    await settle(60000);
    expect.verifySteps(["check", "start"]);
    run.poke();
    await settle(60000);
    expect(phase()).toBe("refused");
    expect(run.state.status.message).toBe("Terminal is busy");
    expect.verifySteps(["check"]);
    delete server.faults.start;
    run.send();
    expect(phase()).toBe("sending");
    await settle(10);
    expect(phase()).toBe("waiting");
    expect.verifySteps(["start"]);
    run.stop();
});

test("nobody knows this attempt", async () => {
    const { server, run, phase } = await openRun();
    server.faults.check = refuse("This card payment is not known to Odoo.");
    await settle(10);
    await settle(60000);
    expect.verifySteps(["check"]);
    expect(phase()).toBe("refused");
    expect(run.state.refusal).toBe("This card payment is not known to Odoo.");
});

test("no answer: the questions become rarer; back again it goes on", async () => {
    const { server, run, phase } = await openRun(makeBooking());
    await settle(10);
    server.faults.check = connectionLost;
    expect.verifySteps(["check"]);
    await settle(1000);
    expect.verifySteps(["check"]);
    expect(run.state.contact).toBe(false);
    expect(phase()).toBe("waiting");
    await settle(1000);
    await settle(2000);
    expect.verifySteps(["check", "check"]);
    await settle(3000);
    expect.verifySteps([]);
    delete server.faults.check;
    run.poke();
    await settle(10);
    expect.verifySteps(["check"]);
    expect(run.state.contact).toBe(true);
    run.stop();
});

test("logged out: it says so and goes on asking", async () => {
    const { server, run } = await openRun(makeBooking());
    await settle(10);
    server.faults.check = () => {
        throw Object.assign(new Error("expired"), {
            exceptionName: "odoo.http.SessionExpiredException",
        });
    };
    await settle(1000);
    expect(run.state.loggedOut).toBe(true);
    delete server.faults.check;
    await settle(1000);
    expect(run.state.loggedOut).toBe(false);
    expect.verifySteps(["check", "check", "check"]);
    run.stop();
});

test("cancel waits for the question that is on its way, and is pressed once", async () => {
    const { server, run, phase } = await openRun(makeBooking());
    await settle(10);
    const answer = new Deferred();
    server.faults.check = () => answer;
    await settle(1000);
    expect.verifySteps(["check", "check"]);
    run.cancel();
    run.cancel();
    await settle(10);
    expect.verifySteps([]);
    expect(run.state.busy).toBe("abort");
    answer.resolve(makeBooking());
    delete server.faults.check;
    await settle(10);
    expect.verifySteps(["abort"]);
    expect(phase()).toBe("cancelling");
    expect(run.state.busy).toBe("");
    run.stop();
});

test("try again: only after a sure no, under an attempt of its own", async () => {
    const { server, run, phase } = await openRun(makeBooking({ state: "unknown" }));
    await settle(10);
    run.tryAgain();
    await settle(10);
    expect.verifySteps(["check"]);
    server.set({ state: "declined" }, { state: "running", can_again: true });
    await settle(1000);
    expect(phase()).toBe("not_done");
    expect.verifySteps(["check"]);
    server.set({ state: "declined" });
    await settle(1000);
    expect.verifySteps(["check"]);
    run.tryAgain();
    run.tryAgain();
    await settle(10);
    expect.verifySteps(["again", "check 2", "start 2"]);
    expect(run.state.attempt).toBe(NEXT_ATTEMPT);
    expect(phase()).toBe("waiting");
    run.stop();
});

test("an answer about another attempt is not shown", async () => {
    const { server, run, phase } = await openRun(makeBooking());
    await settle(10);
    server.faults.check = () => makeBooking({ attempt: NEXT_ATTEMPT, state: "approved" });
    await settle(1000);
    expect(phase()).toBe("waiting");
    expect.verifySteps(["check", "check"]);
    run.stop();
});

test("to be posted: an accountant posts; news from elsewhere are asked for", async () => {
    const books = { state: "to_post", reason: "locked", can_post: true };
    const { server, run, phase } = await openRun(makeBooking({ state: "approved" }, books));
    await settle(10);
    expect(phase()).toBe("to_post");
    await settle(60000);
    expect.verifySteps(["check"]);
    server.faults.post = refuse("The period is closed.");
    run.post();
    await settle(10);
    expect(phase()).toBe("to_post");
    expect(run.state.words).toBe("The period is closed.");
    expect.verifySteps(["post", "check"]);
    delete server.faults.post;
    run.post();
    await settle(10);
    expect(phase()).toBe("done");
    expect(run.state.words).toBe("");
    expect.verifySteps(["post", "check"]);
});

test("after it was stopped nothing is asked, also when an answer comes late", async () => {
    const { server, run } = await openRun();
    const answer = new Deferred();
    server.faults.check = () => answer;
    await settle(10);
    expect.verifySteps(["check"]);
    run.stop();
    answer.resolve(makeBooking({ state: "prepared" }));
    await settle(60000);
    run.poke();
    await settle(60000);
    expect.verifySteps([]);
});
