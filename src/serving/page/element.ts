type Properties<K extends keyof HTMLElementTagNameMap> = Partial<Omit<HTMLElementTagNameMap[K], "style">> & {
  readonly aria?: Readonly<Record<string, string>>;
};

/** Makes an element. Texts become text nodes: nothing that is said or named is ever read as HTML. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  { aria = {}, ...properties }: Properties<K> = {},
  children: readonly (Node | string)[] = [],
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(name), properties);
  for (const [key, value] of Object.entries(aria)) made.setAttribute(`aria-${key}`, value);
  made.append(...children);
  return made;
}

/** The element of the page with an id. */
export function part<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found as T;
}
