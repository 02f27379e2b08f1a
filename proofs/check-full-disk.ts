// A ledger on a disk that is full, and on one that may not be written: node proofs/check-full-disk.ts
// Takes Linux and unshare, which gives this program file systems of its own. What was stored must stay, nothing of it may be
// asked for again once there is room, and the errors must name the ledger and what is wrong.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { llava } from "../test/support/cli.ts";
import { answer, startEndpoint } from "../test/support/endpoint.ts";

if (process.argv[2] !== "inside") {
  const script = fileURLToPath(import.meta.url);
  const words = ["--map-root-user", "--mount", process.execPath, script, "inside"];
  process.exit(spawnSync("unshare", words, { stdio: "inherit" }).status ?? 1);
}

const folder = mkdtempSync(join(tmpdir(), "llava-full-"));
const disk = join(folder, "disk");
mkdirSync(disk);
const mount = (...options: string[]): void =>
  void execFileSync("mount", ["-t", "tmpfs", "-o", options.join(","), "none", disk]);
const ledger = join(disk, "rows.run", "ledger.sqlite");
const items = 1500;
const concurrency = 4;
const answered = new Map<string, number>();
await using model = await startEndpoint((_, { body }) => {
  const key = String(body["seed"]);
  answered.set(key, (answered.get(key) ?? 0) + 1);
  const steps = Array.from({ length: 200 }, (_, step) => `step ${step}`);
  return answer(`A dog runs on beach ${key}: ${steps.join(", ")}.`);
});
const list = join(folder, "items.jsonl");
writeFileSync(
  list,
  Array.from(
    { length: items },
    (_, number) => `${JSON.stringify({ image: `https://photos.test/${number}.jpg` })}\n`,
  ).join(""),
);
const run = () =>
  llava([
    ...["-q", "data", "recaption", list, "--endpoint", model.url, "--model", "m"],
    ...["--out", join(disk, "rows.jsonl"), "--concurrency", String(concurrency)],
  ]);
const stored = (): number => {
  const database = new DatabaseSync(ledger);
  try {
    return Number(
      database.prepare("select count(*) as count from item where state = 'done'").get()!["count"],
    );
  } finally {
    database.close();
  }
};
const asked = (): number => [...answered.values()].reduce((sum, times) => sum + times, 0);
const firstLine = (text: string): string =>
  text.trim().split("\n").slice(0, 3).join(" | ").replaceAll(folder, "");

try {
  mount("size=2500k");
  const full = await run();
  const kept = stored();
  const before = asked();
  execFileSync("mount", ["-o", "remount,ro", disk]);
  const readOnly = await run();
  execFileSync("mount", ["-o", "remount,rw,size=200m", disk]);
  const keptStill = stored();
  const whole = await run();
  const rows =
    whole.status === 0 ? readFileSync(join(disk, "rows.jsonl"), "utf8").trimEnd().split("\n").length : 0;
  const result = {
    items,
    rows,
    full: [full.status, firstLine(full.stderr)],
    readOnly: [readOnly.status, firstLine(readOnly.stderr)],
    whole: [whole.status, firstLine(whole.stderr)],
    stored: kept,
    storedAfterReadOnly: keptStill,
    askedBeforeRoom: before,
    askedInAll: asked(),
    mayBeTwice: 2 * concurrency,
  };
  console.log(JSON.stringify(result, null, 1));
  const isRight =
    [full, readOnly].every(
      ({ status, stderr }) => status === 1 && /ledger\.sqlite: cannot be used/.test(stderr),
    ) &&
    whole.status === 0 &&
    rows === items &&
    kept > 0 &&
    keptStill === kept &&
    // What was stored is not asked for again.
    asked() - before === items - kept &&
    before - kept <= result.mayBeTwice;
  if (!isRight) process.exitCode = 1;
} finally {
  execFileSync("umount", [disk]);
  rmSync(folder, { recursive: true });
}
