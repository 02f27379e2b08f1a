// Attention over keys and values in pages of 16 positions, which lie anywhere in slabs of memory. Scores are computed and
// weighed in stretches of four pages from position 0 on, so that what a position sees has the same bits whatever is computed
// beside it: alone or in a chunk, after a cached beginning or none, with any number of threads.
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "elements.h"
#include "lanes.h"
#include "threads.h"
#include "turn.h"

namespace llava {
namespace {

constexpr int64_t kPage = 16;
// Pages whose scores are weighed together, and their positions.
constexpr int64_t kPages = 4, kStretch = kPages * kPage;
// Queries that see a page at once: pairs of a position and a head.
constexpr int kQueries = 4;
// Heads whose keys a thread reads one after another in each stretch, at most, and turns that a thread takes at least.
constexpr int kHeads = 4, kTurns = 4;
// Sums that are kept in registers at once: as many as hide how long each takes.
constexpr int kSums = 8;

int64_t padded(int64_t headDim) { return (headDim + 7) / 8 * 8; }

// Slabs [pages, layers, 2, heads, 16 · padded d]: of a head's page its keys [d, 16] and its values [16, padded d].
struct Pages {
  const std::vector<at::Tensor>& slabs;
  int64_t layer, perSlab, heads, headDim, width;

  Pages(const std::vector<at::Tensor>& slabs, int64_t layer, int64_t headDim)
      : slabs(slabs), layer(layer), headDim(headDim), width(padded(headDim)) {
    TORCH_CHECK(!slabs.empty(), "there are no pages");
    const at::Tensor& slab = slabs[0];
    TORCH_CHECK(slab.dim() == 5 && slab.size(2) == 2 && slab.size(4) == kPage * width && slab.is_contiguous(),
                "expected pages [n, layers, 2, heads, ", kPage * width, "], got ", slab.sizes());
    perSlab = slab.size(0);
    heads = slab.size(3);
  }

  // [2, heads, 16 · padded d]
  at::Tensor page(int64_t number) const { return slabs[number / perSlab].select(0, number % perSlab).select(0, layer); }

  template <typename Element>
  Element* at(int64_t number, int64_t part, int64_t head) const {
    const at::Tensor& slab = slabs[number / perSlab];
    const int64_t place = ((number % perSlab * slab.size(1) + layer) * 2 + part) * heads + head;
    return slab.mutable_data_ptr<Element>() + place * kPage * width;
  }
};

// Positions one after another of one sequence, whose rows follow each other: those from `first` on are new.
struct Run {
  int64_t row, rows, first;
  const int64_t* table;
};

std::vector<Run> runsOf(const at::Tensor& tables, const at::Tensor& places) {
  std::vector<Run> runs;
  const int64_t* place = places.const_data_ptr<int64_t>();
  int64_t last = -1;
  for (int64_t row = 0; row < places.size(0); ++row) {
    const int64_t sequence = place[2 * row], position = place[2 * row + 1];
    TORCH_CHECK(sequence >= 0 && sequence < tables.size(0) && position >= 0 && position / kPage < tables.size(1),
                "position ", position, " of sequence ", sequence, " has no page");
    if (sequence == last && position == runs.back().first + runs.back().rows)
      ++runs.back().rows;
    else
      runs.push_back({row, 1, position, tables.const_data_ptr<int64_t>() + sequence * tables.size(1)});
    last = sequence;
  }
  return runs;
}

// Queries and keys before they are turned, values, and the angles of their positions.
template <typename Element>
struct Rows {
  const Element* query;
  const Element* key;
  const Element* value;
  const Element* cos;  // nullptr where queries and keys are turned already
  const Element* sin;
  int64_t headDim;

