import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { median } from "../../bench/peer.ts";
import { ask, bodyOf, isAnswered } from "../../bench/serving/load.ts";
import { freePort } from "../../test/support/free-port.ts";
import type { Bar } from "./bar.ts";

const bin = fileURLToPath(new URL("../../bin/llava.js", import.meta.url));

/** Starts a server, whose files the first of them has read; the port's first answer and the model's, in milliseconds. */
export const start: Bar = async (bench) => {
  const [ports, readies, ratios]: [number[], number[], number[]] = [[], [], []];
  for (let round = -1; round < bench.count(5, 3); round++) {
    const port = await freePort();
    const target = { name: "llava serve", url: `http://127.0.0.1:${port}`, model: "served" };
    const began = performance.now();
    const args = ["-q", "serve", bench.model, "--alias", "served", "--no-log", "--port", String(port)];
    const child = spawn(process.execPath, [bin, ...args, ...bench.args], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    try {
      const first = await answering(target.url, child, () => true);
      const answered = performance.now() - began;
      await answering(target.url, child, (status) => status === 200);
      const ready = performance.now() - began;
      const times: number[] = [];
      for (let seed = 0; seed < 3; seed++) {
        const body = await bodyOf(target, { text: "What is it?", images: [100 + seed], tokens: 2 });
        const outcome = await ask(target, body);
        if (!isAnswered(outcome)) throw new Error(`status ${outcome.status}`);
        times.push(outcome.first);
      }
      if (round < 0) continue;
      if (first !== 503) throw new Error(`the port first answered ${first}`);
      ports.push(answered);
      readies.push(ready);
      ratios.push(times[0]! / times[2]!);
    } finally {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
  }
  const [port, ready, ratio] = [median(ports), median(readies), median(ratios)];
  bench.tell(`/health is 503 after ${port.toFixed(0)} ms; the bar is 1000 ms`, port <= 1000);
  bench.tell(`ready after ${ready.toFixed(0)} ms; the bar is 10 s`, ready <= 10_000);
  bench.tell(
    `the first image's first token took ${ratio.toFixed(2)} times the third's; the bar is 1.2`,
    ratio <= 1.2,
  );
};

/** The first status that will do. @throws where the server ends before */
async function answering(
  url: string,
  child: { readonly exitCode: number | null },
  willDo: (status: number) => boolean,
): Promise<number> {
  while (child.exitCode === null) {
    const response = await fetch(`${url}/health`).catch(() => undefined);
    await response?.body?.cancel();
    if (response !== undefined && willDo(response.status)) return response.status;
    await wait(10);
  }
  throw new Error(`the server ended with ${child.exitCode}`);
}
