// Per-environment state (one per Node thread that loads the addon): the table of live tensors and generators.
// JavaScript holds small integers ("slots"), never pointers, so a stale handle is an error and not a crash.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <node_api.h>

namespace llava {

struct Environment {
  struct Slot {
    at::Tensor tensor;
    uint32_t generation = 0;
    int64_t hintedBytes = 0;  // what the garbage collector was told that this tensor holds
  };

  std::vector<Slot> slots;
  std::vector<int32_t> freeSlots;
  std::vector<at::Generator> generators;
  // Slots whose JavaScript object the garbage collector has taken. They are emptied at the next call, after that call
  // has read its arguments: an object may die between the reading of its slot number and the entry into native code.
  std::vector<std::pair<int32_t, uint32_t>> dead;
  int64_t unreportedBytes = 0;
  int64_t live = 0;

  int32_t add(at::Tensor tensor) {
    int32_t index;
    if (freeSlots.empty()) {
      index = static_cast<int32_t>(slots.size());
      slots.emplace_back();
    } else {
      index = freeSlots.back();
      freeSlots.pop_back();
    }
    slots[index].tensor = std::move(tensor);
    ++live;
    return index;
  }

  void release(int32_t index) {
    if (index < 0 || index >= static_cast<int32_t>(slots.size()) || !slots[index].tensor.defined()) return;
    Slot& slot = slots[index];
    slot.tensor = at::Tensor();
    ++slot.generation;
    unreportedBytes -= slot.hintedBytes;
    slot.hintedBytes = 0;
    freeSlots.push_back(index);
    --live;
  }

  void releaseDead() {
    for (auto [index, generation] : dead)
      if (slots[index].generation == generation) release(index);
    dead.clear();
  }

  const at::Tensor& get(int32_t index) const {
    if (index < 0 || index >= static_cast<int32_t>(slots.size()) || !slots[index].tensor.defined())
      throw std::runtime_error("a tensor was used after it was disposed");
    return slots[index].tensor;
  }
};

Environment& environmentOf(napi_env env);

}  // namespace llava
