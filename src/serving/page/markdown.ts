import { lexer, type Token, type Tokens } from "marked";
import { element } from "./element.ts";

/**
 * Markdown as elements. They are made one by one of the parsed text, so that HTML in an answer is shown as text, links lead to
 * web addresses alone, and no picture of an answer is ever fetched.
 */
export const markdown = (text: string): Node[] => blocks(lexer(text));

const blocks = (tokens: readonly Token[]): Node[] => tokens.flatMap(block);

function block(token: Token): Node[] {
  switch (token.type) {
    case "space":
    case "def":
      return [];
    case "heading":
      // The page has headings of its own above those of an answer.
      return [element(token["depth"] < 3 ? "h3" : "h4", {}, inlines(token.tokens))];
    case "paragraph":
      return [element("p", {}, inlines(token.tokens))];
    case "code":
      return [element("pre", { tabIndex: 0 }, [element("code", {}, [token["text"]])])];
    case "blockquote":
      return [element("blockquote", {}, blocks(token.tokens ?? []))];
    case "hr":
      return [element("hr")];
    case "list":
      return [list(token as Tokens.List)];
    case "table":
      return [table(token as Tokens.Table)];
    case "text":
      return "tokens" in token && token.tokens ? inlines(token.tokens) : [new Text(token["text"])];
    default:
      return [element("p", {}, [token.raw])];
  }
}

function list({ ordered, start, items }: Tokens.List): HTMLElement {
  const entries = items.map(({ tokens }) => element("li", {}, blocks(tokens)));
  return ordered
    ? element("ol", { start: typeof start === "number" ? start : 1 }, entries)
    : element("ul", {}, entries);
}

function table({ header, rows }: Tokens.Table): HTMLElement {
  const row = (cells: readonly Tokens.TableCell[], name: "th" | "td") =>
    element(
      "tr",
      {},
      cells.map(({ tokens }) => element(name, {}, inlines(tokens))),
    );
  return element("table", {}, [
    element("thead", {}, [row(header, "th")]),
    element(
      "tbody",
      {},
      rows.map((cells) => row(cells, "td")),
    ),
  ]);
}

const inlines = (tokens: readonly Token[] | undefined): Node[] => (tokens ?? []).flatMap(inline);

function inline(token: Token): Node[] {
  switch (token.type) {
    case "strong":
      return [element("strong", {}, inlines(token.tokens))];
    case "em":
      return [element("em", {}, inlines(token.tokens))];
    case "del":
      return [element("del", {}, inlines(token.tokens))];
    case "codespan":
      return [element("code", {}, [token["text"]])];
    case "br":
      return [element("br")];
    case "link":
      return [link(token as Tokens.Link)];
    case "escape":
      return [new Text(token["text"])];
    case "text":
      return token.tokens ? inlines(token.tokens) : [new Text(token["text"])];
    default:
      return [new Text(token.raw)];
  }
}

function link({ href, tokens }: Tokens.Link): Node {
  const children = inlines(tokens);
  if (!/^https?:\/\//i.test(href)) return element("span", {}, children);
  return element("a", { href, target: "_blank", rel: "noopener noreferrer nofollow", title: href }, children);
}
