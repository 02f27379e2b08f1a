/** Columns as wide as their widest cell, two spaces apart; columns of numbers stand right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const columns = head.map((name, column) => {
    const cells = rows.map((row) => row[column] ?? "");
    const right = cells.some((cell) => cell !== "") && cells.every((cell) => /^[-+]?[\d.]*%?$/.test(cell));
    return { width: Math.max(name.length, ...cells.map((cell) => cell.length)), right };
  });
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ width, right }, column) => {
        const cell = cells[column] ?? "";
        return right ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return [head, ...rows].map(line).join("\n");
}
