import { selectTop } from "./selection.ts";

/** A token and the natural logarithm of its probability. */
interface LogProbability {
  readonly id: number;
  readonly logprob: number;
}

/** A chosen token, and the likeliest in its place, from the likeliest on. */
export interface ToldToken extends LogProbability {
  readonly top: readonly LogProbability[];
}

/** What the model's own distribution, of logits [V] as they are, says of a token and of the `count` likeliest. */
export function tellToken(logits: Float32Array, id: number, count: number): ToldToken {
  let largest = -Infinity;
  for (const value of logits) if (value > largest) largest = value;
  let total = 0;
  for (const value of logits) total += Math.exp(value - largest);
  const base = largest + Math.log(total);
  const of = (token: number): LogProbability => ({ id: token, logprob: logits[token]! - base });
  return { ...of(id), top: likeliest(logits, Math.min(count, logits.length)).map(of) };
}

/** Ids of the largest logits, from the largest on, the lower id first among equals. */
function likeliest(logits: Float32Array, count: number): number[] {
  if (count === 0) return [];
  const ids = new Uint32Array(logits.length);
  for (let id = 0; id < ids.length; id++) ids[id] = id;
  const { threshold } = selectTop(logits, ids, count);
  return Array.from(ids.filter((id) => logits[id]! >= threshold))
    .sort((one, other) => logits[other]! - logits[one]! || one - other)
    .slice(0, count);
}
