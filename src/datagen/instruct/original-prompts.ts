import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { LlavaError } from "../../errors.ts";
import { readDataFile } from "../../files/index.ts";
import { type KindName, type KindPrompt, kindNames } from "./kinds.ts";

/** The original's folders, as LLaVA's repository has them under playground/data/prompts. */
const folders: Readonly<Record<KindName, string>> = {
  conversation: "conversation",
  detail: "detail_description",
  reasoning: "complex_reasoning",
};

/**
 * Prompts from a folder as LLaVA's repository has it: for each kind system_message.txt, and 000_caps.txt with
 * 000_conv.txt and so on as examples. @throws LlavaError "data" naming what it lacks
 */
export async function readOriginalPrompts(folder: string): Promise<Readonly<Record<KindName, KindPrompt>>> {
  const found = await Promise.all(
    kindNames.map(async (name): Promise<[KindName, KindPrompt]> => {
      const path = join(folder, folders[name]);
      if (!existsSync(path))
        throw new LlavaError("data", `${path}: is not there`, {
          hint: "Give the folder playground/data/prompts of LLaVA's repository.",
        });
      const names = (await readdir(path)).filter((file) => file.endsWith("_caps.txt")).sort();
      const read = async (file: string): Promise<string> => (await readDataFile(join(path, file))).trim();
      const fewShots = await Promise.all(
        names.map(async (file) => ({
          query: await read(file),
          reply: await read(file.replace("_caps", "_conv")),
        })),
      );
      return [name, { system: await read("system_message.txt"), fewShots }];
    }),
  );
  return Object.fromEntries(found) as Record<KindName, KindPrompt>;
}
