import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, extname } from "node:path";
import { LlavaError } from "../errors.ts";
import { toPng } from "./png.ts";

/** Writes a chart as the ending of `path` says, .svg or .png; the folder is made. @throws LlavaError "usage" */
export async function saveChart(path: string, svg: string): Promise<void> {
  const ending = extname(path).toLowerCase();
  if (ending !== ".svg" && ending !== ".png")
    throw new LlavaError("usage", `${path}: charts are written as .svg or .png`, {
      hint: "Give the file one of these endings.",
    });
  const bytes = ending === ".svg" ? svg : await toPng(svg);
  const partial = `${path}.${randomUUID()}.partial`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(partial, bytes);
    await rename(partial, path);
  } catch (cause) {
    await rm(partial, { force: true }).catch(() => {});
    throw new LlavaError("usage", `${path} cannot be written: ${(cause as Error).message}`, {
      hint: "Check that the folder may be written, and that the disk is not full.",
      cause,
    });
  }
}
