import { type Markup, markup, Markup as Raw } from "../../charts/index.ts";

const style = new Raw(`
:root{color-scheme:light dark;--ground:#f5f7f9;--card:#fff;--text:#1b2430;--quiet:#5d6b7c;--line:#e0e5eb;--good:#00784f;--bad:#b3360b;--mark:#fff4dc}
@media (prefers-color-scheme:dark){:root{--ground:#0b0f14;--card:#12171e;--text:#e8edf3;--quiet:#9aa7b6;--line:#27303b;--good:#35cfa2;--bad:#ff8f4d;--mark:#33290f}}
*{box-sizing:border-box}
body{margin:0;overflow-wrap:anywhere;background:var(--ground);color:var(--text);font:15px/1.5 Inter,system-ui,-apple-system,"Segoe UI",sans-serif}
main,header,footer{max-width:1080px;margin:0 auto;padding:0 20px}
header{padding-top:32px}h1{font-size:28px;line-height:1.2;margin:0 0 4px}h2{font-size:21px;margin:44px 0 12px}h3{font-size:16px;margin:26px 0 8px}
p{margin:6px 0}.quiet,footer{color:var(--quiet)}footer{padding-bottom:40px;font-size:13px}
nav{display:flex;flex-wrap:wrap;gap:4px 18px;margin:12px 0}a{color:inherit}
.wide{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{overflow-wrap:break-word;padding:7px 12px;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
tr:last-child>*{border-bottom:0}thead th{font-weight:600;font-size:13px;color:var(--quiet);max-width:18em}
.number{text-align:right}td.number{white-space:nowrap}th.number,tbody td:first-child{overflow-wrap:anywhere;min-width:8em}td strong{font-size:16px}small{color:var(--quiet);font-size:12.5px}
.partial{color:var(--bad);font-weight:600}.note{background:var(--mark);border-radius:6px;padding:8px 12px;margin:10px 0}
.charts{display:grid;gap:14px}.charts svg{max-width:100%;height:auto;border:1px solid var(--line);border-radius:8px;display:block}
details{margin:10px 0}summary{cursor:pointer;font-weight:600}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(310px,1fr));gap:14px;margin-top:10px;align-items:start}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px;overflow-wrap:anywhere;min-width:0}
.card img{max-width:100%;height:auto;max-height:260px;object-fit:contain;display:block;margin:0 auto 8px;border-radius:4px}
.card dl{margin:8px 0 0;display:grid;grid-template-columns:fit-content(35%) minmax(0,1fr);gap:3px 10px}.card dt,.facts dt{color:var(--quiet);font-size:13px}
dd{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;min-width:0}.question{white-space:pre-wrap;margin:0}
.absent{color:var(--quiet);font-size:13px;border:1px dashed var(--line);border-radius:4px;padding:6px 8px}
.good{color:var(--good)}.bad{color:var(--bad)}
dd.good,dd.bad{color:inherit;border-left:3px solid var(--good);padding-left:7px}dd.bad{border-color:var(--bad)}
.facts{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:3px 16px;margin:8px 0}.facts dd{font-family:ui-monospace,SFMono-Regular,Menlo,monospace;font-size:13px}
@media print{.card{break-inside:avoid}}
`);

/** The page around its content. Its policy forbids scripts and every request, whatever answers hold. */
export const page = (title: string, header: Markup, content: Markup, footer: Markup): string =>
  markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<header>${header}</header>
<main>${content}</main>
<footer>${footer}</footer>
</body>
</html>
`.toString();

export interface Column {
  readonly name: string;
  readonly isNumber?: boolean;
}

/** A table that scrolls sideways where the screen is narrow. */
export const table = (
  columns: readonly Column[],
  rows: readonly (readonly (Markup | string)[])[],
): Markup => {
  const kind = (index: number) => columns[index]?.isNumber && markup` class="number"`;
  return markup`<div class="wide"><table><thead><tr>${columns.map(({ name }, index) => markup`<th scope="col"${kind(index)}>${name}</th>`)}</tr></thead><tbody>${rows.map(
    (cells) => markup`<tr>${cells.map((cell, index) => markup`<td${kind(index)}>${cell}</td>`)}</tr>\n`,
  )}</tbody></table></div>`;
};
