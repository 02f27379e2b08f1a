import type { GgufHeader } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";

/** What a file (`mmproj`) of all that a model sees with calls itself, whatever the tower. */
export const EYE_ARCHITECTURE = "clip";
/** A key of such a file's metadata. */
export const eyeKey = (name: string): string => `${EYE_ARCHITECTURE}.${name}`;

/** A number of a file's metadata. @throws LlavaError "config" for one that is missing or not above zero */
export function positiveIn({ metadata }: GgufHeader, key: string, path: string): number {
  const value = metadata.get(key);
  if (typeof value === "number" && value > 0) return value;
  const found = value === undefined ? "missing" : JSON.stringify(value);
  throw new LlavaError("config", `${path}: ${key} is ${found}; expected a positive number`);
}

/** The shortest decimal that is this number in float32: 9.999999747378752e-06 was written as 1e-5. */
export function shortestFloat32(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return value;
}
