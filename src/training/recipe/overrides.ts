import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { editDistance } from "../../spelling.ts";

/** A field by its dotted path, and its value as typed on the command line. */
export interface Override {
  readonly path: string;
  readonly value: string;
}

/**
 * Reads `--a.b value`, `--a.b=value` and, for true, `--a.b` alone.
 * @throws LlavaError "usage" for a word that belongs to no option
 */
export function parseOverrides(words: readonly string[]): Override[] {
  const overrides: Override[] = [];
  for (let at = 0; at < words.length; at++) {
    const match = /^--([\w.-]+)(?:=(.*))?$/s.exec(words[at]!);
    if (match === null)
      throw new LlavaError("usage", `"${words[at]}" stands where an option --path.of.field was expected`);
    const next = words[at + 1];
    const takesNext = match[2] === undefined && next !== undefined && !next.startsWith("--");
    overrides.push({ path: inCamelCase(match[1]!), value: match[2] ?? (takesNext ? next : "true") });
    if (takesNext) at++;
  }
  return overrides;
}

/** Options of commands are spelt so: `--vision-tower` is the field `visionTower`. */
const inCamelCase = (path: string): string =>
  path.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** A copy of `fields` with the overridden ones replaced, each value read as its field's type. */
export function applyOverrides(schema: z.ZodType, fields: object, overrides: readonly Override[]): object {
  const result = structuredClone(fields) as Record<string, unknown>;
  const known = fieldPaths(schema);
  for (const { path, value } of overrides) {
    const field = known.get(path);
    if (!field) throw unknownField(path, [...known.keys()]);
    const keys = path.split(".");
    const last = keys.pop()!;
    let target = result;
    for (const key of keys) {
      target[key] ??= {};
      target = target[key] as Record<string, unknown>;
    }
    target[last] = readValue(field, value);
  }
  return result;
}

/** @throws LlavaError "config" for fields of a recipe's file that its schema does not have */
export function requireKnownFields(schema: z.ZodType, fields: object): void {
  const known = [...fieldPaths(schema).keys()];
  const look = (inside: object, prefix: string): void => {
    for (const [name, value] of Object.entries(inside)) {
      const path = prefix + name;
      if (known.includes(path)) continue;
      const isSection = known.some((field) => field.startsWith(`${path}.`));
      if (!isSection) throw unknownField(path, known);
      if (typeof value === "object" && value !== null) look(value, `${path}.`);
    }
  };
  look(fields, "");
}

/** The leaf fields of nested objects, by dotted path. */
function fieldPaths(schema: z.ZodType, prefix = ""): Map<string, z.ZodType> {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodDiscriminatedUnion)
    return new Map(inner.options.flatMap((option) => [...fieldPaths(option as z.ZodType, prefix)]));
  if (!(inner instanceof z.ZodObject)) return new Map([[prefix, inner]]);
  const found = new Map<string, z.ZodType>();
  for (const [name, field] of Object.entries(inner.shape as Record<string, z.ZodType>))
    for (const [path, leaf] of fieldPaths(field, prefix ? `${prefix}.${name}` : name)) found.set(path, leaf);
  return found;
}

function unwrap(schema: z.ZodType): z.ZodType {
  const wrapped =
    schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional;
  return wrapped ? unwrap(schema.unwrap() as z.ZodType) : schema;
}

/** Text stays text where the field takes it; anything else is read as JSON, and lists also as `a,b`. */
function readValue(field: z.ZodType, text: string): unknown {
  if (field instanceof z.ZodString || field instanceof z.ZodEnum) return text;
  try {
    return JSON.parse(text);
  } catch {
    const isList = field instanceof z.ZodArray || field instanceof z.ZodTuple;
    return isList ? text.split(",").map((part) => (Number.isNaN(Number(part)) ? part : Number(part))) : text;
  }
}

function unknownField(path: string, known: readonly string[]): LlavaError {
  const names = known.flatMap((name) => [name, name.split(".")[0]!]).filter((name) => name !== path);
  const nearest = names.reduce((best, name) => (distance(name, path) < distance(best, path) ? name : best));
  const before = path.slice(0, path.lastIndexOf(".") + 1);
  const section = known.some((name) => name.startsWith(before)) ? before : "";
  const inside = known.filter((name) => name.startsWith(section)).map((name) => name.slice(section.length));
  const listed = [...new Set(inside.map((name) => name.split(".")[0]))].join(", ");
  return new LlavaError("config", `the recipe has no field "${path}"; did you mean "${nearest}"?`, {
    hint: `Known${section && ` in ${section.slice(0, -1)}`} are ${listed}.`,
  });
}

/** As letters differ, but a field that ends in what was typed, or is abbreviated by it, counts as near. */
function distance(a: string, b: string): number {
  if (a.endsWith(`.${b}`)) return 0.5;
  const letters = editDistance(a, b);
  return abbreviates(b.toLowerCase(), a.toLowerCase()) ? Math.min(letters, 1.5) : letters;
}

/** Whether the letters of `short` stand in `long` in their order. */
function abbreviates(short: string, long: string): boolean {
  let at = 0;
  for (const letter of long) if (letter === short[at]) at++;
  return at === short.length;
}
