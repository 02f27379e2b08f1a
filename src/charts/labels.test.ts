import assert from "node:assert/strict";
import { test } from "node:test";
import { placeLabels } from "./labels.ts";
import { textWidth } from "./text-width.ts";

test("labels of crowded circles cover neither each other nor circles nor the border", () => {
  const border = { left: 0, top: 0, right: 400, bottom: 200 };
  const circles = [
    [200, 100],
    [216, 104],
    [190, 112],
    [208, 88],
    [392, 10],
    [5, 190],
  ].map(([x, y]) => ({ x: x!, y: y!, radius: 6 }));
  const labels = circles.map((_, index) => `model ${index}`);
  const boxes = placeLabels(circles, labels, 11, border).map(({ x, y }, index) => {
    const [width, height] = [textWidth(labels[index]!, 11), 11];
    return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
  });
  const around = circles.map(({ x, y }) => ({ left: x - 5, right: x + 5, top: y - 5, bottom: y + 5 }));
  type Box = (typeof boxes)[number];
  const isApart = (a: Box, b: Box): boolean =>
    a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
  for (const [index, box] of boxes.entries()) {
    for (const other of [...boxes.slice(0, index), ...around]) assert.ok(isApart(box, other), labels[index]);
    assert.ok(box.left >= 0 && box.right <= 400 && box.top >= 0 && box.bottom <= 200, labels[index]);
  }
});
