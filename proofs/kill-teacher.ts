// llava data instruct under SIGKILLs at random moments: node proofs/kill-teacher.ts [KILLS, 30] [SEED, 1]
// A teacher on this machine fails in every way that passes. The rows must be those of an undisturbed run, byte by byte; no
// item whose reply a killed process had stored may be asked for again; and a kill may cost what was under way, and no more.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as wait } from "node:timers/promises";
import { mulberry32 } from "../src/random/index.ts";
import { llava, startLlava } from "../test/support/cli.ts";
import { writeCoco } from "../test/support/coco-files.ts";
import { type FakeTeacher, faultsAt, passing, startTeacher } from "../test/support/fake-teacher.ts";

const [kills, seed] = [Number(process.argv[2] ?? 30), Number(process.argv[3] ?? 1)];
const folder = mkdtempSync(join(tmpdir(), "llava-kills-"));
const images = Math.max(20, 5 * kills);
const concurrency = 4;
const coco = writeCoco(folder, images);
const faults = faultsAt(0.2, passing);
const random = mulberry32(seed);

const command = (teacher: FakeTeacher, out: string, atOnce = concurrency): string[] => [
  ...["-q", "data", "instruct", "--captions", coco.captions, "--boxes", coco.boxes, "--out", out],
  ...["--endpoint", teacher.url, "--model", "t", "--structured", "never", "--concurrency", String(atOnce)],
];
const finish = async (words: readonly string[]): Promise<void> => {
  const { status, stderr } = await llava(words);
  if (status !== 0) throw new Error(stderr);
};
const newRows = (name: string): string => {
  mkdirSync(join(folder, name));
  return join(folder, name, "rows.jsonl");
};
/** Items of a ledger by what became of them, without touching it. */
const itemsIn = (out: string, where: string): string[] => {
  const database = new DatabaseSync(out.replace(".jsonl", ".run/ledger.sqlite"), { readOnly: true });
  try {
    return database
      .prepare(`select id from item where ${where} order by number`)
      .all()
      .map(({ id }) => String(id));
  } finally {
    database.close();
  }
};

try {
  const started = performance.now();
  const undisturbed = newRows("undisturbed");
  const whole = newRows("whole");
  // A teacher without failures, asked one by one, tells which request is whose.
  const idOf = new Map<string, string>();
  {
    await using teacher = await startTeacher();
    await finish(command(teacher, undisturbed, 1));
    const ids = new Set(teacher.requests.map(({ key }) => key));
    const items = itemsIn(undisturbed, "true");
    [...ids].forEach((key, place) => {
      idOf.set(key, items[place]!);
    });
    if (ids.size !== items.length) throw new Error(`${ids.size} requests for ${items.length} items`);
  }
  {
    await using teacher = await startTeacher({ fault: faults });
    await finish(command(teacher, whole));
  }
  await using teacher = await startTeacher({ fault: faults, latencyMs: 30 });
  const out = newRows("killed");
  const stored = new Set<string>();
  let [askedAgain, done, seen] = [0, 0, 0];
  const look = (): void => {
    for (; seen < teacher.requests.length; seen++)
      if (stored.has(idOf.get(teacher.requests[seen]!.key)!)) askedAgain++;
  };
  for (; done < kills; done++) {
    const before = teacher.requests.length;
    const { child, ended } = startLlava(command(teacher, out));
    while (teacher.requests.length === before && child.exitCode === null) await wait(5);
    if (child.exitCode !== null) break;
    await wait(250 * random());
    child.kill("SIGKILL");
    await ended;
    look();
    for (const id of itemsIn(out, "state = 'done'")) stored.add(id);
  }
  await finish(command(teacher, out));
  look();
  const answers = new Map<string, number>();
  for (const { key, answered, fault } of teacher.requests)
    if (answered && fault === undefined) answers.set(key, (answers.get(key) ?? 0) + 1);
  const twice = [...answers.values()].reduce((sum, times) => sum + times - 1, 0);
  const result = {
    kills: done,
    items: idOf.size,
    storedAtKills: stored.size,
    sameBytes: readFileSync(out).equals(readFileSync(whole)),
    storedAskedAgain: askedAgain,
    askedTwice: twice,
    // What is on the wire, and as much that is prepared for it.
    mayBeTwice: 2 * concurrency * done,
    seconds: Math.round((performance.now() - started) / 1000),
  };
  console.log(JSON.stringify(result));
  const isRight = result.sameBytes && askedAgain === 0 && twice <= result.mayBeTwice && done === kills;
  if (!isRight) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
