// How weights [outputs, width] lie in panels: of sixteen outputs the numbers of one place of the width, or of two in bfloat16,
// side by side, place after place.
#pragma once

#include <cstdint>

namespace llava {

// Outputs of a panel.
constexpr int64_t kPanel = 16;
// How far ahead weights are asked for that come from memory, in bytes.
constexpr int64_t kAhead = 4096;

// Panels that so many outputs take.
inline int64_t panelsOf(int64_t outputs) { return (outputs + kPanel - 1) / kPanel; }

// As many of `count` at a time, at most `most`, as make all turns alike.
inline int64_t evenly(int64_t count, int64_t most) {
  const int64_t turns = (count + most - 1) / most;
  return (count + turns - 1) / turns;
}

}  // namespace llava
