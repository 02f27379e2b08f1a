import { createHash } from "node:crypto";
import { open, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { type ResolveOptions, readRunFolder, resolveModel } from "../../setup/index.ts";
import type { ModelFlags } from "./model-options.ts";

/** Files that decide what a model answers. */
const deciding = /\.(json|jinja|model|txt|safetensors|bin|pth?|gguf)$/;
/** Larger files are read in parts: their size and this many pieces of this many bytes. */
const pieces = 64;
const pieceBytes = 1 << 17;

/** What decides a local model's answers: a digest of its files, and the options that it is loaded with. */
export async function modelIdentity(
  name: string,
  { dtype, weights, device, base, visionTower, template }: ModelFlags,
  options: ResolveOptions,
): Promise<string> {
  const hash = createHash("sha256");
  for (const model of [name, base, visionTower].filter((part) => part !== undefined))
    for (const path of await filesOf(model, options)) {
      hash.update(`${basename(path)}\n`);
      await addFile(hash, path);
    }
  const files = hash.digest("hex");
  return JSON.stringify({ files, dtype, weights, device, template });
}

async function filesOf(name: string, options: ResolveOptions): Promise<string[]> {
  const resolved = await resolveModel(name, options);
  if (resolved.kind === "builtin") return [resolved.visionTower, resolved.languageModel, resolved.projector];
  const run = await readRunFolder(resolved.path);
  const folder = run?.kind === "whole" ? run.path : resolved.path;
  const names = (await readdir(folder)).filter((file) => deciding.test(file));
  return names.sort().map((file) => join(folder, file));
}

async function addFile(hash: ReturnType<typeof createHash>, path: string): Promise<void> {
  const { size } = await stat(path);
  hash.update(`${size}\n`);
  await using file = await open(path);
  if (size <= pieces * pieceBytes) return void hash.update(await file.readFile());
  const step = Math.floor((size - pieceBytes) / (pieces - 1));
  for (let piece = 0; piece < pieces; piece++) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(pieceBytes), 0, pieceBytes, piece * step);
    hash.update(buffer.subarray(0, bytesRead));
  }
}
