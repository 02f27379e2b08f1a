import { pythonFloatText } from "./numbers.ts";

/**
 * What Python's `str(value)` gives for a value of JSON. JSON does not tell 3 from 3.0, so a whole number is taken for an
 * integer.
 */
export const pythonText = (value: unknown): string => (typeof value === "string" ? value : literal(value));

function literal(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : pythonFloatText(value);
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  const entries = Object.entries(value).map(([key, held]) => `${quoted(key)}: ${literal(held)}`);
  return `{${entries.join(", ")}}`;
}

function quoted(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll(mark, `\\${mark}`)
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    .replaceAll("\t", "\\t");
  return `${mark}${escaped}${mark}`;
}
