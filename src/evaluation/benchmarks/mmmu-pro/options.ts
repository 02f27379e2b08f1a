import { pythonStrings } from "../../python/index.ts";

/** The options in a row: a list, or one as Python prints it. One question has a list in its list, which is then its only option. */
export function optionsIn(value: string | readonly string[]): readonly string[] | undefined {
  if (typeof value !== "string") return value;
  const inner = value.trim().slice(1, -1);
  return pythonStrings(value) ?? (pythonStrings(inner) === undefined ? undefined : [inner]);
}
