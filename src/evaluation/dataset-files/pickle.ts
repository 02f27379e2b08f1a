import { readFile } from "node:fs/promises";
import { Parser } from "pickleparser";
import { LlavaError } from "../../errors.ts";

/** The lists, dictionaries, texts and numbers of a Python pickle; nothing that it names is run. @throws LlavaError "data" */
export async function readPickle(path: string): Promise<unknown> {
  try {
    return new Parser().parse<unknown>(await readFile(path));
  } catch (cause) {
    throw new LlavaError("data", `${path}: cannot be read as a pickle: ${(cause as Error).message}`, {
      hint: "The file is damaged or not complete; fetch it again.",
      cause,
    });
  }
}
