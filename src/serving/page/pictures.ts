import type { Medium } from "./conversation.ts";
import { element } from "./element.ts";
import type { PictureTokens } from "./server.ts";
import { texts } from "./texts.ts";

/** A picture with the lines along which the model cuts it, or a video as its frames in a row. */
export function picture({ kind, name, urls }: Medium, tokens?: PictureTokens): HTMLElement {
  const images = urls.map((src) => element("img", { src, alt: name }));
  if (kind === "video")
    return element("figure", { className: "frames" }, [
      element("div", { tabIndex: 0 }, images),
      element("figcaption", {}, [`${name}: ${texts.frames(urls.length)}`]),
    ]);
  const { columns = 1, rows = 1 } = tokens ?? {};
  const caption = tokens === undefined ? name : `${name}: ${texts.tiles(columns, rows, tokens.tokens)}`;
  return element("figure", {}, [
    element("div", { className: "tiled" }, [...images, ...lines(columns, rows)]),
    element("figcaption", {}, [caption]),
  ]);
}

/** Lines between tiles. Places are set through the style object, which the content policy lets scripts do. */
function lines(columns: number, rows: number): HTMLElement[] {
  const between = (count: number, side: "left" | "top") =>
    Array.from({ length: count - 1 }, (_, index) => {
      const line = element("span", { className: `line ${side}` });
      line.style[side] = `${(100 * (index + 1)) / count}%`;
      return line;
    });
  return [...between(columns, "left"), ...between(rows, "top")];
}
