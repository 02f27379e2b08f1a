/**
 * A number to that many decimal places as Python's round gives it: the nearest, and of two equally near ones
 * the one with an even last digit. Published tables were rounded that way.
 */
export function roundHalfEven(value: number, digits: number): number {
  if (!Number.isFinite(value)) return value;
  const text = value.toFixed(digits);
  // 40 more places show whether the double is exactly halfway; toFixed takes halves away from zero.
  const places = value.toFixed(digits + 40).split(".")[1]!;
  const halfway = /^50*$/.test(places.slice(digits));
  if (!halfway || "02468".includes(text.at(-1)!)) return Number(text);
  return Number((Number(text) - Math.sign(value) * 10 ** -digits).toFixed(digits));
}
