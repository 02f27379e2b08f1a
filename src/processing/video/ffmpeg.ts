import { spawn } from "node:child_process";
import { resolve } from "node:path";
import {
  type ProbedVideo,
  probedVideo,
  RGB_FILTER,
  refuseCut,
  refusePictureless,
  type VideoDecoder,
} from "./decoder.ts";
import { type VideoOptions, videoError } from "./opened-video.ts";
import { pixmaps } from "./pixmaps.ts";

/** A program that says nothing for so long hangs. */
const PATIENCE = 60_000;
const MOST_SAID = 1_000_000;
/** Letters of its reason that are passed on. */
const MOST_TOLD = 200;

/** So many frames are chosen by an expression; of more, all are decoded. */
const MOST_CHOSEN = 1000;

/** The program `ffmpeg`, by its name or path. */
export const ffmpegDecoder = (program: string): VideoDecoder => ({
  async probe(path, options) {
    using run = start(
      program,
      [...input(path), "-map", "0:V:0", "-c", "copy", "-f", "framecrc", "-"],
      options,
    );
    let listing = "";
    for await (const chunk of run.output) listing += chunk.toString("latin1");
    return readPackets(listing, await run.said, options.where ?? path);
  },

  async *frames(path, video, indices, options) {
    const { where = path } = options;
    const isChosen = indices.length <= MOST_CHOSEN;
    const filter = isChosen ? `select='${chosenBy(video, indices)}',${RGB_FILTER}` : RGB_FILTER;
    const wanted = new Set(indices);
    using run = start(
      program,
      [
        ...input(path),
        ...["-map", "0:V:0", "-vf", filter, "-fps_mode", "passthrough"],
        ...["-frames:v", String(isChosen ? indices.length : indices.at(-1)! + 1)],
        ...["-c:v", "ppm", "-f", "image2pipe", "-"],
      ],
      options,
    );
    let decoded = 0;
    let given = 0;
    for await (const frame of pixmaps(run.output)) {
      if (!isChosen && !wanted.has(decoded++)) continue;
      given++;
      yield frame;
    }
    if (given < indices.length) refuseCut(where, given, indices.length, reasonIn(await run.said));
  },
});

/** Which frames a filter lets through: by the time at which they show, where the file says it. */
export const chosenBy = ({ pts }: Pick<ProbedVideo, "pts">, indices: readonly number[]): string =>
  anyOf(indices.map((index) => (pts ? `eq(pts,${pts[index]})` : `eq(n,${index})`)));

/** In halves of halves: ffmpeg reads expressions that are a hundred deep at most. */
const anyOf = (conditions: readonly string[]): string => {
  if (conditions.length <= 2) return conditions.join("+");
  const middle = Math.ceil(conditions.length / 2);
  return `(${anyOf(conditions.slice(0, middle))})+(${anyOf(conditions.slice(middle))})`;
};

/** Only files are read: a playlist cannot name an address. */
const input = (path: string): string[] => [
  ...["-hide_banner", "-nostdin", "-loglevel", "level+info", "-protocol_whitelist", "file,pipe"],
  ...["-copyts", "-i", `file:${resolve(path)}`],
];

/** A program at work. It is stopped with this object. */
interface Run extends Disposable {
  readonly output: AsyncIterable<Buffer>;
  /** All that it said beside, once it has ended. */
  readonly said: Promise<string>;
}

function start(program: string, args: readonly string[], { signal, where = "" }: VideoOptions): Run {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...(signal && { signal }) });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    if (said.length < MOST_SAID) said += chunk.toString("utf8");
  });
  const ended = new Promise<string>((settle, fail) => {
    child.once("error", (cause) => fail(signal?.aborted ? signal.reason : cause));
    child.once("close", () => settle(said));
  });
  ended.catch(() => {}); // told where it is awaited
  async function* output(): AsyncGenerator<Buffer> {
    const chunks = child.stdout[Symbol.asyncIterator]();
    for (;;) {
      const hung = Promise.withResolvers<never>();
      const timer = setTimeout(
        () => hung.reject(videoError(`${where}: ${program} hangs`, "Convert the video to another format.")),
        PATIENCE,
      );
      const next = await Promise.race([chunks.next(), hung.promise]).finally(() => clearTimeout(timer));
      if (next.done) break;
      yield next.value as Buffer;
    }
    await ended;
  }
  return {
    output: output(),
    said: ended,
    [Symbol.dispose]: () => void child.kill("SIGKILL"),
  };
}

/** What the listing of packets and the talk around it say. */
function readPackets(listing: string, said: string, where: string): ProbedVideo {
  const head = (name: string) => new RegExp(`^#${name} 0: (.*)$`, "m").exec(listing)?.[1];
  const damage =
    /(?:partial file|ended prematurely|moov atom not found|truncat\w*|Invalid data found[^\n]*)/i.exec(said);
  const [width, height] = (head("dimensions") ?? "").split("x").map(Number);
  if (/matches no streams/.test(said)) refusePictureless(where, /Audio:/.test(said));
  if (damage !== null)
    throw videoError(`${where}: cut short or damaged: ${damage[0].trim()}`, "Get the file again.");
  if (!width || !height) throw videoError(`${where}: cannot be read${reasonIn(said)}`, "Get the file again.");
  const [, ticks, unit] = /^(\d+)\/(\d+)$/.exec(head("tb") ?? "") ?? [];
  const packets = [...listing.matchAll(/^0, +(?:-?\d+|NOPTS), +(-?\d+|NOPTS), +(\d+),[^\n]*$/gm)];
  const isTurned = /rotation of -?(?:90|270)(?:\.\d+)? degrees/.test(said);
  return probedVideo(
    packets.map(([line, pts, duration]) => ({
      pts: Number(pts),
      duration: Number(duration),
      isDiscarded: isDiscarded(line),
    })),
    {
      size: isTurned ? { width: height, height: width } : { width, height },
      timeBase: Number(ticks) / Number(unit),
      statedRate: Number(/Video:[^\n]* ([\d.]+)(k?) fps/.exec(said)?.[1]) || undefined,
    },
    where,
  );
}

const isDiscarded = (line: string): boolean => (Number(/F=(0x[0-9A-Fa-f]+)/.exec(line)?.[1] ?? 1) & 4) !== 0;

/** The first complaint, as the end of a message. */
function reasonIn(said: string): string {
  const [, reason] = /\[(?:error|fatal)\] ([^\n]*)/.exec(said) ?? [];
  return reason === undefined ? "" : `: ${reason.trim().slice(0, MOST_TOLD)}`;
}
