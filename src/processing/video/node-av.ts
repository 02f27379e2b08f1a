import { resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { FilterContext, FormatContext, Frame, Packet, Stream } from "node-av/lib";
import type { RgbImage } from "../image/index.ts";
import {
  type ListedPacket,
  probedVideo,
  RGB_FILTER,
  refuseCut,
  refusePictureless,
  type VideoDecoder,
} from "./decoder.ts";
import { type VideoOptions, videoError } from "./opened-video.ts";
import { turnOf } from "./turn.ts";

type Av = typeof import("node-av/lib") & typeof import("node-av/constants");

/** Milliseconds after which others have a turn. A thread apart for each packet takes as long as decoding a small one. */
const LONGEST_TURN = 10;

let opened: Promise<VideoDecoder | undefined> | undefined;

/**
 * FFmpeg's libraries in this process, by the package node-av, which is looked for once.
 * @returns undefined where it is not installed, or has no library for this machine
 */
export const nodeAvDecoder = (): Promise<VideoDecoder | undefined> => (opened ??= openLibrary());

async function openLibrary(): Promise<VideoDecoder | undefined> {
  try {
    const av: Av = { ...(await import("node-av/lib")), ...(await import("node-av/constants")) };
    av.Log.setLevel(av.AV_LOG_QUIET);
    return decoderBy(av);
  } catch {
    return undefined;
  }
}

const decoderBy = (av: Av): VideoDecoder => ({
  async probe(path, options) {
    const { where = path } = options;
    await using input = await openInput(av, path, where);
    const stream = streamOf(av, input, where);
    const { width, height } = stream.codecpar;
    if (!width || !height) throw videoError(`${where}: cannot be read`, "Get the file again.");
    const listed: ListedPacket[] = [];
    for await (const packet of packetsOf(av, input, stream, options))
      listed.push({
        pts: packet.pts === av.AV_NOPTS_VALUE ? Number.NaN : Number(packet.pts),
        duration: Number(packet.duration),
        isDiscarded: (packet.flags & av.AV_PKT_FLAG_DISCARD) !== 0,
      });
    return probedVideo(
      listed,
      {
        size: turnOf(matrixOf(av, stream)).isOnItsSide ? { width: height, height: width } : { width, height },
        timeBase: stream.timeBase.toDouble(),
        statedRate: Number(stream.avgFrameRate.toDouble().toFixed(2)) || undefined,
      },
      where,
    );
  },

  async *frames(path, video, indices, options) {
    const { where = path } = options;
    await using input = await openInput(av, path, where);
    const stream = streamOf(av, input, where);
    using toRgb = new RgbConversion(av, stream);
    const wanted = new Set(video.pts ? indices.map((index) => video.pts![index]) : indices);
    let decoded = 0;
    let given = 0;
    try {
      for await (const frame of framesOf(av, input, stream, options)) {
        if (!wanted.has(video.pts ? Number(frame.bestEffortTimestamp) : decoded++)) continue;
        yield await toRgb.convert(frame);
        if (++given === indices.length) return;
      }
    } catch (cause) {
      if (!(cause instanceof av.FFmpegError)) throw cause;
      throw videoError(
        `${where}: cannot be decoded: ${cause.message}`,
        "Convert it, for example to H.264 in MP4, or get it again.",
        cause,
      );
    }
    refuseCut(where, given, indices.length, "");
  },
});

/** @throws LlavaError "video" */
async function openInput(av: Av, path: string, where: string): Promise<FormatContext> {
  const input = new av.FormatContext();
  // A playlist cannot name an address.
  using options = av.Dictionary.fromObject({ protocol_whitelist: "file" });
  let code = await input.openInput(resolve(path), null, options);
  if (code >= 0) code = await input.findStreamInfo(null);
  if (code >= 0) return input;
  await input[Symbol.asyncDispose]();
  throw videoError(`${where}: cut short or damaged: ${av.FFmpegError.strerror(code)}`, "Get the file again.");
}

/** The first stream of moving pictures; the others are no longer read. @throws LlavaError "video" where there is none */
function streamOf(av: Av, { streams }: FormatContext, where: string): Stream {
  const found = streams.find(
    ({ codecpar, disposition }) =>
      codecpar.codecType === av.AVMEDIA_TYPE_VIDEO && (disposition & av.AV_DISPOSITION_ATTACHED_PIC) === 0,
  );
  if (found !== undefined) {
    for (const stream of streams) if (stream.index !== found.index) stream.discard = av.AVDISCARD_ALL;
    return found;
  }
  refusePictureless(
    where,
    streams.some(({ codecpar }) => codecpar.codecType === av.AVMEDIA_TYPE_AUDIO),
  );
}

/** The packets of a stream, each gone with the next. What cannot be read ends them. */
async function* packetsOf(
  av: Av,
  input: FormatContext,
  stream: Stream,
  { signal }: VideoOptions,
): AsyncGenerator<Packet, void, undefined> {
  using packet = new av.Packet();
  packet.alloc();
  let since = performance.now();
  for (;;) {
    if (performance.now() - since > LONGEST_TURN) {
      await setImmediate();
      since = performance.now();
    }
    signal?.throwIfAborted();
    packet.unref();
    if (input.readFrameSync(packet) < 0) return;
    if (packet.streamIndex === stream.index) yield packet;
  }
}

/** All frames of a stream in the order in which they show, each gone with the next. */
async function* framesOf(
  av: Av,
  input: FormatContext,
  stream: Stream,
  options: VideoOptions,
): AsyncGenerator<Frame, void, undefined> {
  const codec = av.Codec.findDecoder(stream.codecpar.codecId);
  if (codec === null) throw new av.FFmpegError(av.AVERROR_DECODER_NOT_FOUND);
  using decoder = new av.CodecContext();
  decoder.allocContext3(codec);
  av.FFmpegError.throwIfError(decoder.parametersToContext(stream.codecpar));
  decoder.pktTimebase = stream.timeBase;
  decoder.threadCount = 0; // as many as there are cores
  av.FFmpegError.throwIfError(await decoder.open2(codec, null));
  using frame = new av.Frame();
  frame.alloc();
  // A packet is decoded when it is sent: what has come of it is there.
  function* received(): Generator<Frame, void, undefined> {
    while (decoder.receiveFrameSync(frame) >= 0) {
      yield frame;
      frame.unref();
    }
  }
  // A packet that cannot be decoded is passed over: its frame is missed by who wants it.
  for await (const packet of packetsOf(av, input, stream, options))
    if (decoder.sendPacketSync(packet) >= 0) yield* received();
  decoder.sendPacketSync(null);
  yield* received();
}

const matrixOf = (av: Av, { codecpar }: Stream): Buffer | null =>
  codecpar.getCodedSideData(av.AV_PKT_DATA_DISPLAYMATRIX);

/** The bytes of frames in memory that is taken once: memory of Node's for each sets off garbage collections. */
class FrameBytes implements Disposable {
  readonly #copy: Frame;
  readonly #plane: Uint8Array;
  readonly #packed: Uint8Array;

  /** @param frame the first of its size, packed RGB */
  constructor(av: Av, { width, height, format }: Frame) {
    this.#copy = new av.Frame();
    this.#copy.alloc();
    Object.assign(this.#copy, { width, height, format });
    av.FFmpegError.throwIfError(this.#copy.getBuffer());
    this.#plane = this.#copy.data![0]!;
    this.#packed = new Uint8Array(3 * width * height);
  }

  isFor({ width, height }: Frame): boolean {
    return this.#copy.width === width && this.#copy.height === height;
  }

  /** @returns the frame's bytes, which the next ones take the place of */
  read(av: Av, frame: Frame): RgbImage {
    av.FFmpegError.throwIfError(this.#copy.copy(frame));
    const { width, height } = frame;
    const pitch = this.#copy.linesize[0]!;
    for (let y = 0; y < height; y++)
      this.#packed.set(this.#plane.subarray(y * pitch, y * pitch + 3 * width), 3 * y * width);
    return { width, height, data: this.#packed };
  }

  [Symbol.dispose](): void {
    this.#copy.free();
  }
}

/** Frames to RGB by FFmpeg's filters, which are laid anew where frames of another kind come. */
class RgbConversion implements Disposable {
  readonly #av: Av;
  readonly #filters: string;
  readonly #stream: Stream;
  #graph: Filtering | undefined;
  #bytes: FrameBytes | undefined;

  constructor(av: Av, stream: Stream) {
    this.#av = av;
    this.#stream = stream;
    this.#filters = [...turnOf(matrixOf(av, stream)).filters, RGB_FILTER].join(",");
  }

  /** @returns bytes that the next frame's take the place of */
  async convert(frame: Frame): Promise<RgbImage> {
    const { FFmpegError, Frame } = this.#av;
    const kind = kindOf(frame);
    if (this.#graph?.kind !== kind) {
      this.#graph?.[Symbol.dispose]();
      this.#graph = await this.#filtering(frame, kind);
    }
    const { source, sink } = this.#graph;
    FFmpegError.throwIfError(source.buffersrcAddFrameSync(frame));
    using converted = new Frame();
    converted.alloc();
    FFmpegError.throwIfError(sink.buffersinkGetFrameSync(converted));
    if (!this.#bytes?.isFor(converted)) {
      this.#bytes?.[Symbol.dispose]();
      this.#bytes = new FrameBytes(this.#av, converted);
    }
    return this.#bytes.read(this.#av, converted);
  }

  async #filtering(
    { width, height, format, colorRange, colorSpace, sampleAspectRatio }: Frame,
    kind: string,
  ): Promise<Filtering> {
    const { FFmpegError, Filter, FilterGraph, FilterInOut } = this.#av;
    const graph = new FilterGraph();
    graph.alloc();
    graph.nbThreads = 1;
    const source = graph.allocFilter(Filter.getByName("buffer")!, "in")!;
    const { timeBase } = this.#stream;
    FFmpegError.throwIfError(
      source.buffersrcParametersSet({
        ...{ width, height, format, timeBase, sampleAspectRatio },
        ...{ colorRange, colorSpace },
      }),
    );
    FFmpegError.throwIfError(source.init(null));
    const sink = graph.createFilter(Filter.getByName("buffersink")!, "out", null)!;
    const end = (name: string, filterCtx: FilterContext) => {
      const found = new FilterInOut();
      found.alloc();
      return Object.assign(found, { name, filterCtx, padIdx: 0 });
    };
    using before = end("in", source);
    using behind = end("out", sink);
    FFmpegError.throwIfError(graph.parsePtr(this.#filters, behind, before));
    FFmpegError.throwIfError(await graph.config());
    return { kind, source, sink, [Symbol.dispose]: () => graph.free() };
  }

  [Symbol.dispose](): void {
    this.#graph?.[Symbol.dispose]();
    this.#bytes?.[Symbol.dispose]();
  }
}

interface Filtering extends Disposable {
  readonly kind: string;
  readonly source: FilterContext;
  readonly sink: FilterContext;
}

/** What filters are laid for. */
const kindOf = ({ width, height, format, colorRange, colorSpace }: Frame): string =>
  [width, height, format, colorRange, colorSpace].join(" ");
