import { advanceTime, describe, expect, test } from "@odoo/hoot";
import { Deferred } from "@odoo/hoot-mock";
import { VivaWatch } from "@viva_payments/shared/viva_watch";

describe.current.tags("desktop");

function makeWatch(check) {
    const watch = new VivaWatch({
        check: (attempts) => {
            expect.step(`ask ${attempts.join(" ")}`);
            return check(attempts);
        },
        onAnswer: (attempts, statuses) => expect.step(`answer ${statuses.join(" ")}`),
        onSilence: (attempts, error) => expect.step(error.message),
    });
    return watch;
}

test("asks as often as the server wishes, until it is told to leave", async () => {
    const watch = makeWatch(async () => ["open"]);
    watch.follow("a", 2000);
    await advanceTime(1900);
    expect.verifySteps([]);
    await advanceTime(200);
    expect.verifySteps(["ask a", "answer open"]);
    await advanceTime(2000);
    expect.verifySteps(["ask a", "answer open"]);
    watch.leave("a");
    await advanceTime(10000);
    expect.verifySteps([]);
});

test("one question for all attempts, as often as the most urgent one needs", async () => {
    const watch = makeWatch(async () => ["open"]);
    watch.follow("a", 4000);
    watch.follow("b", 1000);
    await advanceTime(1000);
    expect.verifySteps(["ask a b", "answer open"]);
    watch.leave("b");
    watch.follow("a", 4000);
    await advanceTime(3900);
    expect.verifySteps([]);
    await advanceTime(200);
    expect.verifySteps(["ask a", "answer open"]);
    watch.stop();
});

test("questions never overlap; a poke meanwhile asks once more right after", async () => {
    let answer = new Deferred();
    const watch = makeWatch(() => answer);
    watch.follow("a", 1000);
    watch.poke();
    await advanceTime(1);
    expect.verifySteps(["ask a"]);
    await advanceTime(30000);
    watch.poke();
    watch.follow("a", 1000);
    await advanceTime(1000);
    expect.verifySteps([]);
    const first = answer;
    answer = new Deferred();
    first.resolve(["open"]);
    await advanceTime(1);
    expect.verifySteps(["answer open", "ask a"]);
    answer.resolve(["done"]);
    await advanceTime(1);
    expect.verifySteps(["answer done"]);
    watch.stop();
});

test("backs off while nobody answers, and recovers", async () => {
    let isDown = true;
    const watch = makeWatch(async () => {
        if (isDown) {
            throw new Error("silence");
        }
        return ["open"];
    });
    watch.follow("a", 1000);
    await advanceTime(1000);
    expect.verifySteps(["ask a", "silence"]);
    await advanceTime(1000);
    expect.verifySteps(["ask a", "silence"]);
    await advanceTime(1900);
    expect.verifySteps([]);
    await advanceTime(200);
    expect.verifySteps(["ask a", "silence"]);
    isDown = false;
    watch.poke();
    await advanceTime(1);
    expect.verifySteps(["ask a", "answer open"]);
    await advanceTime(1000);
    expect.verifySteps(["ask a", "answer open"]);
    watch.stop();
});
