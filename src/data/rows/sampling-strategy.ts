import { LlavaError } from "../../errors.ts";
import { permutation } from "../../random/index.ts";

/** Which rows of a dataset a mixture takes. */
export interface SamplingStrategy {
  readonly take: "all" | "first" | "end" | "random";
  /** Rows, or hundredths of them, rounded up. */
  readonly amount: number;
  readonly isPercent: boolean;
}

/**
 * Reads "all", "first:N", "end:N", "random:N" or "N%"; N may be a percentage in all of them, and "N%" alone draws at
 * random. @throws LlavaError "config" beginning with `where`
 */
export function parseStrategy(text: string, where: string): SamplingStrategy {
  if (text === "all") return { take: "all", amount: 100, isPercent: true };
  const [, take = "random", number = "", percent] =
    /^(?:(first|end|random):)?(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? [];
  const isPercent = percent === "%";
  const amount = Number(number);
  const isNamed = text.includes(":");
  const fits = isPercent ? amount <= 100 : isNamed && Number.isInteger(amount);
  if (number !== "" && fits) return { take: take as SamplingStrategy["take"], amount, isPercent };
  throw new LlavaError("config", `${where}: there is no sampling strategy "${text}"`, {
    hint: "Strategies are all, first:N, end:N, random:N and N%; N of the former may be a percentage up to 100% too.",
  });
}

/** Numbers of the rows that are taken, in their order: of fewer rows than asked for, all. */
export function chooseRows(
  { take, amount, isPercent }: SamplingStrategy,
  count: number,
  seed: number,
): Uint32Array {
  const wanted = Math.min(count, isPercent ? Math.ceil((amount * count) / 100) : amount);
  const from = take === "end" ? count - wanted : 0;
  if (take === "random") return permutation(count, seed).subarray(0, wanted).sort();
  return Uint32Array.from({ length: wanted }, (_, i) => from + i);
}
