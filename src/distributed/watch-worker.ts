// The thread behind watch.ts. It needs nothing of the main thread, which may be waiting for another rank for ever.
import { writeSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { hostname } from "node:os";
import { setTimeout } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { Calls, type CallsMade } from "./calls.ts";
import type { FromThread, ToThread, Watched } from "./watch.ts";

const { rank, ranks, host, port, token, silence, progress, calls: memory } = workerData as Watched;
const calls = new Calls(memory);

const BEAT = 1000;
/** Within which a main thread that is not waiting for others ends by itself. */
const GRACE = 1000;
/** Within which a rank's own failure is heard of, behind what it makes others fail with. */
const HEARSAY = 3000;

/** A line from a rank to rank 0. */
interface Beat {
  readonly token: string;
  readonly rank: number;
  readonly host: string;
  readonly step: number;
  readonly calls: CallsMade;
  /** Whether they are others than rank 0's. */
  readonly areOthers?: boolean;
  readonly failed?: string;
  readonly isHearsay?: boolean;
  readonly leaving?: true;
}
/** A line from rank 0. */
type Word =
  | { readonly beat: CallsMade }
  | { readonly joined: true }
  | { readonly left: true }
  | { readonly stopping: string };

const tell = (message: FromThread): void => parentPort!.postMessage(message);
/** By which it was started, if that was `llava launch`. */
const launcher = Number(process.env["LLAVA_LAUNCHER"]);
let isStopping = false;

/** The process ends, by its main thread or without it. */
function stop(cause: string): void {
  if (isStopping) return;
  isStopping = true;
  const line = `llava: rank ${rank}: stopping, since ${cause}\n`;
  if (!hasFailed) writeSync(2, line);
  tell({ stopping: line });
  void setTimeout(hasFailed ? 10 * GRACE : GRACE).then(() => process.kill(process.pid, "SIGKILL"));
}
let hasFailed = false;

const own = (): Beat => ({
  ...{ token, rank, host: hostname() },
  ...{ step: Atomics.load(progress, 0), calls: calls.made },
});
const describe = ({ rank, host, step }: Beat): string => `rank ${rank} (${host}, after step ${step})`;

/** Far more than a rank says of its failure. */
const LONGEST_LINE = 100_000;

/** Who says what no rank says, such as a scanner of ports, is hung up on. */
function onLines<T>(socket: Socket, each: (line: T) => void): void {
  let text = "";
  socket.setEncoding("utf8").on("data", (data: string) => {
    const lines = (text + data).split("\n");
    text = lines.pop()!;
    if (text.length > LONGEST_LINE) socket.destroy();
    for (const line of lines) {
      const said = objectIn(line);
      if (said === undefined) return void socket.destroy();
      each(said as T);
    }
  });
}

function objectIn(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Rank 0: hears all, and speaks to all. */
function serve(): (beat: Beat) => Promise<void> {
  const sockets = new Map<number, Socket>();
  const last = new Map<number, { beat: Beat; at: number }>();
  /** To all that listen; returns when it is on its way. */
  const say = async (word: Word): Promise<void> => {
    const line = `${JSON.stringify(word)}\n`;
    const writes = [...sockets.values()].map(
      (socket) => new Promise<void>((done) => socket.write(line, () => done())),
    );
    await Promise.race([Promise.all(writes), setTimeout(GRACE / 2)]);
  };
  let isEnding = false;
  const end = async (cause: string): Promise<void> => {
    if (isEnding) return;
    isEnding = true;
    await say({ stopping: cause });
    stop(cause);
  };
  const left = new Set<number>();
  const hear = async (beat: Beat): Promise<void> => {
    last.set(beat.rank, { beat, at: performance.now() });
    if (beat.areOthers || calls.differFrom(beat.calls))
      await end(`${describe(beat)} has not made the same calls to the other ranks as rank 0`);
    if (beat.failed !== undefined) {
      if (beat.isHearsay) await setTimeout(HEARSAY);
      await end(`${describe(beat)} failed: ${beat.failed}`);
    }
    if (!beat.leaving) return;
    left.add(beat.rank);
    if (left.size < ranks) return;
    await say({ left: true });
    tell({ left: true });
  };
  const server = createServer((socket) => {
    let from: Beat | undefined;
    onLines<Beat>(socket, (beat) => {
      if (beat.token !== token) return void socket.destroy();
      from = beat;
      const isNew = !sockets.has(beat.rank);
      sockets.set(beat.rank, socket);
      void hear(beat);
      if (!isNew || sockets.size < ranks - 1) return;
      void say({ joined: true });
      tell({ joined: true });
    });
    const gone = (): void => {
      if (from !== undefined && !left.has(from.rank)) void end(`${describe(from)} is gone`);
    };
    socket.on("error", gone).on("close", gone);
  });
  const isLocal = host === "localhost" || host.startsWith("127.");
  server.listen(0, isLocal ? host : undefined, () => {
    tell({ listening: (server.address() as { port: number }).port });
  });
  setInterval(() => {
    void say({ beat: calls.made });
    const now = performance.now();
    for (const { beat, at } of last.values())
      if (beat.rank > 0 && now - at > silence * 1000 && !left.has(beat.rank))
        void end(`${describe(beat)} has not been heard of for ${silence} s`);
  }, BEAT / 2);
  return hear;
}

/** Every other rank. */
function follow(): (beat: Beat) => void {
  const socket = connect(port!, host);
  let heard = performance.now();
  let hasLeft = false;
  const gone = (): void => {
    if (!hasLeft) stop(`rank 0 (${host}) is gone`);
  };
  socket.setNoDelay().on("error", gone).on("close", gone);
  onLines<Word>(socket, (word) => {
    heard = performance.now();
    if ("stopping" in word) stop(word.stopping);
    if ("joined" in word) tell(word);
    if ("beat" in word && calls.differFrom(word.beat)) say({ ...own(), areOthers: true });
    if (!("left" in word)) return;
    hasLeft = true;
    tell(word);
  });
  const say = (beat: Beat): void => void socket.write(`${JSON.stringify(beat)}\n`);
  say(own());
  setInterval(() => {
    say(own());
    if (performance.now() - heard > silence * 1000)
      stop(`rank 0 (${host}) has not been heard of for ${silence} s`);
  }, BEAT);
  return say;
}

const say: (beat: Beat) => unknown = rank === 0 ? serve() : follow();
setInterval(() => {
  if (launcher > 0 && process.ppid !== launcher) stop("the process that started it is gone");
}, BEAT);

parentPort!.on("message", (message: ToThread) => {
  if ("leaving" in message) return say({ ...own(), leaving: true });
  hasFailed = !message.isHearsay;
  say({ ...own(), ...message });
});
