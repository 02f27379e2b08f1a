import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseHTML } from "linkedom";
import sharp from "sharp";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import {
  barChart,
  histogram,
  lineChart,
  radarChart,
  saveChart,
  scatterChart,
  type Theme,
  toPng,
} from "./index.ts";

const hostile = `</title><script>alert("1")</script>&amp;'\u0000\ud800 模型 🦙`;
const parse = (svg: string) => parseHTML(svg).document;
const numbers = (path: string): number[] => (path.match(/-?[\d.]+/g) ?? []).map(Number);

const charts: Readonly<Record<string, (theme: Theme, name: string) => string>> = {
  line: (theme, name) =>
    lineChart(
      [
        {
          name,
          points: [
            [1, 2],
            [2, 3],
          ],
        },
        { name: "b", points: [] },
      ],
      {
        title: name,
        theme,
        x: { label: name },
        y: { label: name, scale: "log" },
        smoothing: 0.5,
      },
    ),
  histogram: (theme, name) =>
    histogram([1, 2, 2, 3, 900], {
      title: name,
      theme,
      x: { label: name },
      marks: [{ value: 500, label: name }],
    }),
  bars: (theme, name) =>
    barChart(
      [name, "b"],
      [
        { name, bars: [{ value: 3, low: 2, high: 4 }, undefined] },
        { name, bars: [] },
      ],
      {
        title: name,
        theme,
        x: { label: name },
      },
    ),
  radar: (theme, name) =>
    radarChart(
      [
        { name, high: 1 },
        { name, high: 2 },
        { name, high: 3 },
      ],
      [{ name, values: [1, undefined, 2] }],
      {
        title: name,
        theme,
        description: name,
      },
    ),
  scatter: (theme, name) =>
    scatterChart(
      [1, 2, 4].map((x) => ({ label: name, x, y: x * x, size: x, kind: name })),
      {
        title: name,
        theme,
        x: { label: name },
        y: { label: name },
        regression: true,
      },
    ),
};

for (const [kind, draw] of Object.entries(charts))
  test(`${kind}: hostile names stay text, the XML is well-formed, colours follow the theme`, async () => {
    for (const [theme, ground] of [
      ["light", 0xff],
      ["auto", 0xff],
      ["dark", 0x12],
    ] as const) {
      const svg = draw(theme, hostile);
      const document = parse(svg);
      assert.equal(document.querySelectorAll("script").length, 0);
      assert.equal(
        document.querySelector("title")!.textContent,
        hostile.replace("\u0000", "\ufffd").toWellFormed(),
      );
      assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
      assert.ok(!svg.includes("\u0000"));
      const { data, info } = await sharp(await toPng(svg, { scale: 1 }))
        .raw()
        .toBuffer({ resolveWithObject: true });
      const corner = (20 * info.width + 3) * info.channels;
      assert.equal(data[corner], ground);
      // Text is drawn without any font of the machine: the title's line holds more than one colour.
      const line = data.subarray(26 * info.width * info.channels, 27 * info.width * info.channels);
      assert.ok(new Set(line).size > 8);
    }
  });

test("every kind can be drawn without data", async () => {
  const axes = { x: { label: "x" }, y: { label: "y", scale: "log" } } as const;
  const empty = [
    lineChart([], { title: "t", ...axes }),
    histogram([], { title: "t", x: { label: "x" } }),
    histogram([7, 7, Number.NaN], { title: "t", x: { label: "x" } }),
    barChart([], [], { title: "t", x: { label: "x" } }),
    radarChart([], [], { title: "t" }),
    scatterChart([], { title: "t", ...axes, regression: true }),
    lineChart([{ name: "a", points: [[3, 0]] }], { title: "t", ...axes }),
  ];
  for (const svg of empty) {
    assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
    assert.equal((await toPng(svg)).at(1), 0x50);
  }
});

