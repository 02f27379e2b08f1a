import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseHTML } from "linkedom";
import sharp from "sharp";
import { hostile, madeUpSources } from "../../../test/support/report-sources.ts";
import { toPng } from "../../charts/index.ts";
import { buildReport } from "./report.ts";

const html = await buildReport(await madeUpSources(), { now: new Date(0), examples: 40 });
const { document } = parseHTML(html);

describe("a report of hostile answers", () => {
  test("refers to nothing outside itself and runs nothing", () => {
    assert.equal(document.querySelectorAll("script, iframe, object, embed, form, base").length, 0);
    for (const element of document.querySelectorAll("*"))
      for (const { name, value } of element.attributes) {
        assert.ok(!name.startsWith("on"), `${element.localName} ${name}`);
        if (["src", "href", "srcset", "action", "data", "xlink:href"].includes(name))
          assert.match(value, /^(data:image\/webp;base64,|data:,$|#benchmark-\d$)/);
      }
    for (const { textContent } of document.querySelectorAll("style"))
      assert.doesNotMatch(textContent, /url\(|@import/);
    assert.match(
      document.querySelector("meta[http-equiv]")!.getAttribute("content")!,
      /^default-src 'none'; img-src data:; style-src 'unsafe-inline'/,
    );
  });

  test("shows them as text", () => {
    const shown = hostile.replaceAll("\u0000", "\ufffd").replaceAll("\u001b", "\ufffd");
    const answers = [...document.querySelectorAll(".card dd")].map(({ textContent }) => textContent);
    assert.ok(answers.some((answer) => answer?.startsWith(`${shown} `)));
    assert.ok(answers.includes("(empty)"));
    for (const raw of ["<script", "<img src=x", "\u0000", "\u001b"]) assert.ok(!html.includes(raw), raw);
    assert.equal(document.querySelectorAll("title")[0]!.textContent, "Evaluation report");
  });

  test("says once a benchmark what differs from the official scorer", () => {
    for (const section of document.querySelectorAll("section")) {
      const notes = [...section.querySelectorAll(".note")].map(({ textContent }) => textContent!);
      const told = notes.filter((note) =>
        note.startsWith("Differs from the official scorer: words are counted otherwise"),
      );
      if (section.querySelector("h2")!.id.startsWith("benchmark-")) assert.equal(told.length, 1);
    }
    assert.ok(document.querySelectorAll(".note").length > 0);
  });

  test("embeds images that can be decoded, made smaller, and says which are absent", async () => {
    const images = [...document.querySelectorAll("img")];
    assert.ok(images.length > 20);
    for (const source of new Set(images.map((image) => image.getAttribute("src")!))) {
      const { width, height, format } = await sharp(Buffer.from(source.split(",")[1]!, "base64")).metadata();
      assert.deepEqual([width, height, format], [512, 341, "webp"]);
    }
    const absent = [...document.querySelectorAll(".absent")].map(({ textContent }) => textContent);
    assert.deepEqual(new Set(absent), new Set(["absent.jpg: not found"]));
  });

  test("has well-formed charts: a radar, and the slices of each benchmark, whose labels are the same", async () => {
    const whole = html.split('<svg xmlns="http://www.w3.org/2000/svg" class="chart').slice(1);
    assert.equal(whole.length, 1 + 4);
    for (const chart of document.querySelectorAll("svg.chart")) {
      assert.ok(chart.querySelector("title")!.textContent);
      assert.ok(chart.querySelector("desc")!.textContent);
    }
    for (const rest of whole) {
      const end = rest.indexOf("\n</svg>");
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" class="chart${rest.slice(0, end)}\n</svg>`;
      assert.equal((await toPng(svg))[1], 0x50); // the strict XML parser of resvg took it
    }
  });

  test("has scores, intervals, coverage and published scores in its first table", () => {
    const row = document.querySelector("#overview ~ .wide tbody tr")!;
    const cells = [...row.querySelectorAll("td")].map(({ textContent }) => textContent);
    assert.equal(cells[0], "POPE, testaccuracy");
    assert.equal(cells[1], "LLaVA-1.5 7B");
    assert.equal(cells[2], "65.0 59.0 to 70.0");
    assert.equal(cells[3], "95.2 % 40 of 42");
    assert.equal(cells[4], "none");
    assert.equal(cells[5], "LLaVA-1.5 13B 85.94");
  });

  test("counts flips between two models", () => {
    const section = document.querySelector("h2#benchmark-1")!.parentElement!;
    const line = [...section.querySelectorAll("p")].find(({ textContent }) => textContent?.startsWith("Of "));
    // Right unless 7n ≡ 0 (mod 3), that is n ≡ 0 (mod 3); after it, unless 7n + 3 ≡ 0 (mod 4), that is n ≡ 3 (mod 4):
    // of 40 questions 14 and 10 are wrong, 4 of them both times (n ≡ 3 mod 12).
    assert.equal(
      line?.textContent,
      "Of 40 common questions, 10 gained and 6 lost half of full marks or more.",
    );
  });
});
