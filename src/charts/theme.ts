import { Markup } from "./markup.ts";

/** "auto" follows the reader's setting where a browser shows the chart, and is light elsewhere. */
export type Theme = "light" | "dark" | "auto";

interface Colours {
  readonly ground: string;
  readonly text: string;
  readonly quiet: string;
  readonly grid: string;
  readonly axis: string;
  readonly series: readonly string[];
}

/** Series colours after Okabe and Ito, told apart by colour-blind readers too; lighter ones on dark ground. */
const colours: Readonly<Record<"light" | "dark", Colours>> = {
  light: {
    ground: "#ffffff",
    text: "#1b2430",
    quiet: "#5d6b7c",
    grid: "#e6eaef",
    axis: "#9aa5b3",
    series: ["#0072b2", "#d55e00", "#009e73", "#b0559a", "#c28400", "#4aa3d8", "#6b5bd2", "#5f6b7a"],
  },
  dark: {
    ground: "#12171e",
    text: "#e8edf3",
    quiet: "#9aa7b6",
    grid: "#27303b",
    axis: "#566373",
    series: ["#56b0ec", "#ff8f4d", "#35cfa2", "#e596cf", "#f2bd4b", "#9bd6f7", "#a99df5", "#a7b3c2"],
  },
};

const dashes = ["", "7 4", "2 3", "9 3 2 3"];

/** Class of the i-th series; colours repeat after eight, with another dash for lines. */
export const seriesClass = (index: number): string => `s${index % colours.light.series.length}`;

export const dashOf = (index: number): string =>
  dashes[Math.floor(index / colours.light.series.length) % dashes.length]!;

/** Rules that apply only inside charts of this theme, for several may stand in one page. */
export function styleOf(theme: Theme): Markup {
  const within = `.chart-${theme}`;
  const rules = theme === "dark" ? rulesOf(within, colours.dark) : rulesOf(within, colours.light);
  const adapting = theme === "auto" && `@media (prefers-color-scheme:dark){${rulesOf(within, colours.dark)}}`;
  return new Markup(`<style>${rules}${adapting || ""}</style>`);
}

const rulesOf = (within: string, { ground, text, quiet, grid, axis, series }: Colours): string =>
  [
    `.ground{fill:${ground}}`,
    `.halo{stroke:${ground};fill:${ground}}`,
    `text{fill:${text};font-family:Inter,system-ui,-apple-system,"Segoe UI",sans-serif}`,
    `.quiet{fill:${quiet}}`,
    `.grid{stroke:${grid}}`,
    `.axis{stroke:${axis}}`,
    `.trend{stroke:${quiet}}`,
    `.whisker{stroke:${text};stroke-opacity:.7}`,
    ...series.map((colour, index) => `.line.s${index}{stroke:${colour}}`),
    ...series.map((colour, index) => `.fill.s${index}{fill:${colour}}`),
  ]
    .map((rule) => `${within} ${rule}`)
    .join("");
