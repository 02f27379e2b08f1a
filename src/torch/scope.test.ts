import assert from "node:assert/strict";
import { test } from "node:test";
import { collectGarbage } from "../../test/support/garbage.ts";
import { aten, keep, liveTensors, ones, owned, scope, type Tensor, zeros } from "./index.ts";

/** Runs `body` and checks how many more tensors are alive afterwards. */
function leaves(count: number, body: () => void): void {
  collectGarbage();
  const before = liveTensors();
  body();
  assert.equal(liveTensors() - before, count);
}

test("a scope frees what is made inside, and only that", () => {
  const outside = ones([2]);
  leaves(0, () => {
    let inner!: Tensor;
    scope(() => {
      inner = outside.add(1);
      inner.mul(2);
    });
    assert.equal(inner.disposed, true);
    assert.throws(() => inner.toNumbers(), /disposed/);
  });
  assert.deepEqual(outside.toNumbers(), [1, 1]);
});

test("what is returned lives: alone, twice, or deep in arrays, maps, sets and plain objects", () => {
  const returned: unknown[] = [];
  leaves(6, () => {
    returned.push(
      scope(() => {
        const shared = ones([1]);
        zeros([1]);
        const cyclic: Record<string, unknown> = { made: ones([1]).add(1), number: 3, none: null };
        cyclic["self"] = cyclic;
        const bare = Object.assign(Object.create(null), { tensor: ones([1]).add(4) });
        return [
          shared,
          shared,
          { map: new Map([["key", [ones([1]).add(2)]]]) },
          new Set([ones([1]).add(3)]),
          cyclic,
          bare,
        ];
      }),
      scope(() => ones([1])),
    );
  });
  const [shared, again, { map }, set, cyclic] = returned[0] as [
    Tensor,
    Tensor,
    { map: Map<string, Tensor[]> },
    Set<Tensor>,
    { made: Tensor },
  ];
  assert.equal(shared, again);
  assert.deepEqual(
    [shared, map.get("key")![0]!, [...set][0]!, cyclic.made].map((tensor) => tensor.item()),
    [1, 3, 4, 2],
  );
});

test("nested scopes hand what they return to the scope around them", () => {
  leaves(1, () => {
    let handed!: Tensor;
    const result = scope(() => {
      handed = scope(() => ones([1]).add(1));
      assert.equal(handed.item(), 2);
      return scope(() => scope(() => handed.add(1)));
    });
    assert.equal(handed.disposed, true);
    assert.equal(result.item(), 3);
    result.dispose();
    const outer = scope(() => {
      const made = ones([1]);
      scope(() => made); // belongs to the outer scope and stays there
      return made.add(0);
    });
    assert.equal(outer.item(), 1);
    keepAlive.push(outer);
  });
});

const keepAlive: Tensor[] = [];

test("keep lifts a tensor out of all scopes, also when the body throws", () => {
  leaves(2, () => {
    scope(() => {
      scope(() => keepAlive.push(keep(ones([1]))));
      assert.throws(() =>
        scope(() => {
          keepAlive.push(keep(ones([1]).add(1)));
          ones([1]);
          throw new Error("on purpose");
        }),
      );
    });
  });
  assert.deepEqual(
    keepAlive.slice(-2).map((tensor) => tensor.item()),
    [1, 2],
  );
});

test("after an exception the scope around goes on", () => {
  leaves(0, () => {
    scope(() => {
      const before = ones([1]);
      assert.throws(() => scope(() => before.add(ones([2, 2])).reshape([77])));
      const after = before.add(1);
      assert.deepEqual([before.item(), after.item()], [1, 2]);
    });
  });
});

test("disposing inside a scope, and of what it returns, is harmless", () => {
  leaves(0, () => {
    const result = scope(() => {
      using early = ones([1]);
      const made = early.add(1);
      return made;
    });
    assert.equal(result.item(), 2);
    result.dispose();
    assert.doesNotThrow(() => result.dispose());
    const gone = scope(() => {
      const made = ones([1]);
      made.dispose();
      return made;
    });
    assert.equal(gone.disposed, true);
  });
});

test("a promise is refused: its tensors could not be told from others'", async () => {
  leaves(0, () => {
    const asynchronous = (() => Promise.resolve(ones([1]))) as unknown as () => number;
    assert.throws(() => scope(asynchronous), /synchronous function/);
  });
});

test("tensors that nothing refers to are collected in a synchronous loop, and slots are used again", () => {
  leaves(0, () => {
    for (let i = 0; i < 1000; i++) ones([1]);
    collectGarbage();
  });
});

test("a view keeps its storage alive without the tensor it was made of", () => {
  const view = scope(() => ones([4]).mul(3).slice(0, 1, 3));
  collectGarbage();
  assert.deepEqual(view.toNumbers(), [3, 3]);
});

test("a tensor with an owner outlives its scope and the garbage collector, and what was made on its way does not", () => {
  let tensor!: Tensor;
  leaves(1, () => {
    scope(() => {
      tensor = owned(() => ones([3]).add(1));
    });
    collectGarbage();
    assert.deepEqual(tensor.toNumbers(), [2, 2, 2]);
  });
  leaves(-1, () => tensor.dispose());
  leaves(0, () =>
    assert.throws(
      () =>
        owned((): Tensor => {
          ones([2]);
          throw new Error("in vain");
        }),
      /in vain/,
    ),
  );
});

test("memory in large pages is memory as any other, which goes with its tensor", () => {
  for (const [shape, dtype] of [
    [[3, 5], "int16"],
    [[(1 << 20) + 1, 3], "float32"],
  ] as const)
    leaves(0, () => {
      const tensor = owned(() => aten.hugeEmpty(shape, dtype));
      assert.deepEqual([tensor.shape, tensor.dtype], [shape, dtype]);
      assert.equal(
        scope(() => tensor.fill_(1).sum().item()),
        tensor.elements,
      );
      tensor.dispose();
    });
});
