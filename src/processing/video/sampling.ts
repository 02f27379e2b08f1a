import { z } from "zod";

const count = z.int().min(1);
const rate = z.number().positive();

/**
 * Which frames of a video are seen, as the families' code has it:
 * - "uniform": as many as `frames`, evenly from the first to the last; a shorter video repeats some (LLaVA-NeXT-Video's demo).
 * - "fps-or-uniform": one for each round(rate / fps) of the video's; where those are more than `most`, or with `force`, `most`
 *   of them as "uniform" has them; 0 is no limit (LLaVA-NeXT's training and demo).
 * - "arange": frame ⌊i·T/N⌋ of T, for N `frames` or as many as `fps` takes; fewer where the video is shorter (transformers).
 * - "strided": every T/N-th from the first on (older examples of transformers).
 * - "capped": as many as `fps` takes, up to `most`, as "uniform" has them (LLaMA-Factory).
 * - "extracted": the frame nearest to each of `fps` a second, of which `frames` as "uniform" has them (LLaVA-Hound).
 * - "all": every frame (transformers where nothing else is said).
 */
export const samplingSchema = z.discriminatedUnion("rule", [
  z.strictObject({ rule: z.literal("uniform"), frames: count }),
  z.strictObject({
    rule: z.literal("fps-or-uniform"),
    fps: rate,
    most: z.int().min(0),
    force: z.boolean().optional(),
  }),
  z.strictObject({ rule: z.literal("arange"), frames: count.optional(), fps: rate.optional() }),
  z.strictObject({ rule: z.literal("strided"), frames: count }),
  z.strictObject({ rule: z.literal("capped"), fps: rate, most: count }),
  z.strictObject({ rule: z.literal("extracted"), fps: rate, frames: count }),
  z.strictObject({ rule: z.literal("all") }),
]);
export type SamplingRule = z.output<typeof samplingSchema>;

/** What of a video decides which of its frames are seen. */
export interface FrameTimes {
  /** Of each frame, in seconds from the first. */
  readonly times: readonly number[];
  /** Frames a second, by the file's own account. */
  readonly rate: number;
}

export interface SampledFrames {
  /** Ascending; the same may come again. */
  readonly indices: readonly number[];
  /** In seconds, as the rule's own code states them in prompts. */
  readonly times: readonly number[];
  /** Of the whole video, in seconds. */
  readonly duration: number;
}

/**
 * The frames of a video that a rule takes. Rules count frames; in a video whose frames show for unequal times, those that
 * spread over time take the frame that shows then.
 */
export function sampleFrames(rule: SamplingRule, video: FrameTimes): SampledFrames {
  const total = video.times.length;
  const isUnequal = hasUnequalTimes(video);
  const duration = isUnequal ? (video.times.at(-1)! * total) / (total - 1) : total / video.rate;
  const rate = total / duration;
  const shownAt = isUnequal ? byTime(video) : undefined;
  const at = (index: number) => Math.min(total - 1, shownAt?.(index) ?? index);
  const taken = (positions: readonly number[], seconds?: (position: number) => number): SampledFrames => {
    const indices = positions.map(at);
    const timeOf = shownAt === undefined && seconds ? seconds : undefined;
    return {
      indices,
      times: indices.map((index, i) => timeOf?.(positions[i]!) ?? video.times[index]!),
      duration,
    };
  };
  const byRate = (position: number) => position / rate;
  switch (rule.rule) {
    case "uniform":
      return taken(linspace(total, rule.frames), byRate);
    case "fps-or-uniform": {
      const step = Math.max(1, roundHalfEven(rate / rule.fps));
      const count = Math.ceil(total / step);
      if (rule.most > 0 && (count > rule.most || rule.force))
        return taken(linspace(total, rule.most), byRate);
      return taken(
        range(count).map((i) => i * step),
        (position) => position / step,
      );
    }
    case "arange": {
      const { fps, frames = total } = rule;
      const wanted = fps === undefined ? frames : Math.max(1, Math.trunc((total / rate) * fps));
      const count = Math.min(wanted, total);
      const indices = range(count).map((i) => Math.floor((i * total) / count));
      return { indices, times: indices.map((index) => video.times[index]!), duration };
    }
    case "strided": {
      const step = total / rule.frames;
      return taken(range(Math.ceil(total / step)).map((i) => Math.trunc(i * step)));
    }
    case "capped": {
      const wanted = Math.max(1, Math.floor(duration * rule.fps));
      return taken(linspace(total, Math.min(total, rule.most, wanted)), byRate);
    }
    case "extracted": {
      const nearest = nearestTo(video.times);
      const kept = range(Math.max(1, Math.round(duration * rule.fps))).map((i) => nearest(i / rule.fps));
      const indices = linspace(kept.length, rule.frames).map((i) => kept[i]!);
      return { indices, times: indices.map((index) => video.times[index]!), duration };
    }
    case "all":
      return taken(range(total));
  }
}

/** What a caller asks for in the place of a rule's own numbers. */
export interface AskedFrames {
  readonly frames?: number | undefined;
  /** Frames a second. */
  readonly fps?: number | undefined;
  /** At most so many, and none twice, whatever the rule says. */
  readonly most?: number | undefined;
}

/** The same rule with another number of frames, or of frames a second: what a caller asks for counts before the rule. */
export function withFrames(rule: SamplingRule, { frames, fps }: AskedFrames): SamplingRule {
  if (fps !== undefined) {
    if (rule.rule === "arange" && frames === undefined) return { rule: "arange", fps };
    const most = frames ?? ("most" in rule ? rule.most : 0);
    return { rule: "fps-or-uniform", fps, most };
  }
  if (frames === undefined) return rule;
  switch (rule.rule) {
    case "arange":
    case "strided":
    case "extracted":
      return { ...rule, frames };
    case "fps-or-uniform":
      return { ...rule, most: frames, force: true };
    default:
      return { rule: "uniform", frames };
  }
}

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

/** NumPy's linspace(0, total − 1, count, dtype=int): the step is a double, whole numbers are cut, the last is the end. */
function linspace(total: number, count: number): number[] {
  const step = (total - 1) / (count - 1);
  return range(count).map((i) => (i === 0 ? 0 : i === count - 1 ? total - 1 : Math.floor(i * step)));
}

/** Python's round: of two whole numbers as near, the even one. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Where the shortest and the longest time between frames differ by more than a hundredth of their mean. */
function hasUnequalTimes({ times }: FrameTimes): boolean {
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  if (gaps.length < 2) return false;
  const mean = (times.at(-1)! - times[0]!) / gaps.length;
  // Files keep whole milliseconds, or finer units: one of those more or less is no other time.
  const spread = gaps.reduce((most, gap) => Math.max(most, Math.abs(gap - mean)), 0);
  return spread > Math.max(0.005 * mean, 0.0011);
}

/** The frame that shows at the time of a position, if all frames showed equally long. */
function byTime({ times }: FrameTimes): (position: number) => number {
  const end = times.at(-1)!;
  return (position) => {
    const time = (position / Math.max(1, times.length - 1)) * end;
    let index = times.length - 1;
    while (index > 0 && times[index]! > time + 1e-9) index--;
    return index;
  };
}

const nearestTo =
  (times: readonly number[]) =>
  (time: number): number => {
    let best = 0;
    for (const [index, shown] of times.entries())
      if (Math.abs(shown - time) < Math.abs(times[best]! - time)) best = index;
    return best;
  };
