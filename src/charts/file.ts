import { extname } from "node:path";
import { LlavaError } from "../errors.ts";
import { writeAtomically } from "../files/index.ts";
import { toPng } from "./png.ts";

/** Writes a chart as the ending of `path` says, .svg or .png; the folder is made. @throws LlavaError "usage" */
export async function saveChart(path: string, svg: string): Promise<void> {
  const ending = extname(path).toLowerCase();
  if (ending !== ".svg" && ending !== ".png")
    throw new LlavaError("usage", `${path}: charts are written as .svg or .png`, {
      hint: "Give the file one of these endings.",
    });
  const bytes = ending === ".svg" ? svg : await toPng(svg);
  writeAtomically(path, [bytes], { code: "usage", makesFolder: true });
}
