import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import {
  canonicalName,
  merged,
  openGguf,
  readGgufHeader,
  renamed,
  type TensorSource,
} from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import { EYE_ARCHITECTURE, eyeDialect, ggufDialect } from "../models/index.ts";
import { chooseGguf, weightFiles } from "../setup/index.ts";

/** A LLaVA as llama.cpp has it: a language model and, beside it, what it sees with (`mmproj`). */
export interface GgufPair {
  /** In all its parts; the first says what the model is. */
  readonly text: readonly [string, ...string[]];
  readonly eye: string;
}

/**
 * The GGUF files of a folder that make a whole LLaVA; undefined where it holds another kind of checkpoint.
 * @param wanted the file of the language model, where the folder may hold several
 * @throws LlavaError "checkpoint" for several models, or one without eyes
 */
export function ggufPair(folder: string, wanted?: string, eye?: string): GgufPair | undefined {
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const ggufs = names.filter((name) => /\.gguf$/i.test(name));
  if (wanted === undefined && (ggufs.length === 0 || weightFiles.some((name) => names.includes(name))))
    return undefined;
  const isDescribed = names.includes("config.json");
  const eyes = ggufs.filter((name) => isEye(folder, name));
  if (wanted === undefined && isDescribed && eyes.length === 0) return undefined;
  const { files, choices } = chooseGguf(
    ggufs.filter((name) => !eyes.includes(name) || /mmproj/i.test(name)),
    wanted,
  );
  const [first, ...parts] = files.filter((name) => !eyes.includes(name)).map((name) => join(folder, name));
  if (first === undefined)
    throw new LlavaError(
      "checkpoint",
      choices.length > 1
        ? `${folder}: several GGUF files: ${choices.join(", ")}`
        : `${folder}: no language model among its GGUF files`,
      {
        hint:
          choices.length > 1
            ? `Name one of them: ${join(folder, choices[0]!)}`
            : "Put it beside the mmproj file.",
      },
    );
  const own = files.find((name) => eyes.includes(name)) ?? eyes[0];
  const seeing = eye ?? (own && join(folder, own));
  if (seeing === undefined)
    throw new LlavaError(
      "checkpoint",
      `${first}: a language model without a vision tower: no mmproj file is beside it`,
      {
        hint: "Put the model's mmproj-….gguf into the folder, or name it (--vision-tower).",
      },
    );
  return { text: [first, ...parts], eye: seeing };
}

/** By its name, or by what it says of itself. */
const isEye = (folder: string, name: string): boolean =>
  /(?:^|[-._])mmproj(?:[-._]|$)/i.test(name) ||
  readGgufHeader(join(folder, name)).metadata.get("general.architecture") === EYE_ARCHITECTURE;

/** The tensors of both files under canonical names. */
export const openPair = ({ text, eye }: GgufPair): TensorSource =>
  merged(
    ...text.map((path) => renamed(openGguf(path, ggufDialect), canonicalName)),
    openGguf(eye, eyeDialect),
  );
