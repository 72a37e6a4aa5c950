// Run by `npm test`; needs nothing but Node.

import assert from "node:assert/strict";
import { test } from "node:test";

import { answer } from "../src/mcp.js";
import { call, TOOL } from "../src/tool.js";
import { convert, Rejected } from "../src/units.js";

test("units of one quantity are converted", () => {
  assert.equal(convert(5, "miles", "km"), 8.04672);
  assert.equal(convert(2, "Cups", "ml"), 473.176473);
  assert.equal(convert(-40, "°F", "C"), -40);
  assert.equal(convert(1, "d", "min"), 1440);
});

test("what cannot be converted is told", () => {
  assert.throws(() => convert(1, "km", "kg"), /different things/);
  assert.throws(() => convert(1, "parsec", "km"), /There is no unit “parsec”/);
  assert.throws(() => convert(-1, "K", "C"), Rejected);
});

test("a wrong argument is a result that a model can read", () => {
  for (const wrong of [{}, undefined, { value: "5", from: "mi", to: "km" }, { value: 5, from: "mi", to: "km", x: 1 }]) {
    const { isError, content } = call(wrong);
    assert.ok(isError && content[0].text.length > 10, JSON.stringify(wrong));
  }
});

test("every example is a call that works", () => {
  const examples = TOOL._meta["anyturn.dev/examples"];
  assert.ok(examples.length >= 4);
  for (const { utterance, arguments: values } of examples) {
    assert.equal(call(values).isError, false, utterance);
    for (const value of Object.values(values)) {
      assert.ok(utterance.includes(String(value)), `“${value}” is a slot of “${utterance}”`);
    }
  }
});

const ask = (method, params) => answer(JSON.stringify({ jsonrpc: "2.0", id: 7, method, params }));
const STATELESS = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };

test("both revisions are spoken", () => {
  assert.equal(ask("initialize", { protocolVersion: "2025-11-25" }).message.result.protocolVersion, "2025-11-25");
  assert.equal(answer('{"jsonrpc":"2.0","method":"notifications/initialized"}').status, 202);
  assert.equal(ask("tools/list").message.result.tools[0].name, "convert_units");
  assert.equal(ask("tools/list", { _meta: STATELESS }).message.result.resultType, "complete");
  const params = { name: "convert_units", arguments: { value: 5, from: "mi", to: "km" }, _meta: STATELESS };
  assert.equal(ask("tools/call", params).message.result.content[0].text, "5 mi is 8.04672 km.");
});

test("what is not the protocol is answered as the protocol says", () => {
  assert.deepEqual([answer("{").status, answer("{").message.error.code], [400, -32700]);
  assert.deepEqual([answer("[]").status, answer("[]").message.error.code], [400, -32600]);
  assert.equal(ask("tools/call", { name: "rm" }).message.error.code, -32602);
  assert.equal(ask("tools/drop").message.error.code, -32601);
  const future = { _meta: { "io.modelcontextprotocol/protocolVersion": "2099-01-01" } };
  assert.deepEqual(ask("tools/list", future).message.error.data.supported, ["2026-07-28", "2025-11-25"]);
});
