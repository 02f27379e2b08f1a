import { type Markup, markup } from "./markup.ts";
import { fitted, textWidth } from "./text-width.ts";
import { dashOf, seriesClass, styleOf, type Theme } from "./theme.ts";

export interface ChartOptions {
  readonly title: string;
  /** For those who hear the chart instead of seeing it; the title alone when left out. */
  readonly description?: string;
  /** In pixels; 760. */
  readonly width?: number;
  /** In pixels; 420. */
  readonly height?: number;
  /** "auto" */
  readonly theme?: Theme;
}

/** What the frame leaves to the chart, in pixels of the whole picture. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const padding = 18;
const legendSize = 12;
const legendRow = 20;

/** Ground, title, legend and description around what `draw` makes. Names in `legend` belong to series 0, 1, … */
export function frame(
  options: ChartOptions,
  legend: readonly string[],
  draw: (area: Area) => Markup,
): string {
  const { title, description, width = 760, height = 420, theme = "auto" } = options;
  const entries = legendLayout(legend, width - 2 * padding);
  const rows = (entries.at(-1)?.row ?? -1) + 1;
  const top = padding + 26 + rows * legendRow + (rows > 0 ? 4 : 0);
  return markup`<svg xmlns="http://www.w3.org/2000/svg" class="chart chart-${theme}" role="img" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" aria-label="${title}">
<title>${title}</title><desc>${description ?? title}</desc>
${styleOf(theme)}
<rect class="ground" width="${width}" height="${height}" rx="8"/>
<text x="${padding}" y="${padding + 13}" font-size="16" font-weight="600">${fitted(title, 16, width - 2 * padding)}</text>
${entries.map(({ x, row, name }, index) => legendEntry(index, name, x, padding + 38 + row * legendRow))}
${draw({ left: padding, top, right: width - padding, bottom: height - padding })}
</svg>`.toString();
}

function legendLayout(names: readonly string[], width: number) {
  let [x, row] = [0, 0];
  return names.map((name) => {
    const text = fitted(name, legendSize, width - 24);
    const needed = 22 + textWidth(text, legendSize) + 18;
    if (x > 0 && x + needed > width) [x, row] = [0, row + 1];
    const entry = { x: padding + x, row, name: text };
    x += needed;
    return entry;
  });
}

const legendEntry = (index: number, name: string, x: number, y: number): Markup =>
  markup`<line class="line ${seriesClass(index)}" x1="${x}" x2="${x + 16}" y1="${y - 4}" y2="${y - 4}" stroke-width="3" stroke-dasharray="${dashOf(index) || "none"}"/><text x="${x + 22}" y="${y}" font-size="${legendSize}">${name}</text>`;
