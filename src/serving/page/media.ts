import type { Medium } from "./conversation.ts";

/** Frames that are taken of a video, as many as LLaVA-NeXT-Video's questions show. */
const FRAMES = 16;
/** Longer sides are scaled to this: towers see less, and bodies stay small. */
const LONGEST_SIDE = 2048;
const FRAME_SIDE = 672;

/** A file as it is sent; undefined for what the browser cannot read. */
export async function readMedium(file: File): Promise<Medium | undefined> {
  try {
    if (file.type.startsWith("video/")) return { kind: "video", name: file.name, urls: await framesOf(file) };
    if (file.type === "image/gif") return { kind: "image", name: file.name, urls: [await asDataUrl(file)] };
    return { kind: "image", name: file.name, urls: [await pictureOf(file)] };
  } catch {
    return undefined;
  }
}

/** The file itself where it is small, else redrawn; the browser turns it upright then. */
async function pictureOf(file: Blob): Promise<string> {
  const bitmap = await createImageBitmap(file);
  try {
    const isLarge = Math.max(bitmap.width, bitmap.height) > LONGEST_SIDE;
    const isKnown = ["image/jpeg", "image/png", "image/webp"].includes(file.type);
    return isKnown && !isLarge ? await asDataUrl(file) : draw(bitmap, bitmap, LONGEST_SIDE);
  } finally {
    bitmap.close();
  }
}

function asDataUrl(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

function draw(
  source: CanvasImageSource,
  { width, height }: { readonly width: number; readonly height: number },
  longest: number,
): string {
  const scale = Math.min(1, longest / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.getContext("2d")!.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.92);
}

/** Frames at even distances, from the first to the last. */
async function framesOf(file: Blob): Promise<string[]> {
  const video = document.createElement("video");
  video.muted = true;
  video.preload = "auto";
  video.src = URL.createObjectURL(file);
  try {
    await once(video, "loadeddata");
    const frames: string[] = [];
    const size = { width: video.videoWidth, height: video.videoHeight };
    for (let index = 0; index < FRAMES; index++) {
      const seeked = once(video, "seeked");
      video.currentTime = (index / (FRAMES - 1)) * Math.max(0, video.duration - 0.05);
      await seeked;
      frames.push(draw(video, size, FRAME_SIDE));
    }
    return frames;
  } finally {
    URL.revokeObjectURL(video.src);
  }
}

function once(video: HTMLVideoElement, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    video.addEventListener(name, () => resolve(), { once: true });
    video.addEventListener("error", () => reject(video.error), { once: true });
  });
}