describe("line chart", () => {
  const path = (points: readonly (readonly [number, number])[], scale: "linear" | "log" = "linear"): string =>
    parse(lineChart([{ name: "a", points }], { title: "t", x: { label: "x" }, y: { label: "y", scale } }))
      .querySelector("path")!
      .getAttribute("d")!;

  test("places points in proportion, upwards", () => {
    const [x0, y0, x1, y1, x2, y2] = numbers(
      path([
        [0, 0],
        [5, 10],
        [10, 5],
      ]),
    ) as [number, number, number, number, number, number];
    assert.ok(Math.abs((x1 - x0) / (x2 - x0) - 0.5) < 0.001);
    assert.ok(Math.abs((y0 - y2) / (y0 - y1) - 0.5) < 0.001);
    assert.ok(y1 < y0);
  });

  test("places equal ratios at equal distances on a logarithmic axis", () => {
    const [, y0, , y1, , y2] = numbers(
      path(
        [
          [0, 1],
          [1, 10],
          [2, 100],
        ],
        "log",
      ),
    ) as [number, number, number, number, number, number];
    assert.ok(Math.abs(y0 - y1 - (y1 - y2)) < 0.3);
  });

  test("leaves gaps where a value is not finite or has no logarithm", () => {
    assert.equal(
      path([
        [0, 1],
        [1, 2],
        [2, Number.NaN],
        [3, 2],
        [4, 1],
      ]).match(/M/g)!.length,
      2,
    );
    assert.equal(
      path(
        [
          [0, 1],
          [1, 2],
          [2, 0],
          [3, 2],
          [4, 1],
        ],
        "log",
      ).match(/M/g)!.length,
      2,
    );
  });
});

test("a histogram counts every finite value once, the largest too", () => {
  const bars = (values: readonly number[], bins: number): string[] =>
    [...parse(histogram(values, { title: "t", x: { label: "x" }, bins })).querySelectorAll("rect title")].map(
      ({ textContent }) => textContent!,
    );
  assert.deepEqual(bars([0, 1, 2, 2, 9, 10, Number.NaN], 5), ["0 to 2: 2", "2 to 4: 2", "8 to 10: 2"]);
  assert.deepEqual(bars([3, 3, 4], 40), ["3 to 4: 3"]);
});

test("bars are as long as their values, with whiskers at the interval's ends", () => {
  const document = parse(
    barChart(["a", "b"], [{ name: "s", bars: [{ value: 50, low: 40, high: 60 }, { value: 100 }] }], {
      title: "t",
      x: { label: "x" },
    }),
  );
  const [a, b] = [...document.querySelectorAll("rect.fill")];
  const [width, full] = [a, b].map((bar) => Number(bar!.getAttribute("width"))) as [number, number];
  assert.ok(Math.abs(width / full - 0.5) < 0.001);
  const left = Number(a!.getAttribute("x"));
  const [low, , high] = numbers(document.querySelector(".whisker")!.getAttribute("d")!) as [
    number,
    number,
    number,
  ];
  assert.ok(Math.abs((low - left) / full - 0.4) < 0.001 && Math.abs((high - left) / full - 0.6) < 0.001);
  assert.equal(document.querySelectorAll(".whisker").length, 1);
});

test("a radar's points lie as far out as their share of the axis; a gap stays open and unfilled", () => {
  const axes = [
    { name: "a", high: 100 },
    { name: "b", low: 50, high: 100 },
    { name: "c", high: 1 },
  ];
  const document = parse(
    radarChart(
      axes,
      [
        { name: "whole", values: [100, 75, 0] },
        { name: "open", values: [50, undefined, 1] },
      ],
      { title: "t" },
    ),
  );
  const distances = [...document.querySelectorAll("circle")].map((circle) =>
    Math.hypot(Number(circle.getAttribute("cx")), Number(circle.getAttribute("cy"))),
  );
  const radius = distances[0]!;
  const shares = distances.map((distance) => Math.round((distance / radius) * 100) / 100);
  assert.deepEqual(shares, [1, 0.5, 0, 0.5, 1]);
  assert.equal(document.querySelectorAll("path.fill").length, 1);
});

test("circles grow in area with their size", () => {
  const dots = [25, 100].map((size) => ({ label: `${size}`, x: size, y: size, size }));
  const document = parse(scatterChart(dots, { title: "t", x: { label: "x" }, y: { label: "y" } }));
  assert.deepEqual(
    [...document.querySelectorAll("circle")].map((circle) => circle.getAttribute("r")),
    ["12", "24"],
  );
});

test("charts are saved by their ending, and nothing else is left in the folder", async () => {
  const folder = temporaryFolder("llava-charts");
  const svg = charts["line"]!("auto", "a");
  await saveChart(join(folder, "new", "a.svg"), svg);
  await saveChart(join(folder, "new", "a.PNG"), svg);
  assert.deepEqual((await readdir(join(folder, "new"))).sort(), ["a.PNG", "a.svg"]);
  assert.equal(await readFile(join(folder, "new", "a.svg"), "utf8"), svg);
  assert.equal((await sharp(join(folder, "new", "a.PNG")).metadata()).width, 1520);
  await assert.rejects(saveChart(join(folder, "a.pdf"), svg), /a\.pdf: charts are written as \.svg or \.png/);
  await assert.rejects(saveChart(join(folder, "new", "a.svg", "b.svg"), svg), { code: "usage" });
});
