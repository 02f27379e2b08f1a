/** Several streams as one, each item with the index of its own, as they come. A failure of one ends all. */
export async function* merged<T>(
  streams: readonly AsyncIterable<T>[],
): AsyncGenerator<{ readonly index: number; readonly item: T }, void, undefined> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
  const next = (index: number) => iterators[index]!.next().then((result) => ({ index, result }));
  const pending = new Map(iterators.map((_, index) => [index, next(index)]));
  try {
    while (pending.size > 0) {
      const { index, result } = await Promise.race(pending.values());
      if (result.done) pending.delete(index);
      else {
        pending.set(index, next(index));
        yield { index, item: result.value };
      }
    }
  } finally {
    for (const promise of pending.values()) promise.catch(() => {});
    await Promise.allSettled(iterators.map((iterator) => iterator.return?.()));
  }
}
