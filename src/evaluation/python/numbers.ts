const decimal = /^[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+)?$/i;
const special = /^([+-]?)(?:(inf(?:inity)?)|nan)$/i;

/** What Python's `float(text)` gives; undefined where it raises. Original scorers decide by it what is a number. */
export function pythonFloat(text: string): number | undefined {
  const trimmed = text.trim();
  if (decimal.test(trimmed)) return Number(trimmed.replaceAll("_", ""));
  const named = special.exec(trimmed);
  if (named === null) return undefined;
  return named[2] === undefined ? Number.NaN : named[1] === "-" ? -Infinity : Infinity;
}

/** What Python's `int(text)` gives; undefined where it raises. */
export function pythonInteger(text: string): bigint | undefined {
  const trimmed = text.trim();
  if (!/^[+-]?\d+(?:_\d+)*$/.test(trimmed)) return undefined;
  return BigInt(trimmed.replaceAll("_", "").replace(/^\+/, ""));
}

/** What Python's `str(value)` gives for a float: "1.0", "0.25", "1e-05". */
export function pythonFloatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e16 || size < 1e-4))
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  const text = Object.is(value, -0) ? "-0" : String(value);
  return text.includes(".") ? text : `${text}.0`;
}
