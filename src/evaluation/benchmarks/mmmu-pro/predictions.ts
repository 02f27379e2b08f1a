import { z } from "zod";
import { firstLineFits } from "../../../files/index.ts";
import type { Answer, Verdict } from "../../benchmark.ts";
import { readCheckedLines } from "../../dataset-files/index.ts";
import { letters } from "../../prompting/index.ts";
import { PythonRandom } from "../../python/index.ts";
import { byLetter } from "../mmmu/load.ts";
import { chosenLetter } from "./choice.ts";
import { optionsIn } from "./options.ts";

const rowSchema = z.looseObject({
  id: z.string(),
  /** An object where the request failed. */
  response: z.union([z.string(), z.record(z.string(), z.unknown()), z.null()]),
  options: z.union([z.string(), z.array(z.string())]).nullish(),
  pred_indexs: z.string().nullish(),
});

/** Outputs of the official code: lines of id and response, with the options and, once evaluated, the letter that was read. */
export const readMmmuProPredictions = async (path: string): Promise<AsyncIterable<Answer> | undefined> =>
  (await firstLineFits(path, rowSchema)) ? outputs(path) : undefined;

/** What no rule reads is drawn in the order of the rows, as the original does, but after MMMU's seed: it has none itself. */
async function* outputs(path: string): AsyncGenerator<Answer> {
  const random = new PythonRandom(42);
  for await (const { id, response, options, pred_indexs: stored } of readCheckedLines(path, rowSchema)) {
    const text = typeof response === "string" ? response : "";
    const texts = options == null ? undefined : optionsIn(options);
    const read = texts ? chosenLetter(text, byLetter(texts)) : undefined;
    const drawn = read ?? (texts ? random.choice(letters.slice(0, texts.length)) : undefined);
    const official = stored ?? drawn;
    const verdict: Verdict | undefined = official === undefined ? undefined : { official };
    yield { id, text, ...(verdict && { verdict }) };
  }
}
