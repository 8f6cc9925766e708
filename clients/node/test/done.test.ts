import assert from "node:assert/strict";
import { test } from "node:test";
import { Done } from "../src/link/done";

const reply = (json: string) => ({ reply: { deliveryId: 1, payload: { json } } });

test("the newest events are remembered, with their answers, and the oldest are not", () => {
  const done = new Done(100);
  for (let offset = 1; offset <= 1000; offset++) done.add(offset, offset % 2 ? reply(String(offset)) : undefined);
  let kept = 0;
  for (let offset = 1; offset <= 1000; offset++) {
    if (!done.has(offset)) continue;
    kept++;
    assert.deepEqual(done.answer(offset), offset % 2 ? reply(String(offset)) : undefined);
  }
  assert.ok(kept >= 100 && kept <= 200, `${kept} are kept`);
  for (let offset = 901; offset <= 1000; offset++) assert.ok(done.has(offset), `the newest, ${offset}`);
  assert.ok(!done.has(1) && !done.has(1001));
  done.clear();
  assert.ok(!done.has(1000));
});

test("large answers count", () => {
  const done = new Done(100_000, 1 << 20);
  for (let offset = 1; offset <= 1000; offset++) done.add(offset, reply("x".repeat(10_000)));
  let kept = 0;
  for (let offset = 1; offset <= 1000; offset++) if (done.has(offset)) kept++;
  assert.ok(kept > 100 && kept < 220, `${kept} answers of 10 KB are kept`);
  const binary = new Done(100_000, 1 << 20);
  for (let offset = 1; offset <= 3; offset++) binary.add(offset, { reply: { deliveryId: 1, payload: { json: "[]", attachments: [Buffer.alloc(2 << 20)] } } });
  assert.deepEqual([1, 2, 3].map((offset) => binary.has(offset)), [false, false, true]);
});

test("an event that is in no log comes once and is not remembered", () => {
  const done = new Done();
  done.add(0, undefined);
  assert.ok(!done.has(0));
});
