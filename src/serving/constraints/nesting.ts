/** What is at a place of a schema, references aside. */
interface Node {
  /** Objects within each other. */
  readonly depth: number;
  /** Objects. */
  readonly count: number;
  readonly references: ReadonlySet<string>;
  /** Whether references in it may mean other places than they say. */
  readonly isRenamed: boolean;
}

/**
 * Objects of a JSON schema within each other, where those that are referred to stand within what refers to them, each once: at
 * least as many as a compiler that goes through them is ever within. Of places that refer to each other all count.
 * @throws RangeError for a schema with more to look at than `MOST_LOOKS`
 */
export function nestingOf(schema: unknown): number {
  const looks = { left: MOST_LOOKS };
  const root = look(schema, looks);
  const isLocal = [...root.references].every((reference) => /^#(?:\/|$)/.test(reference));
  return isLocal && !root.isRenamed ? longest(schema, root, looks) : root.count;
}

/** Values of a schema, those behind references again for each. */
const MOST_LOOKS = 200_000;

interface Looks {
  left: number;
}

function look(value: unknown, looks: Looks, isRoot = true): Node {
  if (looks.left-- === 0) throw new RangeError(`a schema has more than ${MOST_LOOKS} values`);
  if (typeof value !== "object" || value === null)
    return { depth: 0, count: 0, references: new Set(), isRenamed: false };
  const own = Array.isArray(value) ? 0 : 1;
  const inner = Object.values(value).map((each) => look(each, looks, false));
  const references = new Set(inner.flatMap((node) => [...node.references]));
  const { $ref, $id, $anchor } = value as { $ref?: unknown; $id?: unknown; $anchor?: unknown };
  if (typeof $ref === "string") references.add($ref);
  return {
    depth: own + inner.reduce((most, { depth }) => Math.max(most, depth), 0),
    count: own + inner.reduce((sum, { count }) => sum + count, 0),
    references,
    isRenamed:
      $anchor !== undefined || ($id !== undefined && !isRoot) || inner.some((node) => node.isRenamed),
  };
}

/** Where a JSON pointer leads (RFC 6901). */
function at(schema: unknown, reference: string): unknown {
  const keys = reference.slice(1).split("/").slice(1);
  return keys.reduce<unknown>((value, key) => {
    const name = decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~");
    return typeof value === "object" && value !== null
      ? (value as Readonly<Record<string, unknown>>)[name]
      : undefined;
  }, schema);
}

/** The longest way through the groups of places that refer to each other (Tarjan's components), which come in the order of their ends. */
function longest(schema: unknown, root: Node, looks: Looks): number {
  const nodes = new Map<string, Node>([["", root]]);
  for (const reference of root.references) nodes.set(reference, look(at(schema, reference), looks));
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const ways = new Map<string, number>();
  const visit = (name: string): void => {
    order.set(name, order.size);
    low.set(name, order.get(name)!);
    open.push(name);
    for (const next of nodes.get(name)!.references) {
      if (!order.has(next)) visit(next);
      if (!ways.has(next)) low.set(name, Math.min(low.get(name)!, low.get(next)!));
    }
    if (low.get(name) !== order.get(name)) return;
    const group = new Set(open.splice(open.indexOf(name)));
    const inside = [...group].reduce((sum, each) => sum + nodes.get(each)!.depth, 0);
    const behind = [...group].flatMap((each) =>
      [...nodes.get(each)!.references].map((next) => (group.has(next) ? 0 : ways.get(next)!)),
    );
    const way = inside + behind.reduce((most, each) => Math.max(most, each), 0);
    for (const each of group) ways.set(each, way);
  };
  visit("");
  return ways.get("")!;
}
