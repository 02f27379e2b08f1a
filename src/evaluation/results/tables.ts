import type { Outcome } from "../benchmark.ts";
import type { Result } from "./result.ts";

/** Mean credit by label and its value, gathered as outcomes come. */
export class LabelTables {
  readonly #tables = new Map<string, Map<string, { sum: number; count: number }>>();

  add({ labels, credit }: Outcome): void {
    for (const label in labels) {
      let table = this.#tables.get(label);
      if (!table) {
        table = new Map();
        this.#tables.set(label, table);
      }
      const value = labels[label]!;
      const cell = table.get(value);
      if (cell) {
        cell.sum += credit;
        cell.count++;
      } else table.set(value, { sum: credit, count: 1 });
    }
  }

  finish(): Result["tables"] {
    const rows = (table: Map<string, { sum: number; count: number }>) =>
      Object.fromEntries(
        [...table].map(([value, { sum, count }]) => [value, { credit: sum / count, count }]),
      );
    return Object.fromEntries([...this.#tables].map(([label, table]) => [label, rows(table)]));
  }
}
