// Units of measure. Knows nothing of protocols.

/** By quantity, how much of the first unit each unit is; temperatures are converted by `TEMPERATURES`. */
const QUANTITIES = {
  length: { m: 1, mm: 0.001, cm: 0.01, km: 1000, in: 0.0254, ft: 0.3048, yd: 0.9144, mi: 1609.344 },
  mass: { kg: 1, mg: 0.000001, g: 0.001, t: 1000, oz: 0.028349523125, lb: 0.45359237 },
  volume: { l: 1, ml: 0.001, tsp: 0.00492892159375, tbsp: 0.01478676478125, cup: 0.2365882365, gal: 3.785411784 },
  time: { s: 1, min: 60, h: 3600, d: 86400 },
};

/** How to come to kelvins, and back. */
const TEMPERATURES = {
  K: [(value) => value, (kelvins) => kelvins],
  C: [(value) => value + 273.15, (kelvins) => kelvins - 273.15],
  F: [(value) => ((value - 32) * 5) / 9 + 273.15, (kelvins) => ((kelvins - 273.15) * 9) / 5 + 32],
};

/** What people write for a unit, beside its symbol. */
const NAMES = {
  m: ["meter", "metre"], mm: ["millimeter", "millimetre"], cm: ["centimeter", "centimetre"],
  km: ["kilometer", "kilometre"], in: ["inch", "inches"], ft: ["foot", "feet"], yd: ["yard"], mi: ["mile"],
  kg: ["kilogram", "kilo"], mg: ["milligram"], g: ["gram"], t: ["tonne"], oz: ["ounce"], lb: ["pound", "lbs"],
  l: ["liter", "litre"], ml: ["milliliter", "millilitre"], tsp: ["teaspoon"], tbsp: ["tablespoon"], cup: [],
  gal: ["gallon"], s: ["second", "sec"], min: ["minute"], h: ["hour", "hr"], d: ["day"],
  K: ["kelvin"], C: ["°c", "celsius"], F: ["°f", "fahrenheit"],
};

const SYMBOLS = new Map(
  Object.entries(NAMES).flatMap(([symbol, names]) =>
    [symbol.toLowerCase(), `${symbol.toLowerCase()}s`, ...names.flatMap((name) => [name, `${name}s`])].map((name) => [
      name,
      symbol,
    ]),
  ),
);

/** What a caller can do something about. */
export class Rejected extends Error {}

/** The symbol of a unit that is written somehow: "Miles" is "mi". */
export function symbol(text) {
  const found = SYMBOLS.get(text.trim().replace(/\.$/, "").replace(/^degrees? /i, "").toLowerCase());
  if (!found) {
    throw new Rejected(`There is no unit “${text}” here; there are ${Object.keys(NAMES).join(", ")}.`);
  }
  return found;
}

/** Converts a value from one unit to another of the same quantity. */
export function convert(value, from, to) {
  const [source, target] = [symbol(from), symbol(to)];
  if (source in TEMPERATURES && target in TEMPERATURES) {
    const kelvins = TEMPERATURES[source][0](value);
    if (kelvins < 0) {
      throw new Rejected(`${value} ${source} is colder than anything can be.`);
    }
    return rounded(TEMPERATURES[target][1](kelvins));
  }
  const quantity = Object.values(QUANTITIES).find((units) => source in units && target in units);
  if (!quantity) {
    throw new Rejected(`“${from}” cannot be converted to “${to}”: they measure different things.`);
  }
  return rounded((value * quantity[source]) / quantity[target]);
}

/** Without the last digits, which are an artefact of binary fractions. */
function rounded(value) {
  return Number(value.toPrecision(12));
}

/** A number for people: six significant digits, without needless zeros. */
export function shown(value) {
  return String(Number(value.toPrecision(6)));
}