  // A head's numbers, turned; `scratch` holds as many.
  const Element* turned(const Element* from, int64_t row, Element* scratch) const {
    if (!cos) return from;
    turn(from, cos + row * headDim, sin + row * headDim, headDim / 2, scratch);
    return scratch;
  }
};

// Writes the keys and values of a run that one head has. `scratch` holds d numbers.
template <typename Element>
void write(const Pages& pages, const Run& run, int64_t head, const Rows<Element>& rows, Element* scratch) {
  const int64_t d = pages.headDim;
  for (int64_t i = 0; i < run.rows; ++i) {
    const int64_t position = run.first + i, number = run.table[position / kPage], within = position % kPage;
    const int64_t source = ((run.row + i) * pages.heads + head) * d;
    const Element* key = rows.turned(rows.key + source, run.row + i, scratch);
    Element* column = pages.at<Element>(number, 0, head) + within;
    for (int64_t k = 0; k < d; ++k) column[k * kPage] = key[k];
    std::memcpy(pages.at<Element>(number, 1, head) + within * pages.width, rows.value + source, d * sizeof(Element));
  }
}

// What queries have seen so far of the stretches before: the largest score, the sum of weights, the weighed values.
struct Seen {
  float largest, sum;
  float* values;  // [padded d]
};

// The keys and values that one head has in the pages of a stretch, and its keys in the stretch behind it. Pages lie anywhere:
// what is read next is asked for beforehand.
template <typename Element>
struct Stretch {
  const Element* keys[kPages];
  const Element* values[kPages];
  const Element* next[kPages];
};

// Queries' scores of the keys of some pages side by side, from place `first` of the stretch on.
template <typename Element, int count, int pages>
LLAVA_LANES_TARGET void scorePages(const Stretch<Element>& stretch, int64_t first, const float* const* queries, int64_t d,
                                   float (*scores)[kStretch]) {
  const Element* const* keys = stretch.keys + first;
  Lanes sums[count][pages][2];
  for (int q = 0; q < count; ++q)
    for (int page = 0; page < pages; ++page) sums[q][page][0] = sums[q][page][1] = splat(0);
  for (int64_t k = 0; k < d; ++k) {
#pragma GCC unroll 4
    for (int page = 0; page < pages; ++page) {
      const Lanes low = load(keys[page] + k * kPage), high = load(keys[page] + k * kPage + 8);
      if (k * sizeof(Element) % 4 == 0) __builtin_prefetch(stretch.values[first + page] + k * kPage);
#pragma GCC unroll 4
      for (int q = 0; q < count; ++q) {
        const Lanes query = splat(queries[q][k]);
        sums[q][page][0] = fused(query, low, sums[q][page][0]);
        sums[q][page][1] = fused(query, high, sums[q][page][1]);
      }
    }
  }
  for (int q = 0; q < count; ++q)
    for (int page = 0; page < pages; ++page) {
      float* to = scores[q] + (first + page) * kPage;
      store(to, sums[q][page][0]);
      store(to + 8, sums[q][page][1]);
    }
}

// Scores of the keys that a query sees → their weights beside all that it has seen. Returns by how much what it had seen shrinks.
LLAVA_LANES_TARGET float weighed(float* scores, int64_t visible, Seen& seen) {
  if (visible <= 0) return 1.0f;
  const int64_t end = (visible + 7) / 8 * 8;
  for (int64_t key = visible; key < end; ++key) scores[key] = -INFINITY;
  Lanes most = splat(seen.largest);
  for (int64_t key = 0; key < end; key += 8) most = larger(load(scores + key), most);
  const float largest = largestOf(most);
  Lanes sum = splat(0);
  for (int64_t key = 0; key < end; key += 8) {
    const Lanes weights = exponential(minus(load(scores + key), splat(largest)));
    sum = plus(sum, weights);
    store(scores + key, weights);
  }
  float shrunk[8];
  store(shrunk, exponential(splat(seen.largest - largest)));
  seen.sum = seen.sum * shrunk[0] + sumOf(sum);
  seen.largest = largest;
  return shrunk[0];
}

// Adds weighed values from place k on of a head's d, as many lanes of them as `chunks`.
template <typename Element, int count, int chunks>
LLAVA_LANES_TARGET void addValues(const Stretch<Element>& stretch, const float (*weights)[kStretch], const float* factors,
                                  const int64_t* visible, int64_t width, int64_t k, Seen* seen) {
  Lanes sums[count][chunks];
  for (int q = 0; q < count; ++q)
    for (int c = 0; c < chunks; ++c) sums[q][c] = times(load(seen[q].values + k + 8 * c), splat(factors[q]));
  // Rows are in order: the first query sees the fewest.
  const int64_t all = std::max<int64_t>(0, visible[0]);
  for (int64_t key = 0; key < all; ++key) {
    const int64_t within = key % kPage * width + k;
    const Element* value = stretch.values[key / kPage] + within;
    __builtin_prefetch(stretch.next[key / kPage] + within);
#pragma GCC unroll 8
    for (int c = 0; c < chunks; ++c) {
      const Lanes some = load(value + 8 * c);
#pragma GCC unroll 4
      for (int q = 0; q < count; ++q) sums[q][c] = fused(splat(weights[q][key]), some, sums[q][c]);
    }
  }
  for (int q = 0; q < count; ++q) {
    for (int64_t key = all; key < visible[q]; ++key) {
      const Element* value = stretch.values[key / kPage] + key % kPage * width + k;
      for (int c = 0; c < chunks; ++c) sums[q][c] = fused(splat(weights[q][key]), load(value + 8 * c), sums[q][c]);
    }
    for (int c = 0; c < chunks; ++c) store(seen[q].values + k + 8 * c, sums[q][c]);
  }
}

// Some queries see a stretch, each as many of its keys as are `visible` to it.
template <typename Element, int count>
LLAVA_LANES_TARGET void see(const Stretch<Element>& stretch, const float* const* queries, const int64_t* visible, int64_t d,
                            int64_t width, Seen* seen) {
  constexpr int together = std::max(1, kSums / 2 / count), chunks = kSums / count;
  float weights[count][kStretch], factors[count];
  const int64_t pages = (visible[count - 1] + kPage - 1) / kPage;
  int64_t page = 0;
  for (; page + together <= pages; page += together)
    scorePages<Element, count, together>(stretch, page, queries, d, weights);
  for (; page < pages; ++page) scorePages<Element, count, 1>(stretch, page, queries, d, weights);
  for (int q = 0; q < count; ++q) factors[q] = weighed(weights[q], visible[q], seen[q]);
  int64_t k = 0;
  for (; k + 8 * chunks <= width; k += 8 * chunks)
    addValues<Element, count, chunks>(stretch, weights, factors, visible, width, k, seen);
  for (; k < width; k += 8) addValues<Element, count, 1>(stretch, weights, factors, visible, width, k, seen);
}

// Some queries of a few heads of keys one after another, which lie so in a page; pair i of a run is its row i / group and head
// i % group of the group.
struct Tile {
  const Run* run;
  int64_t pair;
  int count;
  bool isWhole;
};

// Memory for a tile: of each head its queries and what they have seen, and numbers that are being turned.
template <typename Element>
struct Scratch {
  std::vector<float> numbers;
  std::vector<Element> turned;

