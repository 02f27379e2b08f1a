/** First characters of base64, by what the first bytes of an image become. */
const formats = { "/9j/": "jpeg", iVBORw0KGgo: "png", R0lGOD: "gif", UklGR: "webp", Qk: "bmp" };

/** An image in base64, as MMBench's tables hold it, as a data URL. */
export function imageDataUrl(base64: string): string {
  const format = Object.entries(formats).find(([start]) => base64.startsWith(start))?.[1] ?? "jpeg";
  return `data:image/${format};base64,${base64}`;
}
