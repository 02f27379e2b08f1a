import { type Picture, type Pixels, UnreadVariant } from "../pixels.ts";

interface Header {
  /** 1 to 6: bitmap, grey, colour; as text, then as bytes. */
  readonly form: number;
  readonly width: number;
  readonly height: number;
  readonly most: number;
  readonly start: number;
}

/** PBM, PGM and PPM, as text or as bytes, of 8 or 16 bits. */
export function readNetpbm(bytes: Uint8Array): Picture {
  const form = bytes[1]! - 48;
  if (form > 6) throw new UnreadVariant("a PAM file");
  let start = 2;
  const number = (): number => {
    const token = nextToken(bytes, start);
    start = token.end;
    const value = Number(token.text);
    if (!/^\d+$/.test(token.text) || value > 1e9)
      throw new Error(`its header has ${JSON.stringify(token.text)} for a number`);
    return value;
  };
  const [width, height] = [number(), number()];
  const most = form === 1 || form === 4 ? 1 : number();
  if (width < 1 || height < 1 || most < 1 || most > 65535)
    throw new Error(`${width}×${height} pixels up to ${most}`);
  const header = { form, width, height, most, start: start + 1 };
  return { width, height, decode: () => decode(bytes, header) };
}

const isSpace = (byte: number | undefined): boolean => byte !== undefined && byte <= 32;

/** A word, past white space and comments to the line's end. @throws Error at the end of the file */
function nextToken(bytes: Uint8Array, from: number): { text: string; end: number } {
  let at = from;
  while (isSpace(bytes[at]) || bytes[at] === 35)
    if (bytes[at] === 35) while (at < bytes.length && bytes[at] !== 10) at++;
    else at++;
  const begin = at;
  while (at < bytes.length && !isSpace(bytes[at])) at++;
  if (begin === at) throw new Error("its pixels end early");
  return { text: Buffer.from(bytes.subarray(begin, Math.min(at, begin + 20))).toString("latin1"), end: at };
}

function decode(bytes: Uint8Array, header: Header): Pixels {
  const { form, width, height, most } = header;
  const isColour = form % 3 === 0;
  const samples =
    form < 4 ? textSamples(bytes, header) : form === 4 ? bits(bytes, header) : binarySamples(bytes, header);
  // Pillow keeps grey of 16 bits in 16 bits, and cuts it at 255 in the end.
  const out = !isColour && most > 255 ? 65535 : 255;
  const data = new Uint8Array(width * height * 3);
  for (let at = 0; at < data.length; at++) {
    const sample = samples[isColour ? at : Math.floor(at / 3)]!;
    data[at] =
      form === 1 || form === 4 ? 255 * (1 - sample) : Math.min(255, roundHalfEven((sample / most) * out));
  }
  return { width, height, channels: 3, data };
}

/** As Python rounds. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}

function textSamples(bytes: Uint8Array, { form, width, height, most, start }: Header): Uint16Array {
  const samples = new Uint16Array(width * height * (form === 3 ? 3 : 1));
  let at = start - 1;
  for (let sample = 0; sample < samples.length; sample++) {
    let text: string;
    if (form === 1) {
      // Digits of a bitmap may stand without space between them.
      while (isSpace(bytes[at]) || bytes[at] === 35)
        if (bytes[at] === 35) while (at < bytes.length && bytes[at] !== 10) at++;
        else at++;
      if (at >= bytes.length) throw new Error("its pixels end early");
      text = String.fromCharCode(bytes[at++]!);
    } else ({ text, end: at } = nextToken(bytes, at));
    const value = Number(text);
    if (!/^\d+$/.test(text) || value > most)
      throw new Error(`a pixel is ${JSON.stringify(text)}, the most is ${most}`);
    samples[sample] = value;
  }
  return samples;
}

function bits(bytes: Uint8Array, { width, height, start }: Header): Uint8Array {
  const stride = Math.ceil(width / 8);
  if (bytes.length < start + stride * height) throw new Error("its pixels end early");
  return Uint8Array.from({ length: width * height }, (_, at) => {
    const column = at % width;
    return (bytes[start + Math.floor(at / width) * stride + (column >> 3)]! >> (7 - (column & 7))) & 1;
  });
}

function binarySamples(bytes: Uint8Array, { form, width, height, most, start }: Header): Uint16Array {
  const step = most > 255 ? 2 : 1;
  const count = width * height * (form === 6 ? 3 : 1);
  if (bytes.length < start + count * step) throw new Error("its pixels end early");
  return Uint16Array.from({ length: count }, (_, at) =>
    step === 1 ? bytes[start + at]! : bytes[start + 2 * at]! * 256 + bytes[start + 2 * at + 1]!,
  );
}