  explicit Scratch(const Pages& pages) : numbers(kHeads * 2 * kQueries * pages.width), turned(pages.headDim) {}
};

template <typename Element>
LLAVA_LANES_TARGET void attendTile(const Pages& pages, const Tile& tile, int64_t firstHead, int heads, int64_t group, float scale,
                                   const Rows<Element>& rows, Scratch<Element>& scratch, Element* out) {
  const Run& run = *tile.run;
  const int64_t d = pages.headDim, width = pages.width, all = pages.heads * group;
  const int count = tile.count;
  std::fill(scratch.numbers.begin(), scratch.numbers.end(), 0.0f);
  const float* queries[kHeads][kQueries];
  Seen seen[kHeads][kQueries];
  int64_t positions[kQueries] = {}, places[kHeads][kQueries] = {};
  for (int head = 0; head < heads; ++head)
    for (int q = 0; q < count; ++q) {
      const int64_t row = (tile.pair + q) / group, own = (firstHead + head) * group + (tile.pair + q) % group;
      positions[q] = run.first + row;
      places[head][q] = ((run.row + row) * all + own) * d;
      float* values = scratch.numbers.data() + (head * 2 * kQueries + q) * width;
      float* scaled = values + kQueries * width;
      seen[head][q] = {-INFINITY, 0.0f, values};
      const Element* query = rows.turned(rows.query + places[head][q], run.row + row, scratch.turned.data());
      for (int64_t k = 0; k < d; ++k) scaled[k] = static_cast<float>(query[k]) * scale;
      queries[head][q] = scaled;
    }
  const int64_t last = positions[count - 1];
  for (int64_t start = 0; start <= last; start += kStretch) {
    int64_t visible[kQueries];
    for (int q = 0; q < count; ++q) visible[q] = std::min(kStretch, positions[q] - start + 1);
    for (int head = 0; head < heads; ++head) {
      const bool isLastHead = head + 1 == heads;
      Stretch<Element> stretch;
      for (int64_t page = 0; page * kPage < visible[count - 1]; ++page) {
        const int64_t at = start / kPage + page, behind = isLastHead ? at + kPages : at;
        const auto keysAt = [&](int64_t place, int64_t of) { return pages.at<Element>(run.table[place], 0, of); };
        stretch.keys[page] = keysAt(at, firstHead + head);
        stretch.values[page] = pages.at<Element>(run.table[at], 1, firstHead + head);
        const bool isLast = behind * kPage > last;
        stretch.next[page] = isLast ? stretch.values[page] : keysAt(behind, isLastHead ? firstHead : firstHead + head + 1);
      }
      switch (count) {
        case 1: see<Element, 1>(stretch, queries[head], visible, d, width, seen[head]); break;
        case 2: see<Element, 2>(stretch, queries[head], visible, d, width, seen[head]); break;
        case 3: see<Element, 3>(stretch, queries[head], visible, d, width, seen[head]); break;
        default: see<Element, 4>(stretch, queries[head], visible, d, width, seen[head]);
      }
    }
  }
  for (int head = 0; head < heads; ++head)
    for (int q = 0; q < count; ++q)
      for (int64_t k = 0; k < d; ++k)
        out[places[head][q] + k] = static_cast<Element>(seen[head][q].values[k] / seen[head][q].sum);
}

template <typename Element>
void attendRuns(const Pages& pages, const std::vector<Run>& runs, const Rows<Element>& rows, int64_t group, double scale,
                Element* out) {
  const int64_t heads = pages.heads;
  std::vector<Tile> tiles;
  std::vector<const Run*> longer;
  int64_t work = 0;
  for (const Run& run : runs) {
    const bool isWhole = run.rows * group <= kQueries;
    if (!isWhole) longer.push_back(&run);
    for (int64_t pair = 0; pair < run.rows * group; pair += kQueries) {
      tiles.push_back({&run, pair, static_cast<int>(std::min<int64_t>(kQueries, run.rows * group - pair)), isWhole});
      work += run.first + pair / group;
    }
  }
  // What several tiles see is written before any of them.
  inParallel(longer.size() * heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<Element> turned(pages.headDim);
    for (int64_t i = begin; i < end; ++i) write(pages, *longer[i / heads], i % heads, rows, turned.data());
  });
  // Few tiles are dealt out head by head, that each thread has some.
  const int64_t threads = at::get_num_threads(), turns = kTurns * threads;
  const int64_t together = std::clamp<int64_t>(tiles.size() * heads / turns, 1, std::min<int64_t>(kHeads, heads));
  const int64_t blocks = (heads + together - 1) / together, count = tiles.size() * blocks;
  std::atomic<int64_t> next{0};
  const auto takeTurns = [&](int64_t, int64_t) {
    Scratch<Element> scratch(pages);
    for (int64_t i; (i = next.fetch_add(1)) < count;) {
      const Tile& tile = tiles[i / blocks];
      const int64_t first = i % blocks * together, end = std::min(heads, first + together);
      for (int64_t head = first; tile.isWhole && head < end; ++head)
        write(pages, *tile.run, head, rows, scratch.turned.data());
      attendTile<Element>(pages, tile, first, static_cast<int>(end - first), group, static_cast<float>(scale), rows, scratch, out);
    }
  };
  // Below so many scores threads cost more than they save.
  const bool isLittle = work * heads * pages.headDim * kQueries < (1 << 16);
  inParallel(isLittle ? 1 : std::min(threads, count), 1, takeTurns);
}

// By libtorch's operators, where the kernels cannot be: its results depend on what is computed beside.
void attendElsewhere(const Pages& pages, const std::vector<Run>& runs, const at::Tensor& query, const at::Tensor& key,
                     const at::Tensor& value, int64_t group, double scale, at::Tensor& out) {
  const int64_t heads = pages.heads, d = pages.headDim, width = pages.width;
  for (const Run& run : runs) {
    const int64_t end = run.first + run.rows;
    for (int64_t at = run.first; at < end;) {
      const int64_t within = at % kPage, some = std::min(kPage - within, end - at), row = run.row + at - run.first;
      const at::Tensor page = pages.page(run.table[at / kPage]);
      const at::Tensor column = page.select(0, 0).narrow(1, 0, kPage * d).view({heads, d, kPage}).narrow(2, within, some);
      column.copy_(key.narrow(0, row, some).permute({1, 2, 0}));
      const at::Tensor line = page.select(0, 1).view({heads, kPage, width}).narrow(1, within, some).narrow(2, 0, d);
      line.copy_(value.narrow(0, row, some).transpose(0, 1));
      at += some;
    }
    std::vector<at::Tensor> keys, values;
    for (int64_t i = 0; i * kPage < end; ++i) {
      const at::Tensor page = pages.page(run.table[i]);
      keys.push_back(page.select(0, 0).narrow(1, 0, kPage * d).view({heads, d, kPage}));
      values.push_back(page.select(0, 1).view({heads, kPage, width}).narrow(2, 0, d));
    }
    const at::Tensor held = at::cat(keys, 2).narrow(2, 0, end).transpose(1, 2).unsqueeze(0);
    const at::Tensor worth = at::cat(values, 1).narrow(1, 0, end).unsqueeze(0);
    const at::Tensor asked = query.narrow(0, run.row, run.rows).transpose(0, 1).unsqueeze(0);
    const auto places = at::TensorOptions().dtype(at::kLong).device(query.device());
    const at::Tensor mask = at::arange(end, places).le(at::arange(run.first, end, places).unsqueeze(1));
    const at::Tensor seen = at::scaled_dot_product_attention(asked, held, worth, mask, 0.0, false, scale, group > 1);
    out.narrow(0, run.row, run.rows).copy_(seen.squeeze(0).transpose(0, 1));
  }
}

// query [1, T, H, d], key and value [1, T, Hkv, d] of the new positions, which are written, queries and keys turned by the angles
// whose cosines and sines [1, 1, T, d] are given; tables [sequences, pages] of the pages' numbers over all slabs; places [T, 2]:
// the sequence of each row and its position in it → [1, T, H · d]. Rows of one sequence follow each other.
at::Tensor attendPages(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                       const std::optional<at::Tensor>& cos, const std::optional<at::Tensor>& sin,
                       const std::vector<at::Tensor>& slabs, const at::Tensor& tables, const at::Tensor& places,
                       int64_t layer) {
  TORCH_CHECK(query.dim() == 4 && query.size(0) == 1 && key.dim() == 4 && key.sizes() == value.sizes() &&
                  key.size(1) == query.size(1) && places.size(0) == query.size(1),
              "expected queries [1, T, H, d] and keys and values [1, T, Hkv, d] for places [T, 2], got ", query.sizes(), ", ",
              key.sizes(), ", ", value.sizes(), " and ", places.sizes());
  const int64_t tokens = query.size(1), heads = query.size(2), d = query.size(3);
  const Pages pages(slabs, layer, d);
  TORCH_CHECK(key.size(2) == pages.heads && heads % pages.heads == 0 && slabs[0].scalar_type() == query.scalar_type() &&
                  key.scalar_type() == query.scalar_type() && value.scalar_type() == query.scalar_type(),
              "expected ", pages.heads, " heads of keys in ", slabs[0].scalar_type(), ", got ", key.sizes(), " in ",
              key.scalar_type());
  const bool isTurned = cos.has_value() && sin.has_value();
  if (isTurned)
    TORCH_CHECK(d % 2 == 0 && cos->numel() == tokens * d && cos->sizes() == sin->sizes() &&
                    cos->scalar_type() == query.scalar_type() && sin->scalar_type() == query.scalar_type(),
                "expected angles [1, 1, ", tokens, ", ", d, "], got ", cos->sizes(), " and ", sin->sizes());
  const int64_t group = heads / pages.heads;
  const double scale = 1 / std::sqrt(static_cast<double>(d));
  const std::vector<Run> runs = runsOf(tables, places);
  at::Tensor out = at::empty({tokens, heads, d}, query.options());
  const auto attend = [&]<typename Element>(Element) {
    const at::Tensor queries = query.contiguous(), keys = key.contiguous(), values = value.contiguous();
    const at::Tensor cosines = isTurned ? cos->contiguous() : at::Tensor(), sines = isTurned ? sin->contiguous() : at::Tensor();
    const Rows<Element> rows{queries.const_data_ptr<Element>(), keys.const_data_ptr<Element>(), values.const_data_ptr<Element>(),
                             isTurned ? cosines.const_data_ptr<Element>() : nullptr,
                             isTurned ? sines.const_data_ptr<Element>() : nullptr, d};
    attendRuns<Element>(pages, runs, rows, group, scale, out.mutable_data_ptr<Element>());
  };
  if (!query.is_cpu() || !hasLanes() || !withElement(query.scalar_type(), attend)) {
    const auto rowsOf = [&](const at::Tensor& x) {
      return isTurned ? rotate(x.transpose(1, 2), *cos, *sin).transpose(1, 2).squeeze(0) : x.squeeze(0);
    };
    attendElsewhere(pages, runs, rowsOf(query), rowsOf(key), value.squeeze(0), group, scale, out);
  }
  return out.view({1, tokens, heads * d});
}

TORCH_LIBRARY_FRAGMENT(llava, library) {
  library.def(
      "attend_pages(Tensor query, Tensor key, Tensor value, Tensor? cos, Tensor? sin, Tensor(a!)[] slabs, Tensor tables, "
      "Tensor places, int layer) -> Tensor",
      [](const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const std::optional<at::Tensor>& cos,
         const std::optional<at::Tensor>& sin, at::TensorList slabs, const at::Tensor& tables, const at::Tensor& places,
         int64_t layer) { return attendPages(query, key, value, cos, sin, slabs.vec(), tables, places, layer); });
}

}  // namespace
}  // namespace llava
