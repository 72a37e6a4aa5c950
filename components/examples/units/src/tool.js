// The tool: what models are told of it, and what a call does.

import { convert, Rejected, shown, symbol } from "./units.js";

/** As `tools/list` tells it. */
export const TOOL = {
  name: "convert_units",
  title: "Convert units",
  description: "Converts a value from one unit of measure to another: lengths, masses, volumes, times, temperatures.",
  inputSchema: {
    type: "object",
    properties: {
      value: { type: "number", description: "How much." },
      from: { type: "string", description: "The unit that it is in, such as mi, kg, °F or cup." },
      to: { type: "string", description: "The unit that is wanted." },
    },
    required: ["value", "from", "to"],
    additionalProperties: false,
  },
  // It reads nothing but its arguments and changes nothing: it runs without asking, and may be run again.
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  // What the offline model plans by. Language models do not need them.
  _meta: {
    "anyturn.dev/examples": [
      { utterance: "convert 5 miles to km", arguments: { value: 5, from: "miles", to: "km" } },
      { utterance: "how much is 70 °F in °C", arguments: { value: 70, from: "°F", to: "°C" } },
      { utterance: "how many grams are 3 ounces", arguments: { value: 3, from: "ounces", to: "grams" } },
      { utterance: "what is 2 cups in ml", arguments: { value: 2, from: "cups", to: "ml" } },
    ],
  },
};

/** Calls it: a result as `tools/call` tells it. What the caller can do something about is a result, too. */
export function call({ value, from, to, ...others } = {}) {
  try {
    if (typeof value !== "number" || !Number.isFinite(value)) throw new Rejected("`value` must be a number.");
    if (typeof from !== "string" || typeof to !== "string") throw new Rejected("`from` and `to` must be units.");
    const [unknown] = Object.keys(others);
    if (unknown) throw new Rejected(`There is no argument \`${unknown}\`; there are value, from and to.`);
    const converted = convert(value, from, to);
    const text = `${shown(value)} ${symbol(from)} is ${shown(converted)} ${symbol(to)}.`;
    const structured = { value: converted, unit: symbol(to) };
    return { content: [{ type: "text", text }], structuredContent: structured, isError: false };
  } catch (error) {
    if (!(error instanceof Rejected)) throw error;
    return { content: [{ type: "text", text: error.message }], isError: true };
  }
}
