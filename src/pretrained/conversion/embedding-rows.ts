import { aten, cat, noGrad, scope, type Tensor } from "../../torch/index.ts";

/** Canonical names of the tables that have a row for every word. */
const TABLES = ["model.language_model.embed_tokens.weight", "lm_head.weight"];

const AT_ONCE = 4096;

/** The mean of the rows before `end`, [1, width], in the table's own type. Sums are taken in float64, some rows at a time. */
const meanOf = (table: Tensor, end: number): Tensor =>
  scope(() => {
    let sum: Tensor | undefined;
    for (let start = 0; start < end; start += AT_ONCE) {
      const part = table
        .slice(0, start, Math.min(end, start + AT_ONCE))
        .to("float64")
        .sum([0], true);
      sum = sum === undefined ? part : sum.add(part);
    }
    return sum!.div(end).to(table.dtype);
  });

/** Tables grown to `rows`; the new rows are the mean of those that were there. Others come back as they are. */
export const withRows = (state: ReadonlyMap<string, Tensor>, rows: number): Map<string, Tensor> =>
  noGrad(
    () =>
      new Map(
        Array.from(state, ([name, tensor]) => {
          const [own = 0, width = 0] = tensor.shape;
          if (!TABLES.includes(name) || own >= rows) return [name, tensor];
          return [name, scope(() => cat([tensor, meanOf(tensor, own).expand([rows - own, width])]))];
        }),
      ),
  );

/** Whether all rows from `start` on are what `withRows` adds: they say nothing that others do not. */
export const areAddedRows = (state: ReadonlyMap<string, Tensor>, start: number): boolean =>
  noGrad(() =>
    TABLES.every((name) => {
      const table = state.get(name);
      if (table === undefined) return true;
      const [rows = 0, width = 0] = table.shape;
      if (start <= 0 || start >= rows) return false;
      return scope(() =>
        aten.equal(table.slice(0, start), meanOf(table, start).expand([rows - start, width])),
      );
    }),
  );

/** Tables cut after `rows`. */
export const withoutRows = (state: ReadonlyMap<string, Tensor>, rows: number): Map<string, Tensor> =>
  noGrad(
    () =>
      new Map(
        Array.from(state, ([name, tensor]) => [
          name,
          TABLES.includes(name) ? tensor.slice(0, 0, rows).contiguous() : tensor,
        ]),
      ),
  );
