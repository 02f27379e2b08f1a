import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { ask, bodyOf, picture, quantile } from "../../bench/serving/load.ts";
import { metricsOf } from "../../bench/serving/servers.ts";
import { type Bar, isIdle, textOf, until } from "./bar.ts";

/** Tokens of a prompt that a step reads, about, and how many of them are timed. */
const STEP = 120;
const STEPS = 8;

export const disconnects: Bar = async (bench) => {
  await using server = await bench.start("--running", "2", "--queue", "8", "--allow-private");
  // An address whose image never comes.
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  try {
    const address = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/image.png`;
    const about = (url: string) => ({
      messages: [
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url } },
            { type: "text", text: "?" },
          ],
        },
      ],
    });
    const prompt = await textOf(server, 1900);
    const long = { text: "Tell a long story.", tokens: 2000 };
    const places: Readonly<
      Record<
        string,
        { readonly body: (round: number) => Promise<string>; readonly after: number; readonly many?: number }
      >
    > = {
      "in a stream": { body: () => bodyOf(server, long), after: 150 },
      "in an answer that is not streamed": {
        body: () => bodyOf(server, { ...long, more: { stream: false, stream_options: undefined } }),
        after: 150,
      },
      "while it waits": { body: () => bodyOf(server, long), after: 150, many: 6 },
      "while an image is fetched": {
        body: () => bodyOf(server, { ...long, more: about(address) }),
        after: 60,
      },
      "while an image is decoded or seen": {
        // What was seen or read before would be cached.
        body: async (round) => {
          const seen = await picture(round, { width: 2400, height: 1800 });
          return await bodyOf(server, { ...long, more: about(seen) });
        },
        after: 40,
      },
      "while a prompt is read": {
        body: (round) => bodyOf(server, { text: `${round} ${prompt}`, tokens: 2000 }),
        after: 120,
      },
    };
    await ask(server, await bodyOf(server, { ...long, tokens: 4 }));
    const short = await textOf(server, STEP);
    let step = 0;
    for (let index = 0; index < STEPS; index++) {
      const { whole } = await ask(
        server,
        await bodyOf(server, { text: `step ${index} ${short}`, tokens: 1 }),
      );
      step = Math.max(step, whole);
    }
    bench.tell(`a step of ${STEP} tokens takes up to ${step.toFixed(0)} ms`);
    const rounds = bench.count(500 / Object.keys(places).length, 3);
    for (const [place, { body, after, many = 1 }] of Object.entries(places)) {
      const times: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const leaving = new AbortController();
        const sent = await body(round);
        const asked = Array.from({ length: many }, () =>
          ask(server, sent, { signal: leaving.signal }).catch(() => undefined),
        );
        await wait(after + (round % 10) * 7);
        leaving.abort();
        const taken = until(server, isIdle);
        await Promise.all(asked);
        times.push(await taken);
      }
      const worst = Math.max(...times);
      bench.tell(
        `${rounds} clients went ${place}: nothing ran after ${quantile(times, 0.5).toFixed(0)} ms, ${worst.toFixed(0)} ms at most; the bar is 200 ms or that step`,
        worst <= Math.max(200, step),
      );
    }
    const metrics = await metricsOf(server);
    bench.tell(`${metrics.get("media_bytes")} bytes of media are held`, metrics.get("media_bytes") === 0);
  } finally {
    silent.closeAllConnections();
    silent.close();
  }
};
