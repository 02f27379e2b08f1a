import { scaleLinear, scaleLog } from "d3-scale";
import type { Area } from "./frame.ts";
import { type Markup, markup } from "./markup.ts";
import { fitted, textWidth } from "./text-width.ts";

export interface AxisOptions {
  readonly label: string;
  /** "linear" */
  readonly scale?: "linear" | "log";
  /** What it must reach at least, such as 0 for a share. */
  readonly include?: readonly number[];
  /** How tick values are written; as short as tells them apart when left out. */
  readonly format?: (value: number) => string;
}

/** From values to pixels. */
type Position = (value: number) => number;

interface Tick {
  readonly at: number;
  readonly text: string;
}

export interface Axis {
  readonly position: Position;
  readonly ticks: readonly Tick[];
}

/** An axis over finite values (positive ones, if logarithmic), its ends at round numbers. */
export function numericAxis(
  values: Iterable<number>,
  { scale = "linear", include = [], format }: AxisOptions,
  range: readonly [number, number],
): Axis {
  const [low, high] = domainOf([values, include], scale === "log");
  const made = scale === "log" ? scaleLog() : scaleLinear();
  made.domain([low, high]).range(range);
  const distance = Math.abs(range[1] - range[0]);
  const wanted = Math.max(2, Math.round(distance / (range[0] < range[1] ? 90 : 48)));
  if (scale === "linear") made.nice(wanted);
  const write = format ?? made.tickFormat(wanted);
  const ticks = made.ticks(wanted).map((value) => ({ at: made(value), text: write(value) }));
  return { position: (value) => made(value), ticks: ticks.filter(({ text }) => text !== "") };
}

function domainOf(sources: readonly Iterable<number>[], positive: boolean): readonly [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const values of sources)
    for (const value of values)
      if (Number.isFinite(value) && (!positive || value > 0))
        [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (low > high) return positive ? [0.1, 1] : [0, 1];
  if (low < high) return [low, high];
  const margin = Math.abs(low) / 2 || 1;
  return positive ? [low / 2, low * 2] : [low - margin, low + margin];
}

const tickSize = 11;
const below = 40;

export interface CartesianPlot {
  readonly area: Area;
  readonly x: Axis;
  readonly y: Axis;
}

/** Two axes within `area` with labels, and a grid at the ticks of the one that is read; `draw` fills the inside. */
export function cartesian(
  area: Area,
  labels: { readonly x: string; readonly y: string },
  makeX: (range: readonly [number, number]) => Axis,
  makeY: (range: readonly [number, number]) => Axis,
  draw: (plot: CartesianPlot) => Markup,
  read: "x" | "y" = "y",
): Markup {
  const [top, bottom] = [area.top + 6, area.bottom - below];
  const y = makeY([bottom, top]);
  const gap = labels.y === "" ? 10 : 24;
  const left = area.left + gap + Math.max(...y.ticks.map(({ text }) => textWidth(text, tickSize)), 10);
  const right = area.right - 6;
  const x = makeX([left, right]);
  const middle = (top + bottom) / 2;
  const grid =
    read === "y"
      ? y.ticks.map(({ at }) => ruler("grid", [left, at], [right, at]))
      : x.ticks.map(({ at }) => ruler("grid", [at, top], [at, bottom]));
  const base =
    read === "y"
      ? ruler("axis", [left, bottom], [right, bottom])
      : ruler("axis", [left, top], [left, bottom]);
  return markup`<g stroke-width="1">${grid}${base}</g>
<g font-size="${tickSize}">
${y.ticks.map(({ at, text }) => markup`<text class="quiet" text-anchor="end" x="${left - 8}" y="${at + 4}">${text}</text>`)}
${apart(x.ticks).map(({ at, text }) => markup`<text class="quiet" text-anchor="middle" x="${at}" y="${bottom + 17}">${text}</text>`)}
</g>
<g font-size="12">
<text class="quiet" text-anchor="middle" x="${(left + right) / 2}" y="${area.bottom - 2}">${fitted(labels.x, 12, right - left)}</text>
<text class="quiet" text-anchor="middle" transform="translate(${area.left + 8} ${middle}) rotate(-90)">${fitted(labels.y, 12, bottom - top)}</text>
</g>
${draw({ area: { left, top, right, bottom }, x, y })}`;
}

const ruler = (kind: string, from: readonly [number, number], to: readonly [number, number]): Markup =>
  markup`<line class="${kind}" x1="${from[0]}" y1="${from[1]}" x2="${to[0]}" y2="${to[1]}"/>`;

/** Without the ticks whose text would run into the one before. */
function apart(ticks: readonly Tick[]): readonly Tick[] {
  let end = -Infinity;
  return [...ticks]
    .sort((a, b) => a.at - b.at)
    .filter(({ at, text }) => {
      const half = textWidth(text, tickSize) / 2;
      if (at - half < end + 4) return false;
      end = at + half;
      return true;
    });
}

/** `content`, whose coordinates are the whole picture's, cut off at the borders of `area`. */
export const clipped = ({ left, top, right, bottom }: Area, content: Markup): Markup =>
  markup`<svg x="${left}" y="${top}" width="${right - left}" height="${bottom - top}" viewBox="${left} ${top} ${right - left} ${bottom - top}">${content}</svg>`;
