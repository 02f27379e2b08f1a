import { InvalidArgumentError, Option } from "commander";

/** --seed, a whole number from 0. */
export const seedOption = (): Option =>
  new Option("--seed <number>", "the same seed makes the same file").default(0).argParser((text) => {
    const seed = Number(text);
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new InvalidArgumentError("It is a whole number from 0.");
    return seed;
  });
